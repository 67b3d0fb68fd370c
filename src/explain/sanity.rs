//! The sanity check of heat maps (Adebayo et al. 2018): a map that does not change when the network forgets what it learned does
//! not show what it learned.

use crate::error::Result;
use crate::model::{Model, ModelSpec};

/// Parts of a network from the answer down, as they lose their weights one after the other, by the beginnings of their tensors' names.
pub const PARTS: [(&str, &[&str]); 6] = [
    ("head", &["fc"]),
    ("layer4", &["layer4."]),
    ("layer3", &["layer3."]),
    ("layer2", &["layer2."]),
    ("layer1", &["layer1."]),
    ("stem", &["conv1.", "bn1."]),
];

/// Networks that lose their weights from the top: the first has a fresh head, the second a fresh head and `layer4`, the last is fresh
/// altogether. Each comes with the name of the part that it lost last.
///
/// # Errors
/// If `spec` is not that of `model`.
pub fn forgetting(model: &Model, spec: &ModelSpec, seed: u64) -> Result<Vec<(&'static str, Model)>> {
    let trained = model.parameters();
    let mut lost: Vec<&str> = Vec::new();
    let mut networks = Vec::new();
    for (part, beginnings) in PARTS {
        lost.extend(beginnings);
        let fresh = Model::new(spec, seed)?.to_device(model.device())?;
        for parameter in fresh.parameters() {
            let name = parameter.name.trim_start_matches("base_net.");
            let is_lost = lost.iter().any(|beginning| name.starts_with(beginning));
            if let Some(kept) = trained.iter().find(|kept| kept.name == parameter.name && !is_lost) {
                parameter.value.set(&kept.value.as_detached_tensor())?;
            }
        }
        networks.push((part, fresh));
    }
    Ok(networks)
}
