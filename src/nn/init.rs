//! Initial values, drawn from our own seeded generator (candle's on the CPU cannot be seeded).

use candle_core::{DType, Device, Result, Shape, Var};
use rand_distr::{Distribution, StandardNormal};

use crate::random::Generator;

/// Kaiming's standard deviation `sqrt(2 / (1 + a²) / fan)` for a leaky ReLU of slope `a`.
///
/// ```
/// use toalign::nn::init::kaiming_deviation;
/// // torch.nn.init.calculate_gain("leaky_relu", a) / fan ** 0.5
/// assert!((kaiming_deviation(8, 0.0) - 0.5).abs() < 1e-12);
/// assert!((kaiming_deviation(2, 1.0) - 0.5f64.sqrt()).abs() < 1e-12);
/// assert!((kaiming_deviation(2048, 100.0) - 3.124_843_8e-4).abs() < 1e-9);
/// ```
pub fn kaiming_deviation(fan: usize, slope: f64) -> f64 {
    (2.0 / (1.0 + slope * slope) / fan as f64).sqrt()
}

/// A tensor of normal values with mean 0; drawn in f64, so that f32 and f64 networks start alike.
pub fn normal(
    shape: impl Into<Shape>,
    deviation: f64,
    dtype: DType,
    generator: &mut Generator,
) -> Result<Var> {
    let shape = shape.into();
    let values: Vec<f64> = (0..shape.elem_count())
        .map(|_| {
            let value: f64 = StandardNormal.sample(generator);
            value * deviation
        })
        .collect();
    let tensor = candle_core::Tensor::from_vec(values, shape, &Device::Cpu)?;
    Var::from_tensor(&tensor.to_dtype(dtype)?)
}

/// A tensor of one value everywhere.
pub fn constant(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Var> {
    let tensor = candle_core::Tensor::full(value, shape, &Device::Cpu)?;
    Var::from_tensor(&tensor.to_dtype(dtype)?)
}
