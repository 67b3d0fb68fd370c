//! Checkpoints: one safetensors file with everything that a resumed run needs.
//!
//! `base_net.*` and `d_net.*` hold weights and running statistics, `momentum.*` the optimiser's state of the tensor of
//! that name; all under PyTorch's names and in PyTorch's layout. The rest is TOML in the file's metadata, under
//! `toalign` ([`Header`]). Generator states and the data cursor are functions of (seed, step): see [`Progress`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::progress::Progress;
use crate::config::RunConfig;
use crate::error::{Complaint, Result, complain, file_error};
use crate::files::write_atomically;
use crate::model::weights;
use crate::nn::parameters::Parameter;

/// The version of the layout of a checkpoint; a file of another version is refused.
pub const FORMAT: u32 = 1;

/// Bytes; what the safetensors format allows.
const LONGEST_HEADER: u64 = 100_000_000;
const METADATA_KEY: &str = "toalign";
const MOMENTUM: &str = "momentum.";

/// What a checkpoint says about itself beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The task's short name, such as `Cl-Rw`.
    pub task: String,
    /// Class names by label.
    pub classes: Vec<String>,
    /// Which pictures it was trained on: [`Fingerprint::digest`](crate::data::fingerprint::Fingerprint::digest); checkpoints
    /// from before it was noted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<String>,
    /// Step, accuracies and open sums.
    pub progress: Progress,
    /// All settings of the run; backbone, method and seed among them.
    pub config: RunConfig,
}

impl Header {
    /// The header of a checkpoint that is taken now.
    pub fn new(config: &RunConfig, task: &str, classes: &[String], progress: &Progress) -> Self {
        Self {
            format: FORMAT,
            task: task.to_owned(),
            classes: classes.to_vec(),
            pictures: None,
            progress: progress.clone(),
            config: config.clone(),
        }
    }
}

/// A checkpoint in memory; its tensors share nothing with the model.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// What it says about itself.
    pub header: Header,
    /// Every tensor by its name in the file.
    pub tensors: BTreeMap<String, Tensor>,
    place: PathBuf,
}

