//! Batch norm with what follows it in a ResNet (the sum with the shortcut, ReLU), out of candle's operations.
//!
//! This is the reference; what trains are the kernels of [`cpu`](crate::cpu) and of the GPU, which fuse it with convolutions.

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use super::composed::with_gradient;
use super::init;
use super::parameters::{Group, Parameter, Role, moved};
use crate::cpu::batch_norm::Moments;
pub use crate::cpu::batch_norm::{EPSILON, MOMENTUM};

/// Whether batch norm uses the batch's own statistics, and how often it adds them to the running ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Normalise by the statistics of the batch.
    Training {
        /// How often the running statistics move towards this batch's. The published ToAlign sends the source batch
        /// through the backbone twice, so its statistics move twice; here the batch passes once and they move by
        /// `1 - (1 - momentum)²` in one go. 0 leaves them alone.
        statistics_updates: u32,
    },
    /// Normalise by the running statistics.
    Evaluation,
    /// As in evaluation; on the way back every ReLU passes only what is positive: Guided Backpropagation (Springenberg et al. 2015).
    Guided,
}

/// What follows the normalisation in the same pass over the data.
#[derive(Clone, Copy)]
pub enum Then<'a> {
    /// Nothing.
    Nothing,
    /// ReLU.
    Relu,
    /// The sum with the shortcut, then ReLU: the end of a residual block.
    AddAndRelu(&'a Tensor),
}

/// `y = (x - mean) / sqrt(variance + ε) · weight + bias`, per channel (Ioffe & Szegedy 2015).
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub weight: Var,
    /// Shift, `[channels]`.
    pub bias: Var,
    /// Running mean, `[channels]`.
    pub running_mean: Var,
    /// Running variance, `[channels]`; unbiased, as in PyTorch.
    pub running_var: Var,
}

impl BatchNorm {
    /// Scale 1, shift 0, running mean 0 and variance 1.
    pub fn new(channels: usize, dtype: DType) -> Result<Self> {
        Ok(Self {
            weight: init::constant(channels, 1.0, dtype)?,
            bias: init::constant(channels, 0.0, dtype)?,
            running_mean: init::constant(channels, 0.0, dtype)?,
            running_var: init::constant(channels, 1.0, dtype)?,
        })
    }

    /// The same on `device`.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            weight: moved(&self.weight, device)?,
            bias: moved(&self.bias, device)?,
            running_mean: moved(&self.running_mean, device)?,
            running_var: moved(&self.running_var, device)?,
        })
    }

    /// Normalises `x` `[…, channels]`.
    pub fn forward(&self, x: &Tensor, mode: Mode, then: Then) -> Result<Tensor> {
        let channels = self.weight.dim(0)?;
        if x.dims().last() != Some(&channels) {
            bail!("batch norm: expected […, {channels}] (NHWC), found {:?}", x.dims());
        }
        let rows = x.detach().contiguous()?.reshape(((), channels))?;
        let count = rows.dim(0)?;
        let (mean, variance) = match mode {
            Mode::Evaluation | Mode::Guided => {
                (self.running_mean.as_detached_tensor(), self.running_var.as_detached_tensor())
            }
            Mode::Training { statistics_updates } => {
                // Around the first row, which is near the mean: a large mean would cost the sum its last digits.
                let origin = rows.get(0)?;
                let mean = ((sum_of_rows(&rows.broadcast_sub(&origin)?)? / count as f64)? + origin)?;
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
            guided: mode == Mode::Guided,
        };
        let mut value = pass.value(&self.bias.as_detached_tensor())?.reshape(x.shape())?;
        let mut inputs = vec![x, self.weight.as_tensor(), self.bias.as_tensor()];
        if let Then::AddAndRelu(shortcut) = then {
            value = (value + shortcut.detach())?;
            inputs.push(shortcut);
        }
        if pass.relu {
            value = value.relu()?;
        }
        let count = inputs.len();
        with_gradient("batch-norm", &inputs, value, move |y, gradient| {
            let mut gradients = pass.gradients(y, gradient)?;
            gradients.truncate(count);
            Ok(gradients)
        })
    }

    /// The running statistics as moments.
    pub(crate) fn running_moments(&self) -> Result<Moments> {
        Ok(Moments { mean: in_f64(&self.running_mean)?, variance: in_f64(&self.running_var)?, rows: 0 })
    }

    /// Moves the running statistics towards the moments of a batch, `updates` times.
    pub(crate) fn follow(&self, batch: &Moments, updates: u32) -> Result<()> {
        let tensor = |values: &[f64]| Tensor::from_slice(values, values.len(), self.running_mean.device());
        self.update_running_statistics(&tensor(&batch.mean)?, &tensor(&batch.variance)?, batch.rows, updates)
    }

    /// `running ← (1-m)^k · running + (1 - (1-m)^k) · batch`, which is k updates with the same batch in one go.
    pub(crate) fn update_running_statistics(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        count: usize,
        updates: u32,
    ) -> Result<()> {
        let kept = (1.0 - MOMENTUM).powi(updates as i32);
        let unbiased = count as f64 / (count as f64 - 1.0).max(1.0);
        for (running, batch) in
            [(&self.running_mean, mean.clone()), (&self.running_var, (variance * unbiased)?)]
        {
            let dtype = running.dtype();
            let moved = ((running.as_detached_tensor().to_dtype(DType::F64)? * kept)?
                + (batch.detach().to_dtype(DType::F64)? * (1.0 - kept))?)?;
            running.set(&moved.to_dtype(dtype)?)?;
        }
        Ok(())
    }

    /// `NAME.weight`, `NAME.bias`, `NAME.running_mean`, `NAME.running_var`.
    pub fn parameters(&self, name: &str, group: Group) -> Vec<Parameter> {
        let parts = [
            ("weight", &self.weight, Role::Trained(group)),
            ("bias", &self.bias, Role::Trained(group)),
            ("running_mean", &self.running_mean, Role::Statistic),
            ("running_var", &self.running_var, Role::Statistic),
        ];
        Parameter::same(name, parts)
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
    guided: bool,
}

impl Pass {
    fn value(&self, bias: &Tensor) -> Result<Tensor> {
        let scale = (&self.weight * &self.inverse_deviation)?;
        self.rows.broadcast_sub(&self.mean)?.broadcast_mul(&scale)?.broadcast_add(bias)
    }

    /// The gradients of input, weight, bias and shortcut.
    ///
    /// With `g` the gradient behind ReLU, `x̂` the normalised input and `n` rows (Ioffe & Szegedy 2015, section 3):
    /// `dx = weight / deviation · (g - Σg / n - x̂ · Σ(g·x̂) / n)`; the two means fall away where the statistics are given.
    fn gradients(&self, y: &Tensor, gradient: &Tensor) -> Result<Vec<Tensor>> {
        let of_shortcut = match self.relu {
            true => {
                let gradient = if self.guided { gradient.relu()? } else { gradient.clone() };
                (&gradient * y.gt(0.0)?.to_dtype(gradient.dtype())?)?
            }
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
        Ok(vec![of_x, of_weight, of_bias, of_shortcut])
    }
}

/// `[rows, channels]` → `[channels]`, as a matrix product: candle's own sum over rows gives each channel to one block of
/// threads on a GPU, which leaves most of it idle.
fn sum_of_rows(rows: &Tensor) -> Result<Tensor> {
    Tensor::ones((1, rows.dim(0)?), rows.dtype(), rows.device())?.matmul(rows)?.squeeze(0)
}

fn in_f64(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.to_vec1()
}
