//! Batch norm, fused with what follows it in a ResNet: the sum with the shortcut, and ReLU.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::batch_norm_op::{BatchNormOp, Statistics};
use super::composed;
use super::init;
use super::parameters::{FileLayout, Group, Parameter, Role, moved};
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
    ///
    /// # Errors
    /// If candle cannot allocate it.
    pub fn new(channels: usize, dtype: DType) -> Result<Self> {
        Ok(Self {
            weight: init::constant(channels, 1.0, dtype)?,
            bias: init::constant(channels, 0.0, dtype)?,
            running_mean: init::constant(channels, 0.0, dtype)?,
            running_var: init::constant(channels, 1.0, dtype)?,
        })
    }

    /// The same on `device`.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            weight: moved(&self.weight, device)?,
            bias: moved(&self.bias, device)?,
            running_mean: moved(&self.running_mean, device)?,
            running_var: moved(&self.running_var, device)?,
        })
    }

    /// Normalises `x` `[…, channels]`.
    ///
    /// # Errors
    /// If the channels do not fit.
    pub fn forward(&self, x: &Tensor, mode: Mode, then: Then) -> Result<Tensor> {
        if composed::on(x.device()) {
            return self.forward_composed(x, mode, then);
        }
        let statistics = match mode {
            Mode::Training { .. } => Statistics::OfTheBatch,
            Mode::Evaluation => Statistics::Given(self.running_moments()?),
        };
        let (op, batch_statistics) = BatchNormOp::new(statistics, EPSILON, !matches!(then, Then::Nothing));
        let affine = Tensor::stack(&[self.weight.as_tensor(), self.bias.as_tensor()], 0)?;
        let x = x.contiguous()?;
        let y = match then {
            Then::AddAndRelu(shortcut) => x.apply_op3(&affine, &shortcut.contiguous()?, op)?,
            Then::Nothing | Then::Relu => x.apply_op2(&affine, op)?,
        };
        if let Mode::Training { statistics_updates } = mode
            && let Some(moments) = batch_statistics.get()
        {
            self.follow(moments, statistics_updates)?;
        }
        Ok(y)
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
        [
            ("weight", &self.weight, Role::Trained(group)),
            ("bias", &self.bias, Role::Trained(group)),
            ("running_mean", &self.running_mean, Role::Statistic),
            ("running_var", &self.running_var, Role::Statistic),
        ]
        .into_iter()
        .map(|(part, value, role)| Parameter {
            name: format!("{name}.{part}"),
            value: value.clone(),
            role,
            layout: FileLayout::Same,
        })
        .collect()
    }
}

fn in_f64(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.to_vec1()
}
