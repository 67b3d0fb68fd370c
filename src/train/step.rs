//! One training step: the losses of a batch, their gradients, one step of SGD. Whatever trains or times steps calls it.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::method::{Losses, Method, StepInput};
use crate::model::Model;
use crate::nn::sgd::{GroupRates, Sgd};

/// The parts of a step, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The losses.
    Forward,
    /// Their gradients.
    Backward,
    /// SGD.
    Optimiser,
}

/// Takes one step and gives every loss by its name, `total` among them, and every measure; `done` is told of each part that is done.
///
/// # Errors
/// If a shape does not fit, or a loss is not finite; the weights are then as they were.
pub fn step(
    method: &dyn Method,
    model: &Model,
    optimiser: &mut Sgd,
    input: &StepInput,
    rates: &GroupRates,
    done: &mut dyn FnMut(Part) -> Result<()>,
) -> Result<BTreeMap<String, f64>> {
    let mut losses = method.losses(model, input)?;
    done(Part::Forward)?;
    let gradients = method.gradients(model, input, rates, &mut losses)?;
    done(Part::Backward)?;
    // Only now: to read a number is to wait for the GPU, which has the backward pass to do meanwhile.
    let values = finite_values(&losses, input.step)?;
    optimiser.step(&gradients, rates)?;
    done(Part::Optimiser)?;
    Ok(values)
}

/// Every loss as a number; the parts come first, so that a message names the one that went wrong.
fn finite_values(losses: &Losses, step: usize) -> Result<BTreeMap<String, f64>> {
    let total = ("total", losses.total.clone());
    let mut values = BTreeMap::new();
    for (name, loss) in losses.parts.iter().chain([&total]) {
        let value = number(loss)?;
        if !value.is_finite() {
            return Err(Error::NotFinite { loss: (*name).to_owned(), value, step });
        }
        values.insert((*name).to_owned(), value);
    }
    values.extend(losses.measures.read()?.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(values)
}

fn number(scalar: &Tensor) -> Result<f64> {
    Ok(scalar.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}
