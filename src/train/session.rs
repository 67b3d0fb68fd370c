//! From a configuration to the parts of a run: pictures, method, model.

use std::path::Path;

use super::checkpoint::Checkpoint;
use super::observer::{Kept, Observer};
use super::record::Record;
use super::run::{RunFolder, checkpoint_name, read_config, read_metrics};
use super::trainer::{Summary, Trainer};
use crate::config::{DataSource, RunConfig};
use crate::data::dataset::Task;
use crate::data::folder;
use crate::data::transform::Transform;
use crate::error::{Result, complain};
use crate::method::Method;
use crate::model::Model;

/// The parts of one run, ready to train or to test.
pub struct Session {
    /// Its settings, checked; the task's name is the data set's short one.
    pub config: RunConfig,
    /// Its pictures.
    pub task: Task,
    /// What is trained.
    pub model: Model,
    /// How it is trained.
    pub method: Box<dyn Method>,
}

impl Session {
    /// Opens the data and makes the model with its initial weights.
    ///
    /// # Errors
    /// If a setting cannot be meant, the data or the weights cannot be read.
    pub fn new(config: RunConfig) -> Result<Self> {
        config.validate()?;
        let task = open_task(&config)?;
        let config = RunConfig {
            task: task.name.clone(),
            ..config
        };
        let method = make_method(&config)?;
        let model = make_model(&config, task.classes.len(), method.as_ref())?;
        Ok(Self {
            config,
            task,
            model,
            method,
        })
    }

    /// The run in `folder` as its last or best checkpoint has it.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint does not fit its settings.
    pub fn of_run(folder: &Path, kept: Kept) -> Result<Self> {
        let session = Self::new(read_config(folder)?)?;
        let path = folder.join(checkpoint_name(kept));
        if !path.exists() {
            return Err(complain("a checkpoint", "none yet")
                .at(path.display())
                .advice("train the run with --resume until its first checkpoint")
                .into());
        }
        session.load(&Checkpoint::load(&path)?)?;
        Ok(session)
    }

    /// Sets the model's weights and running statistics from a checkpoint.
    ///
    /// # Errors
    /// If it is of another backbone or of other classes.
    pub fn load(&self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.require(&self.config, &self.task.classes)?;
        checkpoint.load_into(&self.model.parameters())
    }

    /// The loop at its start.
    ///
    /// # Errors
    /// If candle cannot allocate the momentum.
    pub fn trainer(&self) -> Result<Trainer<'_>> {
        Trainer::new(&self.config, &self.task, &self.model, self.method.as_ref())
    }

    /// Trains inside the run's folder under `root`, from the start or from the last checkpoint.
    ///
    /// A run that is finished already is left as it is; its summary is returned.
    ///
    /// # Errors
    /// As [`RunFolder::open`] and [`Trainer::run`].
    pub fn run_in(
        &self,
        root: &Path,
        resume: bool,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Summary> {
        let mut trainer = self.trainer()?;
        let (mut folder, checkpoint) = RunFolder::open(root, &self.config, resume)?;
        if let Some(checkpoint) = checkpoint {
            trainer.restore(&checkpoint)?;
        }
        let went_on = trainer.progress().step < self.config.steps;
        let mut all: Vec<&mut dyn Observer> = vec![&mut folder];
        for observer in observers {
            all.push(*observer);
        }
        let mut summary = trainer.run(&mut all)?;
        if !went_on {
            let records = read_metrics(folder.path())?;
            summary.seconds_per_step = records
                .iter()
                .rev()
                .find_map(seconds_per_step)
                .unwrap_or(0.0);
        }
        Ok(summary)
    }
}

/// What happens to a picture before the network sees it.
pub fn transform(config: &RunConfig) -> Transform {
    Transform {
        resize: Some(config.resize as u32),
        pad: config.pad as u32,
        crop: config.crop as u32,
        flip: config.flip,
    }
}

fn seconds_per_step(record: &Record) -> Option<f64> {
    match record {
        Record::Finish {
            seconds_per_step, ..
        }
        | Record::Train {
            seconds_per_step, ..
        } => Some(*seconds_per_step),
        _ => None,
    }
}

fn open_task(config: &RunConfig) -> Result<Task> {
    match &config.data {
        DataSource::Mini => todo!("mini_home::task"),
        DataSource::Folder(path) => {
            let options = folder::Options {
                skip_bad_images: config.skip_bad_images,
                background: None,
            };
            folder::task(path, &config.task, &options)
        }
    }
}

fn make_method(_config: &RunConfig) -> Result<Box<dyn Method>> {
    todo!("the methods")
}

fn make_model(_config: &RunConfig, _classes: usize, _method: &dyn Method) -> Result<Model> {
    todo!("Model::new")
}
