//! The files that `torch.save` writes: a zip archive with one pickle, `data.pkl`, that describes the tensors, and one
//! entry per storage, `data/0`, `data/1` and so on, with their bytes.
//!
//! Whatever the pickle claims is checked against the archive before anything is allocated, so that a damaged file ends
//! in a message.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

use super::unpickle::{Object, Outcome, Pickle, Place};
use crate::error::{Result, complain, file_error};

/// Tensors by PyTorch's name, in PyTorch's layout.
pub type NamedTensors = BTreeMap<String, Tensor>;

/// Short texts beside the tensors: the metadata of a safetensors file, the numbers of a PyTorch file.
pub type Notes = BTreeMap<String, String>;

/// Dictionaries around a network's tensors that say nothing of it. Others stand before the names, as `base_net` and
/// `d_net` of the published code do.
const WRAPPERS: [&str; 4] = ["state", "state_dict", "models", "model"];

/// Dictionaries, also inside each other; checkpoints have a few.
const MOST_DICTIONARIES: usize = 1000;

/// More than any network has.
const MOST_TENSORS: usize = 100_000;

/// The tensors by name, and the numbers and words beside them.
pub(super) fn read(path: &Path, length: u64) -> Result<(NamedTensors, Notes)> {
    let file = File::open(path).map_err(|error| file_error("read", path, error))?;
    tensors_and_notes(file, length).map_err(|reason| {
        complain("a complete PyTorch file", format!("{length} bytes that are not one ({reason})"))
            .at(path.display())
            .advice("fetch or copy the file again; it may have been cut off or damaged")
            .into()
    })
}

fn tensors_and_notes(file: File, length: u64) -> Outcome<(NamedTensors, Notes)> {
    let mut archive = Archive::open(file, length)?;
    let pickle = Pickle::read(&archive.entry("data.pkl")?)?;
    let (mut tensors, mut notes) = (NamedTensors::new(), Notes::new());
    // Anything but a dictionary, such as a whole pickled network, holds no tensor by name.
    archive.take_tensors(&pickle, pickle.top, "", &mut HashSet::new(), &mut tensors)?;
    if let Object::Dictionary(entries) = pickle.at(pickle.top) {
        for &(key, value) in entries {
            if let (Some(key), Some(note)) = (pickle.text(key), as_text(pickle.at(value))) {
                notes.insert(key.to_owned(), note);
            }
        }
    }
    Ok((tensors, notes))
}

