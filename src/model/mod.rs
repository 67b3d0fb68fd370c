//! Networks: a backbone, a head, a discriminator, under PyTorch's tensor names.

use candle_core::Tensor;

use crate::error::Result;
use crate::nn::parameters::Parameter;

/// Which head classifies the feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// One linear layer.
    Linear,
    /// HDA's: a linear layer minus three heuristic ones.
    Heuristic,
}

/// What the discriminator sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscriminatorInput {
    /// The feature (DANN).
    Features,
    /// The softmax probabilities (DANNP, HDA).
    Probabilities,
}

/// Backbone, head and discriminator of one run.
pub struct Model {}

impl Model {
    /// Every tensor by its name: `base_net.…` for backbone and head, `d_net.…` for the discriminator.
    pub fn parameters(&self) -> Vec<Parameter> {
        todo!()
    }

    /// Logits of pictures in evaluation mode, `[batch, height, width, 3]` → `[batch, classes]`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn predict(&self, _images: &Tensor) -> Result<Tensor> {
        todo!()
    }
}
