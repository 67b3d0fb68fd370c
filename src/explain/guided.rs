//! Guided Backpropagation (Springenberg et al. 2015, arXiv 1412.6806), and Grad-CAM and Grad-CAM++ sharpened by it.
//!
//! These pictures show edges rather than reasons: they hardly change when the network's weights are randomised (Adebayo et al.,
//! *Sanity Checks for Saliency Maps*, 2018). [`sanity`](super::sanity) measures it.

use candle_core::{Tensor, Var};

use super::evidence::of_classes;
use super::overlay::enlarged;
use crate::error::Result;
use crate::model::Model;
use crate::nn::batch_norm::Mode;

/// What has to stand beside such a picture.
pub const NOTE: &str = "Guided pictures show edges rather than reasons: they hardly change when the weights of a network are randomised \
    (Adebayo et al. 2018). Heat maps of the last layer are coarse.";

/// The slope of one class's logit for each picture in its normalised pixels, `[batch, height, width, 3]`, where every ReLU of the
/// backbone passes a slope only if its input was positive *and* the slope is.
///
/// # Errors
/// If the shapes do not fit or a class is not below the number of classes.
pub fn guided_backpropagation(model: &Model, images: &Tensor, classes: &[u32]) -> Result<Tensor> {
    let images = Var::from_tensor(&images.detach())?;
    let feature = model.backbone.forward(&images, Mode::Guided)?;
    let (score, _) = of_classes(&model.head.forward(&feature)?.logits, classes)?;
    let gradients = score.sum_all()?.backward()?;
    Ok(match gradients.get(&images) {
        Some(slope) => slope.detach(),
        None => images.zeros_like()?,
    })
}

/// A map `[batch, rows, columns]`, enlarged and multiplied with that slope: Guided Grad-CAM of Grad-CAM's map (Selvaraju et al. 2017,
/// section 3.3), Guided Grad-CAM++ of Grad-CAM++'s. `[batch, height, width, 3]`, signed.
///
/// # Errors
/// If the batches differ.
pub fn guided(map: &Tensor, slope: &Tensor) -> Result<Tensor> {
    let (_, height, width, _) = slope.dims4()?;
    Ok(slope.broadcast_mul(&enlarged(map, height, width)?.unsqueeze(3)?)?)
}

/// A signed picture `[height, width, 3]` as colours from 0 to 1, 0.5 where nothing is: ten deviations from end to end, what lies beyond
/// is cut off. So the package pytorch-grad-cam shows it.
///
/// # Errors
/// If candle cannot compute it.
pub fn shown(picture: &Tensor) -> Result<Tensor> {
    let centred = picture.broadcast_sub(&picture.mean_all()?)?;
    let deviation = (centred.sqr()?.mean_all()?.sqrt()? + 1e-5)?;
    Ok(((centred.broadcast_div(&deviation)? * 0.1)? + 0.5)?.clamp(0.0, 1.0)?)
}
