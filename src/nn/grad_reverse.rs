//! Gradient reversal: the identity whose gradient is multiplied by `-coefficient`.

use candle_core::{Result, Tensor};

/// Returns `x`; backwards, the gradient arrives as `-coefficient` times itself (Ganin & Lempitsky 2015, equation 9).
///
/// No operation of its own is needed: `x·(1+c)`, detached, minus `x·c` has the value of `x` and the slope `-c`.
/// The value is exact only up to rounding of `1 + c`; the published code's is exact, the difference is below 1e-7.
///
/// ```
/// use candle_core::{Device, Var};
/// let x = Var::new(3f32, &Device::Cpu)?;
/// let y = toalign::nn::grad_reverse::grad_reverse(x.as_tensor(), 0.5)?;
/// assert_eq!(y.to_scalar::<f32>()?, 3.0);
/// assert_eq!(y.backward()?.get(&x).unwrap().to_scalar::<f32>()?, -0.5);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn grad_reverse(x: &Tensor, coefficient: f64) -> Result<Tensor> {
    (x.detach() * (1.0 + coefficient))? - (x * coefficient)?
}
