//! The loop: batches in, one step of SGD, now and then a test. It knows no method's name.

use std::time::Instant;

use candle_core::Device;

use super::checkpoint::{Checkpoint, Header};
use super::evaluate::evaluate;
use super::label_free::LabelFree;
use super::observer::{Kept, Observer, StepReport, TestReport};
use super::progress::{Best, Progress, median};
use super::record::{Finish, Record};
use crate::config::{Checked, RunConfig, transform};
use crate::data::batches::{Batch, BatchLoader};
use crate::data::dataset::{Domain, Task};
use crate::data::fingerprint::Fingerprint;
use crate::error::Result;
use crate::method::{Method, StepInput};
use crate::model::Model;
use crate::nn::schedule::{inverse_decay, reversal_coefficient};
use crate::nn::sgd::{GroupRates, Sgd, SgdSettings};
use crate::train;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Steps done; less than the configured number if an observer stopped the run.
    pub step: usize,
    /// Whether all steps are done.
    pub finished: bool,
    /// Target accuracy of the last test, in percent; none if there was no test yet.
    pub last_accuracy: Option<f64>,
    /// The best test (oracle).
    pub best: Option<Best>,
    /// Median seconds per training step, tests not counted; 0 if no step was done.
    pub seconds_per_step: f64,
}

/// One run in progress.
pub struct Trainer<'a> {
    config: &'a Checked,
    task: &'a Task,
    model: &'a Model,
    method: &'a dyn Method,
    optimiser: Sgd,
    progress: Progress,
    step_seconds: Vec<f64>,
    pictures: Fingerprint,
}

/// The batches of both domains; both cursors are the number of the step.
pub(crate) struct Loaders {
    source: BatchLoader,
    target: Option<BatchLoader>,
}

impl Loaders {
    /// From the batches of the step `first` on, for a model on `device`.
    pub fn new(config: &Checked, task: &Task, first: usize, device: &Device) -> Result<Self> {
        let loader = |domain: &Domain, batch_size, stream| {
            let (transform, seed) = (transform(config), config.seed);
            let (domain, workers) = (domain.clone(), config.workers);
            BatchLoader::new(domain, transform, batch_size, seed, stream, first, workers, device)
        };
        let target = || loader(&task.target, config.target_batch(), "target");
        Ok(Self {
            source: loader(&task.source, config.batch_size, "source")?,
            target: config.method.uses_target().then(target).transpose()?,
        })
    }

    /// The next batch of the source, and of the target if the method looks at it.
    pub fn next(&mut self) -> Result<(Batch, Option<Batch>)> {
        Ok((self.source.next()?, self.target.as_mut().map(BatchLoader::next).transpose()?))
    }
}

/// The optimiser of a run at its start.
pub(crate) fn optimiser(config: &Checked, model: &Model) -> Result<Sgd> {
    let RunConfig { momentum, nesterov, weight_decay, .. } = **config;
    Sgd::new(model.parameters(), SgdSettings { momentum, nesterov, weight_decay })
}

impl<'a> Trainer<'a> {
    /// A run at its start.
    pub fn new(
        config: &'a Checked,
        task: &'a Task,
        model: &'a Model,
        method: &'a dyn Method,
    ) -> Result<Self> {
        Ok(Self {
            config,
            task,
            model,
            method,
            optimiser: optimiser(config, model)?,
            progress: Progress::default(),
            step_seconds: Vec::new(),
            pictures: Fingerprint::of(task),
        })
    }

    /// How far the run is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The pictures that it sees.
    pub fn pictures(&self) -> &Fingerprint {
        &self.pictures
    }

    /// The model that is being trained.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// Trains to the end of the run, or until an observer breaks.
    ///
    /// # Errors
    /// If a picture cannot be decoded, an observer fails, or a loss is not finite.
    pub fn run(&mut self, observers: &mut [&mut dyn Observer]) -> Result<Summary> {
        let config = self.config;
        if self.progress.step < config.steps {
            observers.on_record(&self.start_record())?;
            let (first, device) = (self.progress.step, self.model.device());
            let mut loaders = Loaders::new(config, self.task, first, device)?;
            while self.progress.step < config.steps {
                let report = self.step(&mut loaders)?;
                let due = |every: usize| report.step % every == 0 || report.step == config.steps;
                let mut stop = observers.on_step(&report)?.is_break();
                if due(config.log_every) {
                    observers.on_record(&self.train_record(&report))?;
                }
                if due(config.test_every) {
                    stop |= self.test(observers)?;
                }
                if report.step == config.steps {
                    observers.on_record(&self.finish_record())?;
                }
                if due(config.checkpoint_every) || stop {
                    observers.on_checkpoint(Kept::Last, &|| self.checkpoint())?;
                }
                if stop {
                    break;
                }
            }
        }
        Ok(Summary {
            step: self.progress.step,
            finished: self.progress.step >= config.steps,
            last_accuracy: self.progress.last_accuracy,
            best: self.progress.best,
            seconds_per_step: median(&self.step_seconds),
        })
    }

