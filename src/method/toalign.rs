//! ToAlign (Wei et al. 2021): of the source feature, only the part that the classification needs is aligned.

use candle_core::Tensor;

use crate::error::Result;
use crate::model::head::Head;

/// The task-relevant part `f_p = s · w ⊙ f` of the source feature `f` `[batch, channels]` (equations 3 and 4).
///
/// `w = ∂y_k/∂f` is the slope of the true class's logit, Grad-CAM's weight: for a linear head the row of its weight, and
/// under HDA that row minus those of the heuristic heads. It is a constant, and keeps its signs (no ReLU).
/// `s = sqrt(|f|² / |w ⊙ f|²)`, per image, gives `f_p` the energy of `f`; the gradient flows through it, as in the
/// published code, which has no epsilon under the root either.
///
/// # Errors
/// If a label is not below the number of classes.
pub fn task_relevant(feature: &Tensor, labels: &Tensor, head: &Head) -> Result<Tensor> {
    let w = head.rows()?.detach().index_select(labels, 0)?; // [batch, channels]
    let weighted = (feature * w)?;
    let energy = |x: &Tensor| x.sqr()?.sum_keepdim(1); // [batch, 1]
    let s = (energy(feature)? / energy(&weighted)?)?.sqrt()?;
    Ok(weighted.broadcast_mul(&s)?)
}
