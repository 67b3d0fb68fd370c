//! Stochastic gradient descent with Nesterov momentum and weight decay, as `torch.optim.SGD` computes it.

#[cfg(feature = "cudnn")]
use candle_core::DType;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp3, Layout, Tensor, Var, bail};

#[cfg(feature = "cudnn")]
use crate::cuda;

use super::composed;
use super::parameters::{Group, Parameter, Role, in_file_layout};
use crate::cpu::element::{Element, contiguous, vectorised};
use crate::error::{Result, complain};

/// Momentum and weight decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSettings {
    /// How much of the last direction is kept, in [0, 1).
    pub momentum: f64,
    /// Whether to look ahead along the momentum (Sutskever et al. 2013).
    pub nesterov: bool,
    /// Fraction of every trained tensor that is added to its gradient.
    pub weight_decay: f64,
}

/// The learning rate of each part of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupRates {
    /// Of the backbone.
    pub backbone: f64,
    /// Of the heads.
    pub head: f64,
    /// Of the discriminator.
    pub discriminator: f64,
}

impl GroupRates {
    fn of(&self, group: Group) -> f64 {
        match group {
            Group::Backbone => self.backbone,
            Group::Head => self.head,
            Group::Discriminator => self.discriminator,
        }
    }
}

/// The optimiser and its momentum.
pub struct Sgd {
    slots: Vec<Slot>,
    settings: SgdSettings,
}

struct Slot {
    parameter: Parameter,
    group: Group,
    momentum: Var,
}

impl Slot {
    /// In one pass over the memory for the momentum, and one for the weight.
    fn update(&self, settings: SgdSettings, gradient: &Tensor, rate: f64) -> candle_core::Result<()> {
        let weight = &self.parameter.value;
        self.momentum.inplace_op3(gradient, weight, &Update(Pass::Velocity, settings))?;
        weight.inplace_op3(gradient, &self.momentum, &Update(Pass::Weight { rate }, settings))
    }

    fn update_composed(
        &self,
        settings: SgdSettings,
        gradient: &Tensor,
        rate: f64,
    ) -> candle_core::Result<()> {
        let SgdSettings { momentum, nesterov, weight_decay } = settings;
        let weight = self.parameter.value.as_detached_tensor();
        let decayed = (gradient.detach() + (&weight * weight_decay)?)?;
        let velocity = ((self.momentum.as_detached_tensor() * momentum)? + &decayed)?;
        let direction = if nesterov { (decayed + (&velocity * momentum)?)? } else { velocity.clone() };
        self.parameter.value.set(&(weight - (direction * rate)?)?)?;
        self.momentum.set(&velocity)
    }
}

impl Sgd {
    /// An optimiser of the trained ones among `parameters`, with zero momentum.
    ///
    /// PyTorch's first step takes the gradient itself as momentum; from a momentum of zero that is the same.
    pub fn new(parameters: Vec<Parameter>, settings: SgdSettings) -> Result<Self> {
        let mut slots = Vec::new();
        for parameter in parameters {
            if let Role::Trained(group) = parameter.role {
                let momentum = Var::from_tensor(&parameter.value.zeros_like()?)?;
                slots.push(Slot { parameter, group, momentum });
            }
        }
        Ok(Self { slots, settings })
    }

    /// One step: `d = g + λw; v ← μv + d; w ← w - η(d + μv)`, or `w ← w - ηv` without Nesterov.
    ///
    /// A tensor without a gradient (a discriminator that the loss does not use) stays as it is, as in PyTorch.
    pub fn step(&mut self, gradients: &GradStore, rates: &GroupRates) -> Result<()> {
        #[cfg(feature = "cudnn")]
        if self
            .slots
            .iter()
            .all(|slot| slot.momentum.device().is_cuda() && slot.momentum.dtype() == DType::F32)
        {
            return self.step_on_gpu(gradients, rates);
        }
        self.update_all(gradients, rates, |slot, settings, gradient, rate| {
            match composed::on(gradient.device()) {
                true => slot.update_composed(settings, gradient, rate),
                false => slot.update(settings, gradient, rate),
            }
        })
    }

    /// The same as [`Sgd::step`] out of candle's own operations: for other devices, and to test against.
    pub fn step_composed(&mut self, gradients: &GradStore, rates: &GroupRates) -> Result<()> {
        self.update_all(gradients, rates, Slot::update_composed)
    }

