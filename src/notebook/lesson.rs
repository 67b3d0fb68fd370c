//! What the cells of a notebook are made of: a run that keeps its own state, and short ways to pictures and features.

use candle_core::Tensor;
use image::RgbImage;

use super::live::Live;
use crate::config::RunConfig;
use crate::config::transform;
use crate::data::batches::test_batches;
use crate::data::dataset::{Domain, Task};
use crate::draw::style::display_name;
use crate::error::Result;
use crate::explain::look::Look;
use crate::method::Method;
use crate::model::Model;
use crate::runs::session::Session;
use crate::train::checkpoint::Checkpoint;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::observer::{Observer, Recorder, StopAfter};
use crate::train::record::Record;
use crate::train::trainer::Summary;

/// One run that lives in a variable of the notebook: it goes on where it is, in whichever cell.
///
/// ```
/// use toalign::config::RunConfig;
/// use toalign::notebook::lesson::Training;
/// let mut training = Training::new(RunConfig { steps: 4, test_every: 4, batch_size: 4, ..RunConfig::mini() })?;
/// assert_eq!(training.steps(3)?.step, 3);
/// assert!(training.run()?.finished);
/// assert_eq!(training.accuracies("target").len(), 1);
/// # Ok::<(), toalign::Error>(())
/// ```
pub struct Training {
    session: Session,
    checkpoint: Option<Checkpoint>,
    records: Vec<Record>,
}

impl Training {
    /// Opens the data and makes the model; nothing is trained yet.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn new(config: RunConfig) -> Result<Self> {
        Ok(Self { session: Session::new(config.check()?)?, checkpoint: None, records: Vec::new() })
    }

    /// The same run with another method, such as one that was written in a cell; head and discriminator stay as configured.
    pub fn with_method(mut self, method: Box<dyn Method>) -> Self {
        self.session.method = method;
        self
    }

    /// Trains to the end, with a live figure. Stop in JupyterLab ends it softly; run again, it goes on.
    ///
    /// # Errors
    /// As [`Trainer::run`](crate::train::trainer::Trainer::run).
    pub fn run(&mut self) -> Result<Summary> {
        let Session { config, task, .. } = &self.session;
        let method = config.method_name();
        let (source, target) = (&task.source.name, &task.target.name);
        let [source, target] = [source, target].map(|domain| display_name(domain));
        let title = format!("{}, {source} → {target}", display_name(&method));
        let mut live = Live::new(&title, &method);
        live.recall(&self.records);
        let summary = self.go_on(&mut live)?;
        live.finish()?;
        Ok(summary)
    }

    /// Trains at most `count` more steps, and shows nothing.
    ///
    /// # Errors
    /// As [`Training::run`].
    pub fn steps(&mut self, count: usize) -> Result<Summary> {
        let done = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.header.progress.step);
        self.go_on(&mut StopAfter(done + count))
    }

    fn go_on(&mut self, observer: &mut dyn Observer) -> Result<Summary> {
        let mut trainer = self.session.trainer()?;
        match &self.checkpoint {
            Some(checkpoint) => trainer.restore(checkpoint)?,
            // Kept from the start: a run that fails is taken back to here, and not begun again with broken weights.
            None => self.checkpoint = Some(trainer.checkpoint()?),
        }
        let mut recorder = Recorder::default();
        let summary = trainer.run(&mut [&mut recorder, observer])?;
        self.records.append(&mut recorder.0);
        self.checkpoint = Some(trainer.checkpoint()?);
        Ok(summary)
    }

    /// The network as it is now.
    pub fn model(&self) -> &Model {
        &self.session.model
    }

    /// Its pictures.
    pub fn task(&self) -> &Task {
        &self.session.task
    }

    /// Its settings.
    pub fn config(&self) -> &RunConfig {
        &self.session.config
    }

    /// What it wrote down so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// A picture as the network sees it in a test, `[1, height, width, 3]`.
    pub fn image(&self, picture: &RgbImage) -> Result<Tensor> {
        transform(self.config()).test_image(picture, self.model().device())
    }

    /// What the network sees in a picture: class, probability, heat map.
    ///
    /// # Errors
    /// As [`Look::at`].
    pub fn look(&self, picture: &RgbImage) -> Result<Look> {
        Look::at(picture, self.model(), &transform(self.config()))
    }

    /// The labels of the first `count` pictures of a domain, `[count]`, in the order of [`Training::features`].
    pub fn labels(&self, domain: &Domain, count: usize) -> Result<Tensor> {
        let count = count.min(domain.pictures.len());
        let labels: Vec<u32> = (0..count).map(|index| domain.pictures.label(index)).collect();
        Ok(Tensor::new(labels, self.model().device())?)
    }

    /// Accuracy on every picture of a domain, now.
    ///
    /// # Errors
    /// If a picture cannot be decoded.
    pub fn test(&self, domain: &Domain) -> Result<Evaluation> {
        evaluate(self.model(), domain, &transform(self.config()), self.config().test_batch_size)
    }

    /// The features of the first `count` pictures of a domain, in evaluation mode, `[count, channels]`.
    ///
    /// # Errors
    /// If a picture cannot be decoded.
    pub fn features(&self, domain: &Domain, count: usize) -> Result<Tensor> {
        let mut features = Vec::new();
        let mut left = count;
        let (size, device) = (self.config().test_batch_size, self.model().device());
        for batch in test_batches(domain.clone(), transform(self.config()), size, device)? {
            if left == 0 {
                break;
            }
            let images = batch?.images;
            let images = images.narrow(0, 0, images.dim(0)?.min(left))?;
            left -= images.dim(0)?;
            features.push(self.model().backbone.feature(&images)?);
        }
        Ok(Tensor::cat(&features, 0)?)
    }

    /// Accuracy in percent over the steps of the tests, on the `source` or the `target`.
    pub fn accuracies(&self, domain: &str) -> Vec<(f64, f64)> {
        let side = usize::from(domain != "source");
        self.records
            .iter()
            .filter_map(Record::accuracies)
            .map(|(step, both)| (step as f64, both[side]))
            .collect()
    }

    /// A loss by its name, such as `alignment`, over the steps.
    pub fn losses(&self, name: &str) -> Vec<(f64, f64)> {
        self.records
            .iter()
            .filter_map(|record| record.loss(name))
            .map(|(step, loss)| (step as f64, loss))
            .collect()
    }
}

/// One picture of each of the first `classes` classes of a domain, the `which`-th of its class, with its index.
///
/// # Errors
/// If a picture cannot be decoded.
pub fn one_of_each_class(domain: &Domain, classes: usize, which: usize) -> Result<Vec<(usize, RgbImage)>> {
    let of_class = |class: u32| {
        let mut indices =
            (0..domain.pictures.len()).filter(move |&index| domain.pictures.label(index) == class);
        indices.nth(which)
    };
    let indices = (0..classes as u32).filter_map(of_class);
    indices.map(|index| Ok((index, domain.pictures.decode(index)?))).collect()
}
