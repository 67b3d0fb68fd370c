//! The backbone in a file of weights, whatever surrounds it, and whether it is the right one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use candle_core::DType;

use super::backbone_kind::BackboneKind;
use super::weights::{self, NamedTensors};
use crate::error::{Error, Result, complain};
use crate::nn::parameters::Parameter;

/// The tensor that every residual network of torchvision has, and no other network.
const MARK: &str = "layer1.0.conv1.weight";

/// What stands before the names of a second network that only accompanies the one that was trained: running means of its
/// weights, a teacher, the slow encoder of contrastive learning, the optimiser's state.
const COMPANIONS: [&str; 6] = ["ema", "teacher", "momentum", "encoder_k", "optim", "swa"];

/// Sets the backbone from a file of torchvision, of the published code, or of ours; other tensors are left alone.
///
/// What stands before all names of the backbone (`base_net.`, `module.`, `model.backbone.`, …) is taken off. Returns
/// what a user should know: where the backbone was found, and whether it looks as if it had never been trained.
///
/// # Errors
/// If the file holds no residual network, or another one than `parameters`, or two between which nothing decides, or a value
/// that is no finite number.
pub fn load_backbone(parameters: &[Parameter], path: &Path) -> Result<Vec<String>> {
    let tensors = weights::read(path)?;
    let (prefix, mut remarks) = prefix(&tensors, path)?;
    let backbone: NamedTensors = tensors
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)))
        .filter(|(name, _)| is_backbone(name))
        .collect();
    require_network(parameters, &backbone, path)?;
    require_finite(&backbone, path)?;
    weights::load(parameters, &backbone, path)?;
    if is_untrained(&backbone)? {
        remarks.push(format!(
            "{}: the running means are all 0 and the running variances all 1, as in a network that was never trained",
            path.display()
        ));
    }
    Ok(remarks)
}

/// What stands before the backbone's names, and what to say about it.
fn prefix(tensors: &NamedTensors, path: &Path) -> Result<(String, Vec<String>)> {
    let all: Vec<&str> = tensors.keys().filter_map(|name| name.strip_suffix(MARK)).collect();
    let all: Vec<&str> =
        all.into_iter().filter(|before| before.is_empty() || before.ends_with('.')).collect();
    let accompanies =
        |prefix: &&str| prefix.split('.').any(|part| COMPANIONS.iter().any(|name| part.contains(name)));
    let own: Vec<&str> = all.iter().copied().filter(|prefix| !accompanies(prefix)).collect();
    let named = |prefixes: &[&str]| {
        let quoted: Vec<String> = prefixes.iter().map(|prefix| format!("'{prefix}'")).collect();
        quoted.join(", ")
    };
    let candidates = if own.is_empty() { &all } else { &own };
    let chosen = match candidates[..] {
        [] => return Err(no_backbone(tensors, path)),
        [only] => only,
        // Names as torchvision has them need no explanation.
        _ if candidates.contains(&"") => "",
        _ if candidates.contains(&"base_net.") => "base_net.",
        _ => {
            return Err(complain("one residual network", format!("several, under {}", named(candidates)))
                .at(path.display())
                .advice("save one of them alone: torch.save(network.state_dict(), path)")
                .into());
        }
    };
    let mut remarks = Vec::new();
    if !["", "base_net."].contains(&chosen) {
        remarks.push(format!(
            "{}: the backbone's names begin with '{chosen}', which was taken off",
            path.display()
        ));
    }
    let others: Vec<&str> = all.into_iter().filter(|other| *other != chosen).collect();
    if !others.is_empty() && others.iter().any(|other| !other.starts_with("momentum.")) {
        remarks.push(format!(
            "{}: took the network under '{chosen}', not the one under {}",
            path.display(),
            named(&others)
        ));
    }
    Ok((chosen.to_owned(), remarks))
}

fn no_backbone(tensors: &NamedTensors, path: &Path) -> Error {
    let names: Vec<&str> = tensors.keys().take(3).map(String::as_str).collect();
    complain(
        format!("a residual network by torchvision's names, such as '{MARK}'"),
        format!("{} tensors named otherwise, such as {}", tensors.len(), names.join(", ")),
    )
    .at(path.display())
    .advice("choose a file of torchvision's ResNets, or rename its tensors: {'conv1.weight': …, 'layer1.0.conv1.weight': …}")
    .into()
}

/// Whether a name is of torchvision's scheme for the backbone; the counters of batch norm and of profilers are no weights.
fn is_backbone(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    let stage = first.strip_prefix("layer").is_some_and(|number| number.parse::<usize>().is_ok());
    let counter =
        [".num_batches_tracked", ".total_ops", ".total_params"].iter().any(|end| name.ends_with(end));
    (stage || first == "conv1" || first == "bn1") && !counter
}

/// The shape of a residual network, as far as names and shapes of its tensors tell it.
#[derive(PartialEq, Eq)]
struct Anatomy {
    /// Blocks of each stage.
    blocks: Vec<usize>,
    /// Whether its blocks have three convolutions.
    bottleneck: bool,
    /// Shape of the first block's first and second kernel.
    kernels: [Vec<usize>; 2],
}

