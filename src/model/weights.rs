//! Weights from and to files, under PyTorch's names: safetensors, and the `.pth` and `.pt` files of PyTorch.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::pickle::PthTensors;
use candle_core::{DType, Tensor};

use crate::error::{Error, Result, complain, file_error};
use crate::nn::parameters::Parameter;

/// Tensors by PyTorch's name, in PyTorch's layout.
pub type NamedTensors = BTreeMap<String, Tensor>;

/// Reads a file of weights: `.safetensors`, or what `torch.save` wrote.
///
/// A file of the published code keeps its networks under `base_net` and `d_net` (beside `optimizer`, `ite` and
/// `best_acc`); they come back as `base_net.…` and `d_net.…`. A file of torchvision comes back as it is, `conv1.weight`
/// and so on. `state_dict` or `model` around the tensors, and `module.` before their names, are taken off.
///
/// # Errors
/// If the file is absent, truncated, or holds no tensors.
pub fn read(path: &Path) -> Result<NamedTensors> {
    let file = std::fs::File::open(path).map_err(|error| file_error("read", path, error))?;
    let length = file
        .metadata()
        .map_err(|error| file_error("read", path, error))?
        .len();
    let is_safetensors = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    let broken = |kind: &str, error: String| -> Error {
        complain(
            format!("a complete {kind} file"),
            format!("{length} bytes that are not one ({error})"),
        )
        .at(path.display())
        .advice("fetch or copy the file again; it may have been cut off")
        .into()
    };
    let tensors = if is_safetensors {
        let bytes = std::fs::read(path).map_err(|error| file_error("read", path, error))?;
        candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu)
            .map_err(|error| broken("safetensors", first_line(&error)))?
            .into_iter()
            .collect()
    } else {
        read_pickle(path).map_err(|error| broken("PyTorch", first_line(&error)))?
    };
    if tensors.is_empty() {
        return Err(complain(
            "a file of weights by PyTorch's names",
            "a file without a tensor",
        )
        .at(path.display())
        .advice("save a state_dict: torch.save(model.state_dict(), path)")
        .into());
    }
    Ok(tensors)
}

fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn read_pickle(path: &Path) -> candle_core::Result<NamedTensors> {
    let mut found = NamedTensors::new();
    let mut take = |prefix: &str, key: Option<&str>| -> candle_core::Result<()> {
        let file = PthTensors::new(path, key)?;
        for name in file.tensor_infos().keys() {
            if let Some(tensor) = file.get(name)? {
                let name = name.strip_prefix("module.").unwrap_or(name);
                found.insert(format!("{prefix}{name}"), tensor);
            }
        }
        Ok(())
    };
    take("", None)?;
    for (key, prefix) in [
        ("base_net", "base_net."),
        ("d_net", "d_net."),
        ("state_dict", ""),
        ("model", ""),
    ] {
        // A key that is absent is no error: which of them a file has tells what kind of file it is.
        match take(prefix, Some(key)) {
            Err(error) if !error.to_string().contains("not found") => return Err(error),
            _ => {}
        }
    }
    Ok(found)
}

/// Sets every parameter from the tensor of its name.
///
/// # Errors
/// If one is absent or of another shape; nothing is set then.
pub fn load(parameters: &[Parameter], tensors: &NamedTensors, path: &Path) -> Result<()> {
    for parameter in parameters {
        check(parameter, tensors.get(&parameter.name), path)?;
    }
    for parameter in parameters {
        if let Some(tensor) = tensors.get(&parameter.name) {
            parameter.set_from_file(tensor)?;
        }
    }
    Ok(())
}

/// Sets the backbone from a file of torchvision, of the published code, or of ours; other tensors are left alone.
///
/// # Errors
/// If the file is not of this backbone.
pub fn load_backbone(parameters: &[Parameter], path: &Path) -> Result<()> {
    let tensors = read(path)?
        .into_iter()
        .map(|(name, tensor)| {
            (
                name.strip_prefix("base_net.").unwrap_or(&name).to_owned(),
                tensor,
            )
        })
        .collect();
    load(parameters, &tensors, path)
}

fn check(parameter: &Parameter, stored: Option<&Tensor>, path: &Path) -> Result<()> {
    let expected = format!("'{}' of shape {:?}", parameter.name, parameter.file_shape());
    let found = match stored {
        None => "no tensor of that name".to_owned(),
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
///
/// # Errors
/// If candle cannot permute them.
pub fn named(parameters: &[Parameter]) -> Result<NamedTensors> {
    parameters
        .iter()
        .map(|parameter| Ok((parameter.name.clone(), parameter.to_file()?.detach())))
        .collect()
}

/// Writes tensors and notes as safetensors into memory; the caller writes the file in one go.
///
/// # Errors
/// If a tensor is not on the CPU.
pub fn to_bytes(tensors: &NamedTensors, notes: BTreeMap<String, String>) -> Result<Vec<u8>> {
    let notes = (!notes.is_empty()).then(|| notes.into_iter().collect());
    safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), notes)
        .map_err(|error| Error::Tensor(candle_core::Error::wrap(error)))
}

/// Half the bytes: f32 tensors as f16, for weights that are committed.
///
/// # Errors
/// If candle cannot convert them.
pub fn in_half_precision(tensors: &NamedTensors) -> Result<NamedTensors> {
    tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(DType::F16)?)))
        .collect()
}