    /// Everything that a resumed run needs, copied.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let header = Header {
            pictures: Some(self.pictures.digest().to_owned()),
            ..Header::new(self.config, &self.task.name, &self.task.classes, &self.progress)
        };
        Checkpoint::of(header, &self.model.parameters(), &self.optimiser.momentum()?)
    }

    /// Goes on where the checkpoint was taken: weights, running statistics, momentum and progress.
    ///
    /// # Errors
    /// If it was taken of another backbone, other classes, or another configuration.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.require(self.config, &self.task.classes)?;
        checkpoint.load_into(&self.model.parameters())?;
        for (name, momentum) in checkpoint.momentum() {
            self.optimiser.set_momentum(name, momentum)?;
        }
        self.progress = checkpoint.header.progress.clone();
        Ok(())
    }

    /// One training step: the losses of a batch, their gradients, one step of SGD.
    fn step(&mut self, loaders: &mut Loaders) -> Result<StepReport> {
        let start = Instant::now();
        let config = self.config;
        let step = self.progress.step;
        let progress = step as f64 / config.steps as f64;
        let coefficient = reversal_coefficient(progress, config.reversal_gamma);
        let rate = config.learning_rate
            * inverse_decay(progress, config.learning_rate_gamma, config.learning_rate_power);

        let (source, target) = loaders.next()?;
        let input = StepInput {
            source_images: &source.images,
            source_labels: &source.labels,
            target_images: target.as_ref().map(|batch| &batch.images),
            reversal_coefficient: coefficient,
            seed: config.seed,
            step,
        };
        let rates = GroupRates {
            backbone: rate,
            head: rate * config.head_multiplier,
            discriminator: rate * config.discriminator_multiplier,
        };
        let values =
            train::step(self.method, self.model, &mut self.optimiser, &input, &rates, &mut |_part| Ok(()))?;

        self.progress.step += 1;
        self.progress.window.add(&values);
        let seconds = start.elapsed().as_secs_f64();
        self.step_seconds.push(seconds);
        Ok(StepReport {
            step: self.progress.step,
            steps: config.steps,
            losses: values,
            learning_rate: rate,
            coefficient,
            seconds,
        })
    }

    /// Tests on both domains; true if an observer wants to stop.
    fn test(&mut self, observers: &mut [&mut dyn Observer]) -> Result<bool> {
        let start = Instant::now();
        let test = |domain: &Domain| {
            let transform = transform(self.config);
            evaluate(self.model, domain, &transform, self.config.test_batch_size)
        };
        let (source, target) = (test(&self.task.source_test)?, test(&self.task.target_test)?);
        let label_free = LabelFree::of(&target.probabilities);
        let better = match target.accuracy.is_nan() {
            true => self.progress.tested_without_labels(label_free.entropy),
            false => self.progress.tested(target.accuracy),
        };
        let best = self.best();
        let seconds = start.elapsed().as_secs_f64();
        observers.on_record(&Record::Test {
            step: self.progress.step,
            source_accuracy: source.accuracy,
            target_accuracy: target.accuracy,
            best_target_accuracy: best.accuracy,
            label_free: Some(label_free),
            seconds,
        })?;
        if self.progress.step == self.config.steps {
            observers.on_record(&Record::Confusion {
                step: self.progress.step,
                classes: self.task.classes.clone(),
                counts: target.confusion(),
            })?;
        }
        if better {
            observers.on_checkpoint(Kept::Best, &|| self.checkpoint())?;
        }
        let (step, steps) = (self.progress.step, self.config.steps);
        let report = TestReport { label_free, step, steps, source, target, best, seconds };
        Ok(observers.on_test(&report)?.is_break())
    }

    fn start_record(&self) -> Record {
        Record::Start {
            method: self.config.method_name(),
            task: self.task.name.clone(),
            seed: self.config.seed,
            steps: self.config.steps,
            from_step: self.progress.step,
        }
    }

    fn train_record(&mut self, report: &StepReport) -> Record {
        let steps = self.progress.window.steps.min(self.step_seconds.len());
        let seconds = &self.step_seconds[self.step_seconds.len() - steps..];
        Record::Train {
            step: report.step,
            learning_rate: report.learning_rate,
            coefficient: report.coefficient,
            losses: self.progress.window.close(),
            seconds_per_step: seconds.iter().sum::<f64>() / steps.max(1) as f64,
        }
    }

    /// The best test; before the first, one that knows nothing.
    fn best(&self) -> Best {
        self.progress.best.unwrap_or(Best { accuracy: f64::NAN, step: self.progress.step, entropy: None })
    }

    fn finish_record(&self) -> Record {
        let last = self.progress.last_accuracy.unwrap_or(f64::NAN);
        let best = self.best();
        Record::Finish(Finish {
            step: self.progress.step,
            last_target_accuracy: last,
            best_target_accuracy: best.accuracy,
            best_step: best.step,
            seconds_per_step: median(&self.step_seconds),
        })
    }
}