fn as_text(value: &Object) -> Option<String> {
    match value {
        Object::Whole(number) => Some(number.to_string()),
        Object::Float(number) => Some(number.to_string()),
        Object::Truth(truth) => Some(truth.to_string()),
        Object::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn first_line(error: &candle_core::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// The archive, and the folder inside it that `torch.save` puts everything in.
struct Archive {
    zip: ZipArchive<BufReader<File>>,
    folder: String,
    /// Bytes of the whole file; PyTorch does not compress, so that no entry is longer.
    length: u64,
}

impl Archive {
    fn open(file: File, length: u64) -> Outcome<Self> {
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
        let folder = zip
            .file_names()
            .filter_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()))
            .min_by_key(String::len)
            .ok_or("a zip archive without data.pkl")?;
        Ok(Self { zip, folder, length })
    }

    fn entry(&mut self, name: &str) -> Outcome<Vec<u8>> {
        let damaged = |error: String| format!("its entry {name}: {error}");
        let entry = self
            .zip
            .by_name(&format!("{}{name}", self.folder))
            .map_err(|error| damaged(error.to_string()))?;
        let mut bytes = Vec::new();
        // Reading to the end makes the archive check its sum.
        entry.take(self.length).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(bytes)
    }

    /// Takes the tensors of a dictionary, and of dictionaries inside it, whose keys then stand before the names.
    fn take_tensors(
        &mut self,
        pickle: &Pickle,
        place: Place,
        prefix: &str,
        seen: &mut HashSet<Place>,
        found: &mut NamedTensors,
    ) -> Outcome<()> {
        let Object::Dictionary(entries) = pickle.at(place) else {
            return Ok(());
        };
        // The same dictionary twice is one network; inside itself it would have no end.
        if !seen.insert(place) || seen.len() > MOST_DICTIONARIES {
            return Ok(());
        }
        for &(key, value) in entries {
            let Some(key) = pickle.text(key) else { continue };
            if let Some(view) = View::of(pickle, value) {
                // `DataParallel` puts this before every name.
                let name = format!("{prefix}{}", key.strip_prefix("module.").unwrap_or(key));
                if found.len() == MOST_TENSORS {
                    return Err(format!("more than {MOST_TENSORS} tensors"));
                }
                let bytes = self.entry(&format!("data/{}", view.storage))?;
                let tensor = view.tensor(&bytes).map_err(|reason| format!("tensor '{name}' {reason}"))?;
                found.insert(name, tensor);
            } else {
                let inside =
                    if WRAPPERS.contains(&key) { prefix.to_owned() } else { format!("{prefix}{key}.") };
                self.take_tensors(pickle, value, &inside, seen, found)?;
            }
        }
        Ok(())
    }
}

/// A tensor as the pickle describes it: a view of a storage.
struct View<'a> {
    storage: &'a str,
    dtype: DType,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl<'a> View<'a> {
    /// Reads `torch._utils._rebuild_tensor_v2((…, type, storage, …), offset, shape, strides, …)`, also inside
    /// `_rebuild_parameter(…)`. Nothing for any other object, and for types that no network here has.
    fn of(pickle: &'a Pickle, place: Place) -> Option<Self> {
        let (class, arguments) = made(pickle, place)?;
        let (class, arguments) = match (class, arguments) {
            ("_rebuild_parameter", [tensor, ..]) => made(pickle, *tensor)?,
            other => other,
        };
        let ("_rebuild_tensor_v2", &[storage, offset, shape, strides, ..]) = (class, arguments) else {
            return None;
        };
        let Object::Elsewhere(storage) = pickle.at(storage) else {
            return None;
        };
        let [_, class, storage, ..] = *row(pickle, *storage)? else {
            return None;
        };
        let Object::Class(class) = pickle.at(class) else {
            return None;
        };
        let numbers = |place: Place| -> Option<Vec<usize>> {
            row(pickle, place)?.iter().map(|place| number(pickle, *place)).collect()
        };
        Some(Self {
            storage: pickle.text(storage)?,
            dtype: element_type(class)?,
            offset: number(pickle, offset)?,
            shape: numbers(shape)?,
            strides: numbers(strides)?,
        })
    }

    /// The elements in the order of `shape`: a network kept "channels last" has other strides than candle expects.
    fn tensor(&self, storage: &[u8]) -> Outcome<Tensor> {
        let size = self.dtype.size_in_bytes();
        let product = |total: usize, &extent: &usize| total.checked_mul(extent);
        let count = self.shape.iter().try_fold(1, product);
        let count = count
            .filter(|&count| count <= storage.len() / size)
            .filter(|_| self.shape.len() == self.strides.len())
            .ok_or_else(|| {
                format!("of shape {:?} does not fit its storage of {} bytes", self.shape, storage.len())
            })?;
        let mut elements = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let bytes = self.position(&index).and_then(|position| {
                let start = position.checked_mul(size)?;
                storage.get(start..start.checked_add(size)?)
            });
            elements.extend_from_slice(bytes.ok_or("reaches beyond its storage")?);
            for (place, extent) in index.iter_mut().zip(&self.shape).rev() {
                *place += 1;
                if *place < *extent {
                    break;
                }
                *place = 0;
            }
        }
        Tensor::from_raw_buffer(&elements, self.dtype, &self.shape, &Device::Cpu)
            .map_err(|error| first_line(&error))
    }

    /// `offset + Σ index · stride`
    fn position(&self, index: &[usize]) -> Option<usize> {
        index.iter().zip(&self.strides).try_fold(self.offset, |position, (place, stride)| {
            position.checked_add(place.checked_mul(*stride)?)
        })
    }
}

fn element_type(storage: &str) -> Option<DType> {
    Some(match storage {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        _ => return None,
    })
}

/// The class's name and its arguments.
fn made(pickle: &Pickle, place: Place) -> Option<(&str, &[Place])> {
    match pickle.at(place) {
        Object::Made { class, arguments } => match pickle.at(*class) {
            Object::Class(name) => Some((name, row(pickle, *arguments)?)),
            _ => None,
        },
        _ => None,
    }
}

fn row(pickle: &Pickle, place: Place) -> Option<&[Place]> {
    match pickle.at(place) {
        Object::Row(row) => Some(row),
        _ => None,
    }
}

fn number(pickle: &Pickle, place: Place) -> Option<usize> {
    match pickle.at(place) {
        Object::Whole(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}
