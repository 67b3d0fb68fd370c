//! The files that `torch.save` writes: a zip archive with one pickle, `data.pkl`, that describes the tensors, and one
//! entry per storage, `data/0`, `data/1` and so on, with their bytes.
//!
//! candle's unpickler reads `data.pkl`. Whatever the pickle claims is checked against the archive before anything is
//! allocated, so that a damaged file ends in a message.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::pickle::{Object, Stack};
use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

use super::pickle_limits::Limits;
use crate::error::{Result, complain, file_error};

/// Tensors by PyTorch's name, in PyTorch's layout.
pub type NamedTensors = BTreeMap<String, Tensor>;

/// Short texts beside the tensors: the metadata of a safetensors file, the numbers of a PyTorch file.
pub type Notes = BTreeMap<String, String>;

/// Where the tensors are: at the top of the file, or in a dictionary under one of these keys; and what then stands
/// before their names. `base_net` and `d_net` are the published code's; the others it accepts for pretrained weights.
const PLACES: [(&str, &str); 6] = [
    ("base_net", "base_net."),
    ("d_net", "d_net."),
    ("state", ""),
    ("state_dict", ""),
    ("models", ""),
    ("model", ""),
];

/// What went wrong, for the end of a message.
type Outcome<T> = std::result::Result<T, String>;

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
    let pickle = archive.entry("data.pkl")?;
    let (mut tensors, mut notes) = (NamedTensors::new(), Notes::new());
    // Anything but a dictionary, such as a whole pickled network, holds no tensor by name.
    let Object::Dict(top) = unpickle(&pickle)? else {
        return Ok((tensors, notes));
    };
    archive.take_tensors("", &top, &mut tensors)?;
    for (key, value) in &top {
        let Object::Unicode(key) = key else { continue };
        let place = PLACES.iter().find(|(place, _)| place == key);
        if let (Some((_, prefix)), Object::Dict(entries)) = (place, value) {
            archive.take_tensors(prefix, entries, &mut tensors)?;
        } else if let Some(note) = as_text(value) {
            notes.insert(key.clone(), note);
        }
    }
    Ok((tensors, notes))
}

fn as_text(value: &Object) -> Option<String> {
    match value {
        Object::Int(number) => Some(number.to_string()),
        Object::Long(number) => Some(number.to_string()),
        Object::Float(number) => Some(number.to_string()),
        Object::Bool(truth) => Some(truth.to_string()),
        Object::Unicode(text) => Some(text.clone()),
        _ => None,
    }
}

/// Runs the pickle with candle's unpickler, one instruction at a time.
fn unpickle(mut pickle: &[u8]) -> Outcome<Object> {
    let mut stack = Stack::empty();
    let mut limits = Limits::of(pickle);
    loop {
        limits.follow(pickle)?;
        if stack.read(&mut pickle).map_err(|error| first_line(&error))? {
            return stack.finalize().map_err(|error| first_line(&error));
        }
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

    fn take_tensors(
        &mut self,
        prefix: &str,
        entries: &[(Object, Object)],
        found: &mut NamedTensors,
    ) -> Outcome<()> {
        for (name, value) in entries {
            if let (Object::Unicode(name), Some(view)) = (name, View::of(value)) {
                // `DataParallel` puts this before every name.
                let name = name.strip_prefix("module.").unwrap_or(name);
                let bytes = self.entry(&format!("data/{}", view.storage))?;
                let tensor = view.tensor(&bytes).map_err(|reason| format!("tensor '{name}' {reason}"))?;
                found.insert(format!("{prefix}{name}"), tensor);
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
    fn of(value: &'a Object) -> Option<Self> {
        let Object::Reduce { callable, args } = value else {
            return None;
        };
        let (Object::Class { class_name, .. }, Object::Tuple(args)) = (&**callable, &**args) else {
            return None;
        };
        match (class_name.as_str(), args.as_slice()) {
            ("_rebuild_parameter", [tensor, ..]) => Self::of(tensor),
            ("_rebuild_tensor_v2", [Object::PersistentLoad(storage), offset, shape, strides, ..]) => {
                let Object::Tuple(storage) = &**storage else {
                    return None;
                };
                let [_, Object::Class { class_name, .. }, Object::Unicode(storage), ..] = storage.as_slice()
                else {
                    return None;
                };
                Some(Self {
                    storage,
                    dtype: element_type(class_name)?,
                    offset: number(offset)?,
                    shape: numbers(shape)?,
                    strides: numbers(strides)?,
                })
            }
            _ => None,
        }
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

fn number(value: &Object) -> Option<usize> {
    match value {
        Object::Int(number) => usize::try_from(*number).ok(),
        Object::Long(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn numbers(value: &Object) -> Option<Vec<usize>> {
    match value {
        Object::Tuple(values) => values.iter().map(number).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pickle: &[u8]) -> String {
        unpickle(pickle).map(|_| ()).unwrap_err()
    }

    #[test]
    fn objects_inside_objects_end_somewhere() {
        let nested = |instruction: u8| [&[b']'][..], &vec![instruction; 200_000], b"."].concat();
        // Tuples of one, and a list for every tuple of two.
        assert_eq!(refusal(&nested(0x85)), "objects inside objects, more than 64 deep");
        let lists = [&vec![b']'; 200_000][..], &vec![b'a'; 199_999], b"."].concat();
        assert_eq!(refusal(&lists), "objects inside objects, more than 64 deep");
        let fine = [&[b']'][..], &[0x85; 60], b"."].concat();
        assert!(unpickle(&fine).is_ok());
    }

    #[test]
    fn copies_of_copies_end_somewhere() {
        // x = (x, x), 60 times: 2⁶⁰ objects in 360 bytes.
        let doubling = b"q\x00h\x00\x86".repeat(60);
        let pickle = [&b"]"[..], &doubling, b"."].concat();
        assert_eq!(refusal(&pickle), "objects that unfold to much more than the file");
        let pickle = [&b"]"[..], &doubling[..15], b"."].concat();
        assert!(unpickle(&pickle).is_ok());
    }
}