    #[cfg(feature = "cudnn")]
    fn step_on_gpu(&mut self, gradients: &GradStore, rates: &GroupRates) -> Result<()> {
        let with_gradient = self.slots.iter().filter_map(|slot| {
            let gradient = gradients.get(&slot.parameter.value)?;
            Some(gradient.contiguous().map(|gradient| (slot, gradient)))
        });
        let with_gradient: Vec<(&Slot, Tensor)> = with_gradient.collect::<candle_core::Result<_>>()?;
        let slots: Vec<cuda::sgd::Slot> = with_gradient
            .iter()
            .map(|(slot, gradient)| cuda::sgd::Slot {
                weight: &slot.parameter.value,
                velocity: &slot.momentum,
                gradient,
                rate: rates.of(slot.group),
            })
            .collect();
        let SgdSettings { momentum, nesterov, weight_decay } = self.settings;
        Ok(cuda::sgd::step(&slots, momentum, weight_decay, nesterov)?)
    }

    fn update_all(
        &mut self,
        gradients: &GradStore,
        rates: &GroupRates,
        update: impl Fn(&Slot, SgdSettings, &Tensor, f64) -> candle_core::Result<()>,
    ) -> Result<()> {
        for slot in &self.slots {
            if let Some(gradient) = gradients.get(&slot.parameter.value) {
                update(slot, self.settings, &gradient.contiguous()?, rates.of(slot.group))?;
            }
        }
        Ok(())
    }

    /// The momentum of every trained tensor by name, as PyTorch would store it.
    pub fn momentum(&self) -> Result<Vec<(String, Tensor)>> {
        self.slots
            .iter()
            .map(|slot| {
                let stored = in_file_layout(slot.momentum.as_tensor(), slot.parameter.layout)?;
                Ok((slot.parameter.name.clone(), stored))
            })
            .collect()
    }

    /// Sets the momentum of the tensor `name` from PyTorch's layout.
    ///
    /// # Errors
    /// If there is no such tensor or the shape does not fit.
    pub fn set_momentum(&mut self, name: &str, stored: &Tensor) -> Result<()> {
        let Some(slot) = self.slots.iter().find(|slot| slot.parameter.name == name) else {
            return Err(complain("the momentum of a trained tensor", format!("'{name}'")).into());
        };
        let momentum = Parameter { value: slot.momentum.clone(), ..slot.parameter.clone() };
        if stored.dims() != momentum.file_shape() {
            let expected = format!("a momentum of shape {:?} for '{name}'", momentum.file_shape());
            return Err(complain(expected, format!("{:?}", stored.dims())).into());
        }
        momentum.set_from_file(stored)
    }
}

/// One of the two passes of a step over the memory.
enum Pass {
    /// `v ← μv + g + λw`, of `(v, g, w)`.
    Velocity,
    /// `w ← w - η(g + λw + μv)` with Nesterov, else `w ← w - ηv`, of `(w, g, v)`.
    Weight { rate: f64 },
}

struct Update(Pass, SgdSettings);

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn cpu_fwd(
        &self,
        target: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> candle_core::Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("sgd: expected a contiguous tensor");
        };
        let (gradient, other) = ((gradient, gradient_layout), (other, other_layout));
        match target {
            CpuStorage::F32(target) => self.run(&mut target[start..end], gradient, other),
            CpuStorage::F64(target) => self.run(&mut target[start..end], gradient, other),
            _ => bail!("sgd: expected elements of type f32 or f64"),
        }
    }
}

impl Update {
    fn run<T: Element>(
        &self,
        target: &mut [T],
        (gradient, gradient_layout): (&CpuStorage, &Layout),
        (other, other_layout): (&CpuStorage, &Layout),
    ) -> candle_core::Result<()> {
        let gradient = contiguous(gradient, gradient_layout)?;
        let other = contiguous(other, other_layout)?;
        let SgdSettings { momentum, nesterov, weight_decay } = self.1;
        let (momentum, decay) = (T::from_f64(momentum), T::from_f64(weight_decay));
        match self.0 {
            Pass::Velocity => in_place(target, gradient, other, |velocity, gradient, weight| {
                *velocity = momentum * *velocity + (gradient + decay * weight);
            }),
            Pass::Weight { rate } => {
                let rate = T::from_f64(rate);
                in_place(target, gradient, other, |weight, gradient, velocity| {
                    let ahead = gradient + decay * *weight + momentum * velocity;
                    *weight -= rate * if nesterov { ahead } else { velocity };
                })
            }
        }
    }
}

fn in_place<T: Element>(
    target: &mut [T],
    first: &[T],
    second: &[T],
    update: impl Fn(&mut T, T, T),
) -> candle_core::Result<()> {
    if first.len() != target.len() || second.len() != target.len() {
        bail!("sgd: expected {} elements, found {} and {}", target.len(), first.len(), second.len());
    }
    vectorised(
        #[inline(always)]
        || {
            for ((target, &first), &second) in target.iter_mut().zip(first).zip(second) {
                update(target, first, second);
            }
        },
    );
    Ok(())
}
