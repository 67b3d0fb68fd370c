//! The pretrained weights of the ResNets, which the hub keeps.

use std::path::PathBuf;

use super::backbone_kind::BackboneKind;
use crate::data::hub::{Hub, Place, Watch, find_in_cache};
use crate::error::{Result, complain};

/// The file of weights in each of these repositories.
const FILE: &str = "model.safetensors";

/// The repository with torchvision's first weights for ImageNet (`IMAGENET1K_V1`), which the paper started from.
///
/// # Errors
/// If `backbone` is none of torchvision's.
///
/// ```
/// use toalign::model::{pretrained::repository, resnet::BackboneKind};
/// assert_eq!(repository(BackboneKind::ResNet50)?, "timm/resnet50.tv_in1k");
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn repository(backbone: BackboneKind) -> Result<String> {
    if backbone == BackboneKind::Small {
        return Err(complain("a backbone whose weights are on the hub", "small, whose weights are built in")
            .at("--backbone")
            .advice("name resnet18, resnet34, resnet50 or resnet101")
            .into());
    }
    Ok(format!("timm/{backbone}.tv_in1k"))
}

/// Fetches the weights into the cache of the hub.
///
/// # Errors
/// As [`Hub::fetch`].
pub fn fetch(hub: &Hub, place: &Place, watch: Watch) -> Result<PathBuf> {
    let files = hub.fetch(place, |path| path == FILE, watch)?;
    files.into_iter().next().ok_or_else(|| complain(FILE, "no file").into())
}

/// The weights that were fetched before, without a connection.
pub fn find(backbone: BackboneKind) -> Option<PathBuf> {
    find_in_cache(&Place::model(&repository(backbone).ok()?, "main"), FILE)
}
