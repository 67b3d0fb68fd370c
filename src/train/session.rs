//! From a configuration to the parts of a run: pictures, method, model.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};

use super::checkpoint::{Checkpoint, Header};
use super::observer::{Kept, Observer};
use super::record::Record;
use super::run::{RunFolder, checkpoint_name, read_metrics};
use super::trainer::{Summary, Trainer};
use crate::config::{Baseline, DataSource, RunConfig, Weights};
use crate::data::check::DomainCheck;
use crate::data::dataset::Task;
use crate::data::lists::Lists;
use crate::data::picture_files::Options;
use crate::data::thinned::thin;
use crate::data::transform::Transform;
use crate::data::{folder, office_home};
use crate::device::DeviceChoice;
use crate::error::{Result, complain};
use crate::method::Method;
use crate::method::alignment::Alignment;
use crate::method::dann::Dann;
use crate::method::dannp::Dannp;
use crate::method::hda::Hda;
use crate::method::source_only::{SourceOnly, TargetBatchNormOnly};
use crate::mini_home;
use crate::model::resnet::BackboneKind;
use crate::model::{Model, ModelSpec, pretrained, weights};

/// The parts of one run, ready to train.
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
    /// If a setting cannot be meant, the data or the weights cannot be read.
    pub fn new(config: RunConfig) -> Result<Self> {
        config.validate()?;
        let task = open_task(&config)?;
        let config = RunConfig { task: task.name.clone(), ..config };
        let sources = task.source.pictures.parts().len();
        let model = make_model_for(sources, &config, task.classes.len())?;
        load_initial_weights(&model, &config)?;
        Ok(Self { method: make_method(&config), config, task, model })
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
    pub fn run_in(&self, root: &Path, resume: bool, observers: &mut [&mut dyn Observer]) -> Result<Outcome> {
        let mut trainer = self.trainer()?;
        let (mut folder, checkpoint) = RunFolder::open(root, &self.config, resume)?;
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
            let seconds = records.iter().rev().find_map(seconds_per_step);
            summary.seconds_per_step = seconds.unwrap_or(0.0);
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
        header.config.validate()?;
        // One source or several: only the discriminator differs, and its last bias says how.
        let outputs = checkpoint.tensors.get("d_net.ad_layer3.bias").map_or(1, |bias| bias.elem_count());
        let model = make_model_for(outputs, &header.config, header.classes.len())?;
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

/// What happens to a picture before the network sees it.
pub fn transform(config: &RunConfig) -> Transform {
    Transform {
        resize: Some(config.resize as u32),
        pad: config.pad as u32,
        crop: config.crop as u32,
        flip: config.flip,
    }
}

/// The pictures of all domains.
///
/// # Errors
/// If the data or a domain is absent.
pub fn open_task(config: &RunConfig) -> Result<Task> {
    let options = Options {
        skip_bad_images: config.skip_bad_images,
        background: config.background.map(|colour| colour.0),
    };
    let task = match &config.data {
        DataSource::Mini => mini_home::task(&config.task, &mini_home::Options::default()),
        DataSource::Folder(path) => folder::task(path, &config.task, &options),
        DataSource::OfficeHome(path) => office_home::on_disk::task(path, &config.task, &options),
        DataSource::Lists { lists, images } => listed(lists, images).task(&config.task, &options),
    }?;
    let source_test = match config.source_test_pictures {
        Some(most) => thin(&task.source_test, most),
        None => task.source_test,
    };
    Ok(Task { source_test, ..task })
}

/// The names of the domains of a data set.
///
/// # Errors
/// If the data are absent.
pub fn domain_names(data: &DataSource) -> Result<Vec<String>> {
    match data {
        DataSource::Mini => Ok(mini_home::domain_names()),
        DataSource::Folder(path) => folder::domains(path),
        DataSource::OfficeHome(_) => Ok(office_home::on_disk::domains()),
        DataSource::Lists { lists, images } => listed(lists, images).domains(),
    }
}

fn listed<'a>(folder: &'a Path, images: &'a Option<PathBuf>) -> Lists<'a> {
    Lists { folder, images: images.as_deref() }
}

/// Counts and decodes every picture of a data set on disk, and names each file that is missing, extra or unreadable.
///
/// # Errors
/// If there is no such data set, or it has no pictures on disk.
pub fn check_data(data: &DataSource) -> Result<Vec<DomainCheck>> {
    match data {
        DataSource::Mini => Err(complain("pictures on disk to check", "mini, whose pictures are drawn")
            .advice("name a data set on disk: office-home:PATH, folder:PATH or lists:DIR")
            .into()),
        DataSource::Folder(path) => folder::check_all(path),
        DataSource::OfficeHome(path) => office_home::on_disk::check(path),
        DataSource::Lists { lists, images } => listed(lists, images).check(),
    }
}

/// The method with its settings.
pub fn make_method(config: &RunConfig) -> Box<dyn Method> {
    let alignment = Alignment {
        toalign: config.toalign,
        entropy_conditioning: config.conditions_on_entropy(),
        weight: config.alignment_factor(),
        statistics_updates: config.toalign_statistics_updates,
    };
    match config.method {
        Baseline::SourceOnly => Box::new(SourceOnly),
        Baseline::TargetBnOnly => Box::new(TargetBatchNormOnly),
        Baseline::Dann => Box::new(Dann { alignment }),
        Baseline::Dannp => Box::new(Dannp { alignment }),
        Baseline::Hda => Box::new(Hda { alignment }),
    }
}

/// The model that the method needs for one source, with random initial values, on the device of the configuration.
///
/// # Errors
/// If there is no such device, or no room on it.
pub fn make_model(config: &RunConfig, classes: usize) -> Result<Model> {
    make_model_for(1, config, classes)
}

/// As [`make_model`], for so many source domains.
///
/// # Errors
/// If there is no such device, or no room on it.
pub fn make_model_for(sources: usize, config: &RunConfig, classes: usize) -> Result<Model> {
    let method = make_method(config);
    let spec = ModelSpec {
        backbone: config.backbone,
        classes,
        head: method.head(),
        discriminator: method.discriminator_input(),
        hidden: config.discriminator_hidden,
        dropout: config.dropout,
        dtype: DType::F32,
    };
    Model::for_sources(sources, &spec, config.seed)?.to_device(&config.device.open()?)
}

/// Sets the backbone to the weights that the run starts from.
fn load_initial_weights(model: &Model, config: &RunConfig) -> Result<()> {
    let backbone = model.backbone.parameters();
    match (&config.weights, config.backbone) {
        (Weights::None, _) => Ok(()),
        (Weights::File(path), _) => weights::load_backbone(&backbone, path),
        (Weights::Pretrained, BackboneKind::Small) => {
            let bytes = include_bytes!("../model/small.safetensors");
            let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
            let place = Path::new("the built-in weights");
            weights::load(&backbone, &tensors.into_iter().collect(), place)
        }
        (Weights::Pretrained, other) => match pretrained::find(other) {
            Some(path) => weights::load_backbone(&backbone, &path),
            None => Err(complain(
                format!("a file with pretrained weights of {other}"),
                "none in the cache of the hub, and only those of small built in",
            )
            .at("weights (--weights)")
            .advice(format!(
                "toalign data fetch weights --backbone {other}, or --weights FILE with torchvision's {other} \
                 (.safetensors or .pth), or --weights none for random values"
            ))
            .into()),
        },
    }
}

fn seconds_per_step(record: &Record) -> Option<f64> {
    match record {
        Record::Finish { seconds_per_step, .. } | Record::Train { seconds_per_step, .. } => {
            Some(*seconds_per_step)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    #[test]
    fn the_configuration_and_the_method_agree_on_its_name() {
        for (method, toalign, name) in [
            (Baseline::SourceOnly, false, "source-only"),
            (Baseline::TargetBnOnly, false, "target-bn-only"),
            (Baseline::Dann, true, "dann+toalign"),
            (Baseline::Dannp, false, "dannp"),
            (Baseline::Hda, true, "hda+toalign"),
        ] {
            let config = RunConfig { method, toalign, ..RunConfig::mini() };
            assert_eq!(config.method_name(), name);
            assert_eq!(make_method(&config).name(), name);
        }
    }

    #[test]
    fn a_mini_picture_passes_a_test_unchanged() {
        let picture = RgbImage::from_fn(40, 40, |x, y| Rgb([x as u8 * 6, y as u8 * 6, 77]));
        assert_eq!(transform(&RunConfig::mini()).test_picture(&picture), picture);
    }

    #[test]
    fn the_same_seed_gives_every_method_the_same_start() {
        let values = |method| {
            let config = RunConfig { method, weights: Weights::None, ..RunConfig::mini() };
            let parameters = make_model(&config, 12).unwrap().parameters();
            let named = parameters.into_iter().filter(|parameter| {
                ["base_net.conv1.weight", "base_net.fc.bias"].contains(&parameter.name.as_str())
            });
            named
                .map(|parameter| parameter.value.flatten_all().unwrap().to_vec1::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(values(Baseline::SourceOnly), values(Baseline::Hda));
        assert_eq!(values(Baseline::SourceOnly).len(), 2);
    }
}
