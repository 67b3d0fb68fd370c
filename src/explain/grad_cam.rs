//! Grad-CAM (Selvaraju et al. 2017): which places of a feature map speak for a class.

use candle_core::{Tensor, Var};

use crate::error::Result;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::nn::batch_norm::Mode;

/// `relu(Σ_k α_k A_k)` with `α_k` the mean over the map of `∂ logit / ∂ A_k`, in evaluation mode.
///
/// `images` is `[batch, height, width, 3]`, `classes` one class per image; the result is `[batch, rows, columns]`, the
/// size of the map after `layer`, not normalised. A map that is zero everywhere means that nothing speaks for the class.
///
/// candle drops the gradients of intermediate tensors, hence the cut: the map becomes a variable of its own.
///
/// # Errors
/// If the shapes do not fit or a class is not below the number of classes.
pub fn grad_cam(model: &Model, images: &Tensor, classes: &[u32], layer: Layer) -> Result<Tensor> {
    let map = model.backbone.feature_map(images, layer, Mode::Evaluation)?;
    let map = Var::from_tensor(&map.detach())?; // [batch, rows, columns, channels]
    let feature = model.backbone.feature_from_map(&map, layer, Mode::Evaluation)?;
    let logits = model.head.forward(&feature)?.logits; // [batch, classes]
    let classes = Tensor::new(classes, logits.device())?.unsqueeze(1)?;
    // The images do not see each other in evaluation mode, so the gradient of the sum is that of each score.
    let gradients = logits.gather(&classes, 1)?.sum_all()?.backward()?;
    let slope = match gradients.get(&map) {
        Some(slope) => slope.detach(),
        None => map.zeros_like()?,
    };
    let weights = slope.mean_keepdim((1, 2))?; // [batch, 1, 1, channels]
    let evidence = map.detach().broadcast_mul(&weights)?.sum(3)?;
    Ok(evidence.relu()?)
}
