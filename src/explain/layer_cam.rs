//! LayerCAM (Jiang et al. 2021): positive slopes only, place by place; made for earlier layers.

use candle_core::Tensor;

use super::evidence::Evidence;
use crate::error::Result;

/// `relu(Σ_k relu(g_k) ⊙ A_k)`: `[batch, rows, columns]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn layer_cam(evidence: &Evidence) -> Result<Tensor> {
    Ok((evidence.slope.relu()? * &evidence.map)?.sum(3)?.relu()?)
}
