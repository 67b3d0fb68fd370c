//! Batch norm out of candle's operations: for other devices than the CPU, and to test the CPU's against.

use candle_core::{Result, Tensor, bail};

use super::batch_norm::{BatchNorm, EPSILON, Mode, Then};
use super::composed::with_gradient;

impl BatchNorm {
    /// The same as [`BatchNorm::forward`] out of candle's own operations: for other devices, and to test against.
    ///
    /// # Errors
    /// If the channels do not fit.
    pub fn forward_composed(&self, x: &Tensor, mode: Mode, then: Then) -> Result<Tensor> {
        let channels = self.weight.dim(0)?;
        if x.dims().last() != Some(&channels) {
            bail!("batch norm: expected […, {channels}] (NHWC), found {:?}", x.dims());
        }
        let rows = x.detach().contiguous()?.reshape(((), channels))?;
        let count = rows.dim(0)?;
        let (mean, variance) = match mode {
            Mode::Evaluation => {
                (self.running_mean.as_detached_tensor(), self.running_var.as_detached_tensor())
            }
            Mode::Training { statistics_updates } => {
                let mean = (sum_of_rows(&rows)? / count as f64)?;
                let variance = (sum_of_rows(&rows.broadcast_sub(&mean)?.sqr()?)? / count as f64)?;
                self.update_running_statistics(&mean, &variance, count, statistics_updates)?;
                (mean, variance)
            }
        };
        let pass = Pass {
            rows,
            // The running statistics move on before the gradient comes.
            mean: mean.copy()?,
            inverse_deviation: (variance + EPSILON)?.sqrt()?.recip()?,
            weight: self.weight.as_detached_tensor(),
            of_the_batch: matches!(mode, Mode::Training { .. }),
            relu: !matches!(then, Then::Nothing),
        };
        let value = pass.value(&self.bias.as_detached_tensor())?.reshape(x.shape())?;
        let affine = Tensor::stack(&[self.weight.as_tensor(), self.bias.as_tensor()], 0)?;
        match then {
            Then::Nothing => with_gradient("batch-norm", &[x, &affine], value, move |y, gradient| {
                let (_, of_x, of_affine) = pass.gradients(y, gradient)?;
                Ok(vec![of_x, of_affine])
            }),
            Then::Relu => with_gradient("batch-norm", &[x, &affine], value.relu()?, move |y, gradient| {
                let (_, of_x, of_affine) = pass.gradients(y, gradient)?;
                Ok(vec![of_x, of_affine])
            }),
            Then::AddAndRelu(shortcut) => {
                let value = (value + shortcut.detach())?.relu()?;
                with_gradient("batch-norm", &[x, &affine, shortcut], value, move |y, gradient| {
                    let (of_shortcut, of_x, of_affine) = pass.gradients(y, gradient)?;
                    Ok(vec![of_x, of_affine, of_shortcut])
                })
            }
        }
    }
}

/// What the way back needs; everything per channel is `[channels]`.
struct Pass {
    /// The input, `[rows, channels]`.
    rows: Tensor,
    mean: Tensor,
    inverse_deviation: Tensor,
    weight: Tensor,
    /// Whether mean and deviation hang on the input.
    of_the_batch: bool,
    relu: bool,
}

impl Pass {
    fn value(&self, bias: &Tensor) -> Result<Tensor> {
        let scale = (&self.weight * &self.inverse_deviation)?;
        self.rows.broadcast_sub(&self.mean)?.broadcast_mul(&scale)?.broadcast_add(bias)
    }

    /// The gradients of shortcut, input and `[weight, bias]`.
    ///
    /// With `g` the gradient behind ReLU, `x̂` the normalised input and `n` rows (Ioffe & Szegedy 2015, section 3):
    /// `dx = weight / deviation · (g - Σg / n - x̂ · Σ(g·x̂) / n)`; the two means fall away where the statistics are given.
    fn gradients(&self, y: &Tensor, gradient: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let of_shortcut = match self.relu {
            true => (gradient * y.gt(0.0)?.to_dtype(gradient.dtype())?)?,
            false => gradient.clone(),
        };
        let g = of_shortcut.reshape(self.rows.shape())?;
        let normalised = self.rows.broadcast_sub(&self.mean)?.broadcast_mul(&self.inverse_deviation)?; // x̂
        let of_bias = sum_of_rows(&g)?;
        let of_weight = sum_of_rows(&(&g * &normalised)?)?;
        let count = self.rows.dim(0)? as f64;
        let centred = match self.of_the_batch {
            true => g
                .broadcast_sub(&(&of_bias / count)?)?
                .sub(&normalised.broadcast_mul(&(&of_weight / count)?)?)?,
            false => g,
        };
        let scale = (&self.weight * &self.inverse_deviation)?;
        let of_x = centred.broadcast_mul(&scale)?.reshape(y.shape())?;
        Ok((of_shortcut, of_x, Tensor::stack(&[of_weight, of_bias], 0)?))
    }
}

/// `[rows, channels]` → `[channels]`, as a matrix product: candle's own sum over rows gives each channel to one block of
/// threads on a GPU, which leaves most of it idle.
fn sum_of_rows(rows: &Tensor) -> Result<Tensor> {
    Tensor::ones((1, rows.dim(0)?), rows.dtype(), rows.device())?.matmul(rows)?.squeeze(0)
}
