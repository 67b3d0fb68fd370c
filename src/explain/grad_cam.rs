//! Grad-CAM (Selvaraju et al. 2017): which places of a feature map speak for a class.

use candle_core::Tensor;

use super::evidence::Evidence;
use crate::error::Result;

/// `relu(Σ_k w_k A_k)` with `w_k` the mean of the slope `g_k` over the map (equations 1 and 2): `[batch, rows, columns]`.
///
/// A map that is zero everywhere means that nothing speaks for the class.
///
/// # Errors
/// If candle cannot compute it.
pub fn grad_cam(evidence: &Evidence) -> Result<Tensor> {
    let weights = evidence.slope.mean_keepdim((1, 2))?; // [batch, 1, 1, channels]
    evidence.weighted(&weights)
}
