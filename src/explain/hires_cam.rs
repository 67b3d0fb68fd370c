//! HiResCAM (Draelos & Carin 2020, arXiv 2011.08891): the slope is not averaged before it is multiplied.

use candle_core::Tensor;

use super::evidence::Evidence;
use crate::error::Result;

/// `relu(Σ_k g_k ⊙ A_k)`: `[batch, rows, columns]`. After the last layer of a ResNet it is Grad-CAM, since there the slope is the
/// same at all places.
///
/// # Errors
/// If candle cannot compute it.
pub fn hires_cam(evidence: &Evidence) -> Result<Tensor> {
    Ok((&evidence.slope * &evidence.map)?.sum(3)?.relu()?)
}

/// `Σ_k relu(g_k ⊙ A_k)`, "element-wise" in the package pytorch-grad-cam: nothing speaks against the class.
///
/// # Errors
/// If candle cannot compute it.
pub fn element_wise(evidence: &Evidence) -> Result<Tensor> {
    Ok((&evidence.slope * &evidence.map)?.relu()?.sum(3)?)
}
