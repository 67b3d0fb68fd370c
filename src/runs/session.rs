//! One run: its parts ready to train, trained inside its folder, and opened again.

use std::path::{Path, PathBuf};

use super::folder::{RunFolder, checkpoint_name, read_metrics};
use crate::config::Checked;
use crate::data::dataset::Task;
use crate::data::fingerprint::Fingerprint;
use crate::device::{DeviceChoice, Precision};
use crate::error::{Result, complain};
use crate::method::Method;
use crate::model::Model;
use crate::setup::{load_initial_weights, make_method, make_model, open_task};
use crate::train::checkpoint::{Checkpoint, Header};
use crate::train::observer::{Kept, Observer};
use crate::train::record::Record;
use crate::train::trainer::{Summary, Trainer};

/// The parts of one run, ready to train.
pub struct Session {
    /// Its settings; the task's name is the data set's short one.
    pub config: Checked,
    /// Its pictures.
    pub task: Task,
    /// What is trained.
    pub model: Model,
    /// How it is trained.
    pub method: Box<dyn Method>,
    /// Whether to go on although the pictures were changed since the checkpoint was taken.
    pub accept_changed_data: bool,
}

/// How a run in its folder ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The run's folder.
    pub folder: PathBuf,
    /// Whether all steps had been done before, so that nothing was left to do.
    pub was_finished: bool,
    /// Where the run is now.
    pub summary: Summary,
}

impl Session {
    /// Opens the data and makes the model with its initial weights.
    ///
    /// # Errors
    /// If the data or the weights cannot be read.
    pub fn new(config: Checked) -> Result<Self> {
        Self::without_weights(config)?.with_initial_weights()
    }

    /// As [`Session::new`], but where the run under `root` has a checkpoint to go on from its initial weights are not needed.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn to_resume(config: Checked, root: &Path) -> Result<Self> {
        let session = Self::without_weights(config)?;
        match RunFolder::to_resume(root, &session.config, || Fingerprint::of(&session.task))? {
            Some(_) => Ok(session),
            None => session.with_initial_weights(),
        }
    }

    fn with_initial_weights(mut self) -> Result<Self> {
        self.task.remarks.extend(load_initial_weights(&self.model, &self.config)?);
        Ok(self)
    }

    fn without_weights(config: Checked) -> Result<Self> {
        let task = open_task(&config)?;
        let config = config.on_task(&task.name);
        let sources = task.source.pictures.parts().len();
        let model = make_model(&config, task.classes.len(), sources)?;
        Ok(Self { method: make_method(&config), config, task, model, accept_changed_data: false })
    }

    /// The loop at its start.
    pub fn trainer(&self) -> Result<Trainer<'_>> {
        Trainer::new(&self.config, &self.task, &self.model, self.method.as_ref())
    }

    /// Trains inside the run's folder under `root`, from the start or from the last checkpoint.
    ///
    /// A run that is finished already is left as it is; its summary is returned.
    ///
    /// # Errors
    /// As [`RunFolder::open`] and [`Trainer::run`].
    pub fn run_in(&self, root: &Path, resume: bool, observers: &mut [&mut dyn Observer]) -> Result<Outcome> {
        let mut trainer = self.trainer()?;
        let (mut folder, checkpoint) =
            RunFolder::open(root, &self.config, trainer.pictures(), resume, self.accept_changed_data)?;
        if let Some(checkpoint) = checkpoint {
            trainer.restore(&checkpoint)?;
        }
        let was_finished = trainer.progress().step >= self.config.steps;
        let path = folder.path().to_owned();
        let mut all: Vec<&mut dyn Observer> = vec![&mut folder];
        for observer in observers {
            all.push(*observer);
        }
        let mut summary = trainer.run(&mut all)?;
        if was_finished {
            let records = read_metrics(&path)?;
            let finish = records.iter().rev().find_map(Record::finish);
            summary.seconds_per_step = finish.map_or(0.0, |finish| finish.seconds_per_step);
        }
        Ok(Outcome { folder: path, was_finished, summary })
    }
}

/// The model of a trained run, without its data.
pub struct Trained {
    /// What its checkpoint says about itself: settings, classes, progress.
    pub header: Header,
    /// With the checkpoint's weights and running statistics.
    pub model: Model,
    checkpoint: Checkpoint,
}

impl Trained {
    /// The model of the run in `folder`, as its last or best checkpoint has it, on `device` (wherever it was trained).
    ///
    /// # Errors
    /// If there is no such checkpoint, it is truncated or of another format, or there is no such device.
    pub fn open(folder: &Path, kept: Kept, device: DeviceChoice) -> Result<Self> {
        let path = folder.join(checkpoint_name(kept));
        if !path.exists() {
            return Err(complain("the folder of a run with a checkpoint", "none")
                .at(path.display())
                .advice(
                    "name the folder that `toalign train` printed; it is DIR/<data>/<task>/<method>/<seed>",
                )
                .into());
        }
        let checkpoint = Checkpoint::load(&path)?;
        let mut header = checkpoint.header.clone();
        header.config.device = device;
        // What was trained in bf16 on a GPU can be tested on the CPU all the same.
        if header.config.precision.check(&device.open()?).is_err() {
            header.config.precision = Precision::F32;
        }
        let config = header.config.clone().check()?;
        // One source or several: only the discriminator differs, and its last bias says how.
        let sources = checkpoint.tensors.get("d_net.ad_layer3.bias").map_or(1, |bias| bias.elem_count());
        let model = make_model(&config, header.classes.len(), sources)?;
        checkpoint.load_into(&model.parameters())?;
        Ok(Self { header, model, checkpoint })
    }

    /// Checks that a task has the classes that the model was trained for.
    ///
    /// # Errors
    /// If they differ in number or name.
    pub fn require_classes(&self, classes: &[String]) -> Result<()> {
        self.checkpoint.require(&self.header.config, classes)
    }
}
