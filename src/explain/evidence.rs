//! What every heat map is made of: a feature map, and the slope of a class's logit in it.

use candle_core::{Tensor, Var};

use crate::error::{Result, complain};
use crate::method::losses::softmax;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::nn::batch_norm::Mode;

/// The map after a layer and the slope of one class's logit in it, for some pictures, in evaluation mode.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// `A`, the map after the layer's last ReLU, `[batch, rows, columns, channels]`.
    pub map: Tensor,
    /// `g = ∂o/∂A`, of the same shape.
    pub slope: Tensor,
    /// `o`, the class's logit, `[batch]`; with HDA's head that of `C(f) - z`.
    pub score: Tensor,
    /// The class's softmax probability, `[batch]`.
    pub probability: Tensor,
}

impl Evidence {
    /// That of `images`, `[batch, height, width, 3]`, for one class each, after `layer`.
    ///
    /// candle drops the gradients of intermediate tensors, hence the cut: the map becomes a variable of its own.
    ///
    /// # Errors
    /// If the shapes do not fit or a class is not below the number of classes.
    pub fn of(model: &Model, images: &Tensor, classes: &[u32], layer: Layer) -> Result<Self> {
        let map = model.backbone.feature_map(images, layer, Mode::Evaluation)?;
        let map = Var::from_tensor(&map.detach())?;
        let feature = model.backbone.feature_from_map(&map, layer, Mode::Evaluation)?;
        let (score, probability) = of_classes(&model.head.forward(&feature)?.logits, classes)?;
        // The images do not see each other in evaluation mode, so the gradient of the sum is that of each score.
        let gradients = score.sum_all()?.backward()?;
        let slope = match gradients.get(&map) {
            Some(slope) => slope.detach(),
            None => map.zeros_like()?,
        };
        Ok(Self {
            map: map.as_detached_tensor(),
            slope,
            score: score.detach(),
            probability: probability.detach(),
        })
    }

    /// `relu(Σ_k w_k A_k)` for weights of the channels, `[batch, 1, 1, channels]`: `[batch, rows, columns]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn weighted(&self, weights: &Tensor) -> Result<Tensor> {
        Ok(self.map.broadcast_mul(weights)?.sum(3)?.relu()?)
    }
}

/// Logits and softmax probabilities of one class for each row of `[batch, classes]`.
pub(super) fn of_classes(logits: &Tensor, classes: &[u32]) -> Result<(Tensor, Tensor)> {
    let (batch, known) = logits.dims2()?;
    if classes.len() != batch {
        return Err(complain(
            format!("one class for each of {batch} pictures"),
            format!("{}", classes.len()),
        )
        .into());
    }
    if let Some(beyond) = classes.iter().find(|class| **class as usize >= known) {
        let expected = format!("a class below {known}, the number of the network's classes");
        return Err(complain(expected, format!("{beyond}")).into());
    }
    let classes = Tensor::new(classes, logits.device())?.unsqueeze(1)?;
    let of = |values: &Tensor| -> Result<Tensor> { Ok(values.gather(&classes, 1)?.squeeze(1)?) };
    Ok((of(logits)?, of(&softmax(logits)?)?))
}
