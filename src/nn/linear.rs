//! A fully connected layer, and dropout with a seeded mask.

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::Rng;

use super::init;
use super::parameters::{Group, Parameter, Role, moved};
use crate::random::Generator;

/// `y = x Wᵀ + b`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Var,
    /// `[outputs]`.
    pub bias: Var,
}

impl Linear {
    /// Kaiming normal over the fan-in for a leaky ReLU of `slope`, zero bias.
    pub fn new(
        inputs: usize,
        outputs: usize,
        slope: f64,
        dtype: DType,
        generator: &mut Generator,
    ) -> Result<Self> {
        let deviation = init::kaiming_deviation(inputs, slope);
        Ok(Self {
            weight: init::normal((outputs, inputs), deviation, dtype, generator)?,
            bias: init::constant(outputs, 0.0, dtype)?,
        })
    }

    /// The same on `device`.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { weight: moved(&self.weight, device)?, bias: moved(&self.bias, device)? })
    }

    /// `[batch, inputs]` → `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }

    /// `NAME.weight` and `NAME.bias`.
    pub fn parameters(&self, name: &str, group: Group) -> Vec<Parameter> {
        let role = Role::Trained(group);
        Parameter::same(name, [("weight", &self.weight, role), ("bias", &self.bias, role)])
    }
}

/// Sets each element to 0 with probability `rate` and divides the others by `1 - rate` (Srivastava et al. 2014).
pub fn dropout(x: &Tensor, rate: f64, generator: &mut Generator) -> Result<Tensor> {
    if rate == 0.0 {
        return Ok(x.clone());
    }
    let kept = 1.0 / (1.0 - rate);
    let mask: Vec<f32> = (0..x.elem_count())
        .map(|_| if generator.random::<f64>() < rate { 0.0 } else { kept as f32 })
        .collect();
    let mask = Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
    x * mask
}