impl Checkpoint {
    /// Copies `parameters` (to the CPU) and `momentum` (by the parameter's name, in PyTorch's layout).
    pub fn of(header: Header, parameters: &[Parameter], momentum: &[(String, Tensor)]) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for parameter in parameters {
            tensors.insert(parameter.name.clone(), parameter.to_file()?.copy()?);
        }
        for (name, value) in momentum {
            tensors.insert(format!("{MOMENTUM}{name}"), value.copy()?);
        }
        Ok(Self { header, tensors, place: "checkpoint".into() })
    }

    /// Writes it to `path`, atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = toml::to_string(&self.header)
            .map_err(|error| complain("a header that fits TOML", error.to_string()))?;
        let notes = BTreeMap::from([(METADATA_KEY.to_owned(), header)]);
        write_atomically(path, &weights::to_bytes(&self.tensors, notes)?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If the file cannot be read, is truncated, is no checkpoint of ours, or has another format.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| file_error("read", path, error))?;
        let damaged = |error: safetensors::SafeTensorError| damaged(path, bytes.len() as u64, &error);
        let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let header = read_header(header.map(String::as_str), path)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            tensors.insert(name.to_owned(), view.load(&Device::Cpu)?);
        }
        Ok(Self { header, tensors, place: path.to_owned() })
    }

    /// What the checkpoint in a file says about itself, without reading its tensors.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn header(path: &Path) -> Result<Header> {
        let unreadable = |error| file_error("read", path, error);
        let mut file = File::open(path).map_err(unreadable)?;
        let whole = file.metadata().map_err(unreadable)?.len();
        let (mut length, mut json) = (Vec::new(), Vec::new());
        file.by_ref().take(8).read_to_end(&mut length).map_err(unreadable)?;
        let length = match length.try_into() {
            Ok(bytes) => u64::from_le_bytes(bytes),
            Err(_) => return Err(damaged(path, whole, &"no room for a header").into()),
        };
        // What a damaged length claims is not allocated: only what is there is read.
        file.take(length.min(LONGEST_HEADER)).read_to_end(&mut json).map_err(unreadable)?;
        let entries: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&json).map_err(|error| damaged(path, whole, &error))?;
        // Where the last tensor ends, the file has to end.
        let end = entries.values().filter_map(|entry| entry["data_offsets"][1].as_u64()).max().unwrap_or(0);
        if length.checked_add(8).and_then(|start| start.checked_add(end)) != Some(whole) {
            return Err(damaged(path, whole, &format!("its tensors need {end} behind the header")).into());
        }
        let text = entries.get("__metadata__").and_then(|notes| notes[METADATA_KEY].as_str());
        read_header(text, path)
    }

    /// Checks that it was taken of the same kind of network.
    ///
    /// # Errors
    /// If the backbone or the classes differ; the message names both sides.
    pub fn require(&self, config: &RunConfig, classes: &[String]) -> Result<()> {
        let theirs = &self.header;
        let (backbone, data) = (theirs.config.backbone, &theirs.config.data);
        let differing = theirs.classes.iter().zip(classes).position(|(a, b)| a != b);
        let (expected, found, advice) = if backbone != config.backbone {
            let expected = format!("a checkpoint of the backbone {}", config.backbone);
            let advice =
                format!("take a checkpoint of {}, or run with --backbone {backbone}", config.backbone);
            (expected, backbone.to_string(), advice)
        } else if theirs.classes.len() != classes.len() {
            let expected = format!("a checkpoint of {} classes", classes.len());
            let advice = format!("take the data that it was trained on: {data}, task {}", theirs.task);
            (expected, format!("{} classes", theirs.classes.len()), advice)
        } else if let Some(label) = differing {
            let expected = format!("the class '{}' under label {label}", classes[label]);
            let advice = "take a checkpoint that was trained on the same classes in the same order";
            (expected, format!("'{}'", theirs.classes[label]), advice.to_owned())
        } else {
            return Ok(());
        };
        Err(complain(expected, found).at(self.place.display()).advice(advice).into())
    }

    /// Sets every one of `parameters` to its value in the checkpoint.
    ///
    /// # Errors
    /// If one is absent or has another shape.
    pub fn load_into(&self, parameters: &[Parameter]) -> Result<()> {
        weights::load(parameters, &self.tensors, &self.place)
    }

    /// The optimiser's state by the name of the tensor that it belongs to.
    pub fn momentum(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().filter_map(|(name, value)| Some((name.strip_prefix(MOMENTUM)?, value)))
    }
}

fn damaged(path: &Path, bytes: u64, error: &dyn std::fmt::Display) -> Complaint {
    complain("a complete checkpoint", format!("{bytes} bytes of a truncated or damaged file ({error})"))
        .at(path.display())
        .advice("take the other one of last.safetensors and best.safetensors, or start the run anew")
}