impl Anatomy {
    fn of<'a>(tensors: impl Iterator<Item = (&'a str, Vec<usize>)>) -> Self {
        let shapes: BTreeMap<&str, Vec<usize>> = tensors.collect();
        let mut blocks = Vec::new();
        for name in shapes.keys() {
            let mut parts = name.split('.');
            let stage = parts.next().and_then(|stage| stage.strip_prefix("layer")?.parse::<usize>().ok());
            let block = parts.next().and_then(|block| block.parse::<usize>().ok());
            // A network has 4 stages of at most some 50 blocks; what a damaged name claims is not followed.
            if let (Some(stage @ 1..=9), Some(block @ 0..=999)) = (stage, block) {
                blocks.resize(blocks.len().max(stage), 0);
                blocks[stage - 1] = blocks[stage - 1].max(block + 1);
            }
        }
        let kernel = |name| shapes.get(name).cloned().unwrap_or_default();
        let kernels = [kernel(MARK), kernel("layer1.0.conv2.weight")];
        Self { blocks, bottleneck: shapes.contains_key("layer1.0.conv3.weight"), kernels }
    }

    fn of_kind(kind: BackboneKind) -> Self {
        let (width, three) = (kind.widths()[0], kind.expansion() > 1);
        let first = if three { 1 } else { 3 };
        Self {
            blocks: kind.blocks().to_vec(),
            bottleneck: three,
            kernels: [vec![width, width, first, first], vec![width, width, 3, 3]],
        }
    }

    /// What the field calls it.
    fn name(&self) -> Option<String> {
        if let Some((name, _)) = BackboneKind::NAMES.iter().find(|(_, kind)| *self == Self::of_kind(*kind)) {
            return Some((*name).to_owned());
        }
        let depth = match self.blocks[..] {
            [3, 4, 6, 3] => 50,
            [3, 4, 23, 3] => 101,
            [3, 8, 36, 3] => 152,
            _ => return None,
        };
        match (self.kernels[0].first()?, self.kernels[1].get(1)?) {
            _ if !self.bottleneck => None,
            (64, 64) => Some(format!("resnet{depth}")),
            (128, 128) => Some(format!("wide_resnet{depth}_2")),
            (_, each) => Some(format!("resnext{depth}, {each} channels a group")),
        }
    }
}

impl fmt::Display for Anatomy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks: Vec<String> = self.blocks.iter().map(usize::to_string).collect();
        let convolutions = if self.bottleneck { 3 } else { 2 };
        let name = self.name().unwrap_or_else(|| "another residual network".to_owned());
        write!(f, "{name} ({} blocks of {convolutions} convolutions)", blocks.join(" + "))
    }
}

/// Refuses another residual network, also one that has all tensors of this one and more.
fn require_network(parameters: &[Parameter], tensors: &NamedTensors, path: &Path) -> Result<()> {
    let expected = Anatomy::of(parameters.iter().map(|one| (one.name.as_str(), one.file_shape())));
    let found = Anatomy::of(tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.dims().to_vec())));
    let known = |name: &String| BackboneKind::NAMES.iter().any(|(known, _)| known == name);
    let more = |(found, expected): (&usize, &usize)| found > expected;
    // Of a network without a name that has no more blocks than this one, the tensor that lacks or differs is named later.
    let another = found.name().is_some() || found.blocks.iter().zip(&expected.blocks).any(more);
    if found != expected && another {
        let advice = match found.name().filter(known) {
            Some(name) => format!("--backbone {name}, or another file"),
            None => "choose a file of that backbone".to_owned(),
        };
        return Err(complain(format!("weights of {expected}"), format!("those of {found}"))
            .at(path.display())
            .advice(advice)
            .into());
    }
    let ours = |name: &&String| parameters.iter().any(|parameter| parameter.name == **name);
    let left: Vec<&String> = tensors.keys().filter(|name| !ours(name)).collect();
    match left.first() {
        Some(first) => Err(complain(
            format!("the tensors of {expected}"),
            format!("{} more that it does not have, such as '{first}'", left.len()),
        )
        .at(path.display())
        .advice("the file is of another backbone: choose that one, or another file")
        .into()),
        None => Ok(()),
    }
}

fn require_finite(tensors: &NamedTensors, path: &Path) -> Result<()> {
    for (name, tensor) in tensors {
        // A sum is infinite or no number if one of its terms is.
        let sum = tensor.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
        if !sum.is_finite() {
            return Err(complain("finite numbers as weights", format!("'{name}' with a value that is none"))
                .at(path.display())
                .advice("the training that wrote this file had failed: choose an earlier checkpoint, or another file")
                .into());
        }
    }
    Ok(())
}

/// Whether all running statistics are those that batch norm begins with.
fn is_untrained(tensors: &NamedTensors) -> Result<bool> {
    let mut any = false;
    for (name, tensor) in tensors {
        let initial = match name.rsplit('.').next() {
            Some("running_mean") => 0.0,
            Some("running_var") => 1.0,
            _ => continue,
        };
        if (tensor.to_dtype(DType::F64)? - initial)?.abs()?.max_all()?.to_scalar::<f64>()? != 0.0 {
            return Ok(false);
        }
        any = true;
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anatomy(blocks: [usize; 4], bottleneck: bool, first: usize, second: usize) -> Anatomy {
        let size = if bottleneck { 1 } else { 3 };
        let kernels = [vec![first, 64, size, size], vec![first, second, 3, 3]];
        Anatomy { blocks: blocks.to_vec(), bottleneck, kernels }
    }

    #[test]
    fn networks_have_the_names_of_the_field() {
        for (found, name) in [
            (anatomy([2, 2, 2, 2], false, 64, 64), "resnet18"),
            (anatomy([3, 4, 6, 3], false, 64, 64), "resnet34"),
            (anatomy([3, 4, 6, 3], true, 64, 64), "resnet50"),
            (anatomy([3, 8, 36, 3], true, 64, 64), "resnet152"),
            (anatomy([3, 4, 6, 3], true, 128, 128), "wide_resnet50_2"),
            (anatomy([3, 4, 6, 3], true, 128, 4), "resnext50, 4 channels a group"),
        ] {
            assert_eq!(found.name().as_deref(), Some(name));
        }
    }
}
