//! Weights in several files, as the hub keeps large networks: `model-00001-of-00003.safetensors` and an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Result, complain, file_error};

/// `model.safetensors.index.json` and its like.
#[derive(Deserialize)]
struct Index {
    /// The file that each tensor is in.
    weight_map: BTreeMap<String, String>,
}

/// All files of the network of which `path` is the index or one shard; none if it is a file of its own.
///
/// # Errors
/// If a shard is not beside it, or the index cannot be read.
pub(super) fn of(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let names: BTreeSet<String> = if name.ends_with(".json") {
        let text = std::fs::read(path).map_err(|error| file_error("read", path, error))?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| {
            complain("an index of shards, with a \"weight_map\"", error.to_string())
                .at(path.display())
                .advice("name the index of the weights, such as model.safetensors.index.json, or the file of weights")
        })?;
        index.weight_map.into_values().collect()
    } else if let Some((before, count, after)) = numbered(name) {
        (1..=count).map(|number| format!("{before}{number:05}-of-{count:05}{after}")).collect()
    } else {
        return Ok(None);
    };
    let missing: Vec<&String> = names.iter().filter(|name| !path.with_file_name(name).is_file()).collect();
    if !missing.is_empty() {
        let some: Vec<&str> = missing.iter().take(3).map(|name| name.as_str()).collect();
        let more = if missing.len() > some.len() { ", …" } else { "" };
        return Err(complain(
            format!("all {} shards of the weights", names.len()),
            format!("{} of them missing: {}{more}", missing.len(), some.join(", ")),
        )
        .at(path.display())
        .advice("fetch the missing ones into the same folder")
        .into());
    }
    Ok(Some(names.iter().map(|name| path.with_file_name(name)).collect()))
}

/// The parts of `model-00002-of-00003.safetensors`: what stands before the number, how many there are, what follows.
fn numbered(name: &str) -> Option<(&str, usize, &str)> {
    let middle = name.find("-of-")?;
    let number = |text: &str| (text.len() == 5).then(|| text.parse::<usize>().ok()).flatten();
    let before = name.get(..middle.checked_sub(5)?)?;
    let this = number(name.get(before.len()..middle)?)?;
    let count = number(name.get(middle + 4..middle + 9)?)?;
    (1..=count).contains(&this).then_some((before, count, &name[middle + 9..]))
}
