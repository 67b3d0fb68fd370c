//! From a configuration to the parts of a run: its pictures, its method, its model with initial weights.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};

use crate::config::{Checked, DataSource, RunConfig, Weights};
use crate::data::check::DomainCheck;
use crate::data::dataset::{Domain, Task};
use crate::data::lists::Lists;
use crate::data::picture_files::Options;
use crate::data::thinned::thin;
use crate::data::{folder, icons, office_home};
use crate::error::{Result, complain};
use crate::method::Method;
use crate::method::alignment::Alignment;
use crate::mini_home;
use crate::model::resnet::BackboneKind;
use crate::model::{Model, ModelSpec, pretrained, weights};

/// The pictures of all domains.
///
/// # Errors
/// If the data or a domain is absent.
pub fn open_task(config: &Checked) -> Result<Task> {
    let options = Options {
        skip_bad_images: config.skip_bad_images,
        background: config.background.map(|colour| colour.0),
    };
    let task = match &config.data {
        DataSource::Mini => mini_home::task(&config.task, &mini_home::Options::default()),
        DataSource::TiedMini(percent) => {
            let rho = f64::from(*percent) / 100.0;
            mini_home::task(&config.task, &mini_home::Options { rho, ..Default::default() })
        }
        DataSource::Folder(path) => folder::task(path, &config.task, &options),
        DataSource::OfficeHome(path) => office_home::on_disk::task(path, &config.task, &options),
        DataSource::Icons(path) => icons::task(path, &config.task, &options),
        DataSource::Lists { lists, images } => listed(lists, images).task(&config.task, &options),
    }?;
    let some_of =
        |domain: &Domain, most: Option<usize>| most.map_or_else(|| domain.clone(), |most| thin(domain, most));
    let source_test = some_of(&task.source_test, config.source_test_pictures);
    let target_test = some_of(&task.target_test, config.target_test_pictures);
    Ok(Task { source_test, target_test, ..task })
}

/// The names of the domains of a data set.
///
/// # Errors
/// If the data are absent.
pub fn domain_names(data: &DataSource) -> Result<Vec<String>> {
    match data {
        DataSource::Mini | DataSource::TiedMini(_) => Ok(mini_home::domain_names()),
        DataSource::Folder(path) => folder::domains(path),
        DataSource::OfficeHome(_) => Ok(office_home::on_disk::domains()),
        DataSource::Icons(_) => Ok(icons::domains()),
        DataSource::Lists { lists, images } => listed(lists, images).domains(),
    }
}

/// What lies beside the domains of a data set and cannot be one, and why; a sentence each.
///
/// # Errors
/// If the data are absent.
pub fn left_out(data: &DataSource) -> Result<Vec<String>> {
    match data {
        DataSource::Mini | DataSource::TiedMini(_) | DataSource::OfficeHome(_) => Ok(vec![]),
        DataSource::Folder(path) | DataSource::Icons(path) => folder::left_out(path),
        DataSource::Lists { lists, images } => listed(lists, images).left_out(),
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
        DataSource::Mini | DataSource::TiedMini(_) => {
            Err(complain("pictures on disk to check", "mini, whose pictures are drawn")
                .advice("name a data set on disk: office-home:PATH, icons:DIR, folder:PATH or lists:DIR")
                .into())
        }
        DataSource::Folder(path) => folder::check_all(path),
        DataSource::OfficeHome(path) => office_home::on_disk::check(path),
        DataSource::Icons(path) => icons::check(path),
        DataSource::Lists { lists, images } => listed(lists, images).check(),
    }
}

/// The method with its settings.
pub fn make_method(config: &RunConfig) -> Box<dyn Method> {
    (config.method.make)(Alignment {
        shown: config.shown(),
        entropy_conditioning: config.conditions_on_entropy(),
        weight: config.alignment_factor(),
        statistics_updates: config.toalign_statistics_updates,
    })
}

