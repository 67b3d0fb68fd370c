//! XGradCAM (Fu et al. 2020, arXiv 2008.02312): the slope's mean over the map, weighted by the map itself.

use candle_core::Tensor;

use super::evidence::Evidence;
use crate::error::Result;

/// Keeps a channel that is zero everywhere from being divided by zero, as in the package pytorch-grad-cam.
const EPSILON: f64 = 1e-7;

/// `relu(Σ_k w_k A_k)` with `w_k = Σ g_k A_k / (ΣA_k + 1e-7)` over the places: `[batch, rows, columns]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn x_grad_cam(evidence: &Evidence) -> Result<Tensor> {
    let above = (&evidence.slope * &evidence.map)?.sum_keepdim((1, 2))?;
    let below = (evidence.map.sum_keepdim((1, 2))? + EPSILON)?;
    evidence.weighted(&above.div(&below)?)
}
