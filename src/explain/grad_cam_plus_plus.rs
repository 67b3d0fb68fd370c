//! Grad-CAM++ (Chattopadhyay et al. 2018, arXiv 1710.11063): every place has a weight of its own, so that several objects and
//! small ones count.
//!
//! The paper weighs channel `k` by `w_k = Σ α·relu(g_k)` over the places, with `α = g² / (2g² + g³·ΣA_k)` (equations 5, 7 and
//! 19). Where `g > 0` that is `α = 1 / (2 + g·ΣA_k)`, at most ½; where it is not, `relu(g)` is 0, and `α` may be anything. The
//! released code and the best known package each compute something else; both are here by name.

use candle_core::Tensor;

use super::evidence::Evidence;
use crate::error::Result;

/// The places, as dimensions of a map.
const PLACES: (usize, usize) = (1, 2);

/// The paper's form: `[batch, rows, columns]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn grad_cam_plus_plus(evidence: &Evidence) -> Result<Tensor> {
    let (slope, alpha) = alphas(evidence)?;
    evidence.weighted(&(slope * alpha)?.sum_keepdim(PLACES)?)
}

/// As in the package pytorch-grad-cam: 1e-6 is added below the fraction bar. That is not small: `g²` is about 1e-6 in the
/// third layer of a real network, and the map depends on the scale of the logits.
///
/// # Errors
/// If candle cannot compute it.
pub fn grad_cam_plus_plus_epsilon(evidence: &Evidence) -> Result<Tensor> {
    let slope = evidence.slope.relu()?;
    let (square, cube) = (slope.sqr()?, slope.powf(3.0)?);
    let sums = evidence.map.sum_keepdim(PLACES)?;
    let below = (((&square * 2.0)? + cube.broadcast_mul(&sums)?)? + 1e-6)?;
    evidence.weighted(&(cube / below)?.sum_keepdim(PLACES)?)
}

/// As in the authors' code: each channel's `α` is divided by its sum over the places of positive slope, so that the weight is
/// a mean of slopes where the paper has a sum.
///
/// Their code differentiates `exp(o)` in place of the logit `o`, which multiplies the map by `exp(o)`; that factor, which can
/// overflow and disappears in any scaling, is left out.
///
/// # Errors
/// If candle cannot compute it.
pub fn grad_cam_plus_plus_authors(evidence: &Evidence) -> Result<Tensor> {
    let (slope, alpha) = alphas(evidence)?;
    let positive = slope.gt(0.0)?.to_dtype(slope.dtype())?;
    let alpha = (alpha * positive)?;
    let sums = alpha.sum_keepdim(PLACES)?;
    // A channel without a positive slope: nothing over nothing is nothing.
    let sums = (&sums + sums.eq(0.0)?.to_dtype(sums.dtype())?)?;
    evidence.weighted(&(slope * alpha)?.sum_keepdim(PLACES)?.div(&sums)?)
}

/// `relu(g)`, and `α = 1 / (2 + relu(g)·ΣA_k)`, which is the paper's where `g > 0`.
fn alphas(evidence: &Evidence) -> Result<(Tensor, Tensor)> {
    let slope = evidence.slope.relu()?;
    let sums = evidence.map.sum_keepdim(PLACES)?;
    let alpha = (slope.broadcast_mul(&sums)? + 2.0)?.recip()?;
    Ok((slope, alpha))
}