/// The model that the method needs for so many classes and source domains, with random initial values, on the device of the
/// configuration.
///
/// # Errors
/// If there is no such device, or no room on it.
pub fn make_model(config: &Checked, classes: usize, sources: usize) -> Result<Model> {
    let spec = ModelSpec {
        backbone: config.backbone,
        classes,
        head: config.method.head,
        discriminator: config.method.discriminator,
        sources,
        hidden: config.discriminator_hidden,
        dropout: config.dropout,
        dtype: DType::F32,
    };
    let device = config.device.open()?;
    config.precision.check(&device)?;
    Ok(Model::new(&spec, config.seed)?.to_device(&device)?.with_precision(config.precision))
}

/// The file of the weights that a run starts from; none if they are random or built in.
///
/// # Errors
/// If it is not there; the message says where to get it.
pub fn initial_weights_file(config: &RunConfig) -> Result<Option<PathBuf>> {
    let place = "weights (--weights)";
    let backbone = config.backbone;
    let fetch = format!("toalign data fetch weights --backbone {backbone}");
    match (&config.weights, backbone) {
        (Weights::None, _) | (Weights::Pretrained, BackboneKind::Small) => Ok(None),
        (Weights::File(path), _) if path.is_file() => Ok(Some(path.clone())),
        (Weights::File(path), _) => {
            let written = path.to_string_lossy();
            // torchvision's names of weights, and addresses, are what others take here.
            let advice = if written.contains("://") {
                format!("download it, then --weights FILE; or {fetch} for torchvision's first weights of ImageNet")
            } else if written.to_ascii_uppercase().starts_with("IMAGENET1K") || written == "DEFAULT" {
                format!(
                    "{fetch}, then --weights pretrained, for IMAGENET1K_V1; in Python for others: \
                     torch.save(torchvision.models.{backbone}(weights=\"{written}\").state_dict(), \"{backbone}.pth\"), \
                     then --weights {backbone}.pth"
                )
            } else {
                "check the spelling of the path; 'pretrained' and 'none' are no files".to_owned()
            };
            let found = if path.is_dir() { "a folder" } else { "no such file" };
            Err(complain(format!("a file of weights named {written}"), found).at(place).advice(advice).into())
        }
        (Weights::Pretrained, other) => match pretrained::find(other) {
            Some(path) => Ok(Some(path)),
            None => Err(complain(
                format!("a file with pretrained weights of {other}"),
                "none in the cache of the hub, and only those of small built in",
            )
            .at(place)
            .advice(format!(
                "{fetch}, or --weights FILE with torchvision's {other} (.safetensors or .pth), or --weights none for \
                 random values; what works now, without any file: --preset mini, a small network on pictures of 40×40 with \
                 its weights built in, some 0.03 to 0.15 s a step on two cores"
            ))
            .into()),
        },
    }
}

/// Sets the backbone to the weights that the run starts from; returns what a user should know of them.
pub(crate) fn load_initial_weights(model: &Model, config: &RunConfig) -> Result<Vec<String>> {
    let backbone = model.backbone.parameters();
    if let Some(path) = initial_weights_file(config)? {
        return weights::load_backbone(&backbone, &path);
    }
    if config.weights == Weights::Pretrained {
        let tensors =
            candle_core::safetensors::load_buffer(include_bytes!("model/small.safetensors"), &Device::Cpu)?;
        weights::load(&backbone, &tensors.into_iter().collect(), Path::new("the built-in weights"))?;
    }
    Ok(vec![])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_every_method_the_same_start() {
        let values = |method| {
            let config = RunConfig { weights: Weights::None, ..RunConfig::mini() };
            let config = config.with_method_name(method).unwrap().check().unwrap();
            let parameters = make_model(&config, 12, 1).unwrap().parameters();
            let named = parameters.into_iter().filter(|parameter| {
                ["base_net.conv1.weight", "base_net.fc.bias"].contains(&parameter.name.as_str())
            });
            named
                .map(|parameter| parameter.value.flatten_all().unwrap().to_vec1::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(values("source-only"), values("hda"));
        assert_eq!(values("source-only").len(), 2);
    }
}