fn read_header(text: Option<&str>, path: &Path) -> Result<Header> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let Some(text) = text else {
        return Err(complain("a checkpoint that toalign wrote", "a safetensors file of another origin")
            .at(path.display())
            .advice("weights of a backbone are given with --weights")
            .into());
    };
    let unreadable =
        |error: toml::de::Error| complain("a readable header", error.message().trim()).at(path.display());
    let Version { format } = toml::from_str(text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(complain(format!("a checkpoint of format {FORMAT}"), format!("format {format}"))
            .at(path.display())
            .advice("read it with the version of toalign that wrote it, or start the run anew")
            .into());
    }
    Ok(toml::from_str(text).map_err(unreadable)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::config::BackboneKind;
    use crate::nn::parameters::{FileLayout, Group, Role};
    use crate::train::progress::Best;

    fn kernel() -> Parameter {
        let values = Tensor::arange(0f32, 24f32, &Device::Cpu).unwrap().reshape((2, 2, 2, 3)).unwrap();
        Parameter {
            name: "base_net.conv1.weight".into(),
            value: Var::from_tensor(&values).unwrap(),
            role: Role::Trained(Group::Backbone),
            layout: FileLayout::Kernel,
        }
    }

    fn classes(count: usize) -> Vec<String> {
        (0..count).map(|label| format!("class {label}")).collect()
    }

    fn checkpoint(parameter: &Parameter) -> Checkpoint {
        let best = Some(Best { accuracy: 200.0 / 3.0, step: 5, entropy: None });
        let progress = Progress { step: 7, last_accuracy: Some(100.0 / 3.0), best, ..Progress::default() };
        let header = Header::new(&RunConfig::mini(), "Cl-Rw", &classes(3), &progress);
        let momentum = (parameter.name.clone(), parameter.to_file().unwrap());
        Checkpoint::of(header, std::slice::from_ref(parameter), &[momentum]).unwrap()
    }

    fn saved() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        checkpoint(&kernel()).save(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_saved_is_loaded_exactly_and_is_the_same_bytes_each_time() {
        let ((_folder, path), (_other, again)) = (saved(), saved());
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(again).unwrap());
        let parameter = kernel();
        let (loaded, taken) = (Checkpoint::load(&path).unwrap(), checkpoint(&parameter));
        assert_eq!(loaded.header, taken.header);
        let stored = &loaded.tensors["base_net.conv1.weight"];
        assert_eq!(stored.dims(), [2, 3, 2, 2]);
        // Element [out 1, in 2, row 0, column 1] lies at [1, 0, 1, 2] in memory: 12 + 0 + 3 + 2.
        let row = stored.get(1).unwrap().get(2).unwrap().get(0).unwrap();
        assert_eq!(row.to_vec1::<f32>().unwrap(), [14.0, 17.0]);
        assert_eq!(loaded.momentum().next().unwrap().0, "base_net.conv1.weight");

        // A checkpoint is a copy: what becomes of the parameter does not matter to it.
        parameter.value.set(&parameter.value.zeros_like().unwrap()).unwrap();
        for checkpoint in [taken, loaded] {
            let sum = checkpoint.tensors[&parameter.name].sum_all().unwrap();
            assert_eq!(sum.to_scalar::<f32>().unwrap(), 276.0);
            checkpoint.load_into(std::slice::from_ref(&parameter)).unwrap();
            let values = parameter.value.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values, (0..24).map(|n| n as f32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_truncated_file_is_named_at_every_tenth_length() {
        let (_folder, path) = saved();
        let bytes = std::fs::read(&path).unwrap();
        for length in (0..bytes.len()).step_by(10).chain([bytes.len() - 1]) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let expected = format!(
                "{}: expected a complete checkpoint, found {length} bytes of a truncated or damaged file",
                path.display()
            );
            for message in [Checkpoint::load(&path).map(|_| ()), Checkpoint::header(&path).map(|_| ())] {
                let message = message.unwrap_err().to_string();
                assert!(message.starts_with(&expected), "{message}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named_on_both_sides() {
        let (mini, other) =
            (RunConfig::mini(), RunConfig { backbone: BackboneKind::ResNet50, ..RunConfig::mini() });
        let mut names = classes(3);
        names[1] = "Mug".into();
        let (checkpoint, path) = (checkpoint(&kernel()), Path::new("last.safetensors"));
        checkpoint.require(&mini, &classes(3)).unwrap();
        for (result, expected) in [
            (checkpoint.require(&other, &classes(3)), "a checkpoint of the backbone resnet50, found small"),
            (checkpoint.require(&mini, &classes(65)), "a checkpoint of 65 classes, found 3 classes"),
            (checkpoint.require(&mini, &names), "the class 'Mug' under label 1, found 'class 1'"),
            // Before anything else is read.
            (
                read_header(Some("format = 2\nnew = 1"), path).map(|_| ()),
                "a checkpoint of format 1, found format 2",
            ),
            (
                read_header(None, path).map(|_| ()),
                "a checkpoint that toalign wrote, found a safetensors file of another origin",
            ),
        ] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(&format!("expected {expected}")), "{message}");
        }
    }
}
