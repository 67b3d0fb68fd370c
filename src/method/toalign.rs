//! ToAlign (Wei et al. 2021): of the source feature, only the part that the classification needs is aligned.

use candle_core::Tensor;

use crate::error::Result;
use crate::model::head::Head;

/// The task-relevant part `f_p = s · w ⊙ f` of the source feature `f` `[batch, channels]` (equations 3 and 4).
///
/// `s` gives it the energy of `f`, see [`energy_ratio`]; the gradient flows through it, as in the published code.
///
/// # Errors
/// If a label is not below the number of classes.
pub fn task_relevant(feature: &Tensor, labels: &Tensor, head: &Head) -> Result<Tensor> {
    let weighted = weighted(feature, labels, head)?;
    Ok(weighted.broadcast_mul(&energy_ratio(feature, &weighted)?)?)
}

/// `w ⊙ f`, `[batch, channels]`, with the slope `w = ∂y_k/∂f` of the true class's logit, Grad-CAM's weight.
///
/// For a linear head that is the row of its weight, under HDA that row minus those of the heuristic heads. It is a constant, and
/// keeps its signs (no ReLU).
///
/// # Errors
/// If a label is not below the number of classes.
pub fn weighted(feature: &Tensor, labels: &Tensor, head: &Head) -> Result<Tensor> {
    let w = head.rows()?.detach().index_select(labels, 0)?; // [batch, channels]
    Ok((feature * w)?)
}

/// `s = sqrt(|f|² / |w ⊙ f|²)`, per image, `[batch, 1]`. The published code has no epsilon under the root either.
///
/// # Errors
/// If the shapes differ.
pub fn energy_ratio(feature: &Tensor, weighted: &Tensor) -> Result<Tensor> {
    let energy = |x: &Tensor| x.sqr()?.sum_keepdim(1); // [batch, 1]
    Ok((energy(feature)? / energy(weighted)?)?.sqrt()?)
}
