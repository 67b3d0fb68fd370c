//! Weights from and to files, under PyTorch's names: safetensors, and the `.pth` and `.pt` files of PyTorch.

use std::io::Read;
use std::path::Path;

use candle_core::{DType, Device};
use safetensors::SafeTensors;

pub use super::backbone_file::load_backbone;
pub use super::pytorch_file::{NamedTensors, Notes};
use super::{pytorch_file, shards};
use crate::error::{Error, Result, complain, file_error};
use crate::nn::parameters::Parameter;

/// Reads a file of weights: `.safetensors`, or what `torch.save` wrote.
///
/// A file of the published code keeps its networks under `base_net` and `d_net` (beside `optimizer`, `ite` and
/// `best_acc`); they come back as `base_net.…` and `d_net.…`. A file of torchvision comes back as it is, `conv1.weight`
/// and so on. `state_dict`, `model` and their like around the tensors, and `module.` before their names, are taken off.
///
/// # Errors
/// If the file is absent, truncated, or holds no tensors.
pub fn read(path: &Path) -> Result<NamedTensors> {
    Ok(read_with_notes(path)?.0)
}

/// As [`read`], with the metadata of a safetensors file, or the numbers and texts at the top of a PyTorch file: of a
/// checkpoint of the published code `ite` (the iteration) and `best_acc` (the best accuracy so far, in percent).
///
/// # Errors
/// As [`read`].
pub fn read_with_notes(path: &Path) -> Result<(NamedTensors, Notes)> {
    let (mut tensors, mut notes) = (NamedTensors::new(), Notes::new());
    for file in shards::of(path)?.unwrap_or_else(|| vec![path.to_owned()]) {
        let (some, beside) = read_one(&file)?;
        tensors.extend(some);
        notes.extend(beside);
    }
    if tensors.is_empty() {
        let keys: Vec<&str> = notes.keys().map(String::as_str).collect();
        let found = match keys[..] {
            [] => "a file without a named tensor".to_owned(),
            _ => format!("a file without a named tensor, with {}", keys.join(", ")),
        };
        return Err(complain("a file of weights by PyTorch's names", found)
            .at(path.display())
            .advice("save a state_dict: torch.save(model.state_dict(), path)")
            .into());
    }
    Ok((tensors, notes))
}

fn read_one(path: &Path) -> Result<(NamedTensors, Notes)> {
    let (start, length) = beginning(path)?;
    let named_safetensors =
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    // Told apart by content: a safetensors file is the length of its header in 8 bytes, then JSON; a zip says PK.
    if start.starts_with(b"PK\x03\x04") {
        pytorch_file::read(path, length)
    } else if start.get(8) == Some(&b'{') || named_safetensors {
        read_safetensors(path)
    } else if start.starts_with(&OLD_PYTORCH) {
        Err(complain("a PyTorch file of version 1.6 (2020) or later", "one of the older format")
            .at(path.display())
            .advice("write it anew in Python: torch.save(torch.load(path, weights_only=True), path)")
            .into())
    } else {
        Err(complain(
            "a .safetensors file or what torch.save writes (.pth, .pt)",
            format!("{length} bytes that are neither"),
        )
        .at(path.display())
        .advice("check that this is the file of weights, and that it was fetched or copied completely")
        .into())
    }
}

/// How `torch.save` began its files before PyTorch 1.6: a pickle of its magic number 0x1950a86a20f9469cfc6c.
const OLD_PYTORCH: [u8; 6] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc];

/// The first bytes of a file, and its length.
fn beginning(path: &Path) -> Result<(Vec<u8>, u64)> {
    let unreadable = |error| file_error("read", path, error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut start = Vec::new();
    file.take(16).read_to_end(&mut start).map_err(unreadable)?;
    Ok((start, length))
}

fn read_safetensors(path: &Path) -> Result<(NamedTensors, Notes)> {
    let bytes = std::fs::read(path).map_err(|error| file_error("read", path, error))?;
    from_safetensors(&bytes).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        complain("a complete safetensors file", format!("{} bytes that are not one ({reason})", bytes.len()))
            .at(path.display())
            .advice("fetch or copy the file again; it may have been cut off or damaged")
            .into()
    })
}

fn from_safetensors(bytes: &[u8]) -> candle_core::Result<(NamedTensors, Notes)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let notes = header.metadata().clone().unwrap_or_default();
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
    Ok((tensors.into_iter().collect(), notes.into_iter().collect()))
}

/// Sets every parameter from the tensor of its name.
///
/// # Errors
/// If one is absent or of another shape; nothing is set then.
pub fn load(parameters: &[Parameter], tensors: &NamedTensors, path: &Path) -> Result<()> {
    for parameter in parameters {
        check(parameter, tensors, path)?;
    }
    for parameter in parameters {
        if let Some(tensor) = tensors.get(&parameter.name) {
            parameter.set_from_file(tensor)?;
        }
    }
    Ok(())
}

fn check(parameter: &Parameter, tensors: &NamedTensors, path: &Path) -> Result<()> {
    let expected = format!("'{}' of shape {:?}", parameter.name, parameter.file_shape());
    let found = match tensors.get(&parameter.name) {
        None => {
            let example = tensors.keys().next().map_or("", String::as_str);
            let count = tensors.len();
            format!("no tensor of that name among its {count}, such as '{example}'")
        }
        Some(tensor) if tensor.dims() != parameter.file_shape() => {
            format!("shape {:?}", tensor.dims())
        }
        Some(_) => return Ok(()),
    };
    Err(complain(expected, found)
        .at(path.display())
        .advice("the file is of another backbone, another head or another number of classes: choose those, or another file")
        .into())
}

/// The values of `parameters` by name, as PyTorch would store them.
pub fn named(parameters: &[Parameter]) -> Result<NamedTensors> {
    parameters.iter().map(|parameter| Ok((parameter.name.clone(), parameter.to_file()?.detach()))).collect()
}

/// Writes tensors and notes as safetensors into memory; the caller writes the file in one go.
///
/// # Errors
/// If a tensor is not on the CPU.
pub fn to_bytes(tensors: &NamedTensors, notes: Notes) -> Result<Vec<u8>> {
    let notes = (!notes.is_empty()).then(|| notes.into_iter().collect());
    safetensors::serialize(tensors, notes).map_err(|error| Error::Tensor(candle_core::Error::wrap(error)))
}

/// Half the bytes: f32 tensors as f16, for weights that are committed.
pub fn in_half_precision(tensors: &NamedTensors) -> Result<NamedTensors> {
    tensors.iter().map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(DType::F16)?))).collect()
}
