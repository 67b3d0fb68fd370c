//! The whole backbone as one differentiable operation of candle: pictures and flat parameters in, features out.

use std::any::Any;
use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use super::backbone_pass::{Forward, Pass, Tape};
use super::backbone_plan::Plan;
use crate::nn::batch_norm_kernel::Moments;
use crate::nn::buffers::Buffers;
use crate::nn::element::{Element, contiguous, unsupported, with_elements};

/// Memory for passes in either precision.
#[derive(Debug, Default)]
pub(super) struct Memory {
    single: Buffers<f32>,
    double: Buffers<f64>,
}

/// An element type that [`Memory`] has buffers of.
trait Stored: Element {
    fn buffers(memory: &Memory) -> &Buffers<Self>;
}

impl Stored for f32 {
    fn buffers(memory: &Memory) -> &Buffers<Self> {
        &memory.single
    }
}

impl Stored for f64 {
    fn buffers(memory: &Memory) -> &Buffers<Self> {
        &memory.double
    }
}

/// The moments that the forward pass found: one list per batch norm, in the plan's order, one entry per domain.
pub(super) type FoundMoments = Arc<Mutex<Vec<Vec<Moments>>>>;

pub(super) struct BackboneOp {
    plan: Plan,
    memory: Arc<Memory>,
    /// Whether a backward pass may follow.
    keep: bool,
    channels: usize,
    tape: Mutex<Option<Box<dyn Any + Send>>>,
    moments: FoundMoments,
}

impl BackboneOp {
    pub fn new(plan: Plan, memory: Arc<Memory>, keep: bool, channels: usize) -> (Self, FoundMoments) {
        let moments = FoundMoments::default();
        let op = Self { plan, memory, keep, channels, tape: Mutex::new(None), moments: moments.clone() };
        (op, moments)
    }

    fn pass<'a, T: Stored>(&'a self, parameters: &'a [T]) -> Pass<'a, T> {
        Pass { plan: &self.plan, parameters, buffers: T::buffers(&self.memory) }
    }

    fn forward<T: Stored>(
        &self,
        (images, image_layout): (&CpuStorage, &Layout),
        (parameters, parameter_layout): (&CpuStorage, &Layout),
    ) -> Result<(CpuStorage, Shape)> {
        let images = contiguous::<T>(images, image_layout)?;
        let pass = self.pass(contiguous::<T>(parameters, parameter_layout)?);
        let Forward { feature, tape, moments } = pass.forward(images, image_layout.dims(), self.keep)?;
        *lock(&self.moments) = moments;
        *lock(&self.tape) = tape.map(|tape| Box::new(tape) as Box<dyn Any + Send>);
        let batch = feature.len() / self.channels;
        Ok((T::to_cpu_storage_owned(feature), Shape::from((batch, self.channels))))
    }

    fn backward<T: Stored>(&self, images: &Tensor, parameters: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let Some(tape) = lock(&self.tape).take().and_then(|tape| tape.downcast::<Tape<T>>().ok()) else {
            bail!(
                "backbone: expected one backward pass for each forward pass, found a second one; what it needs is \
                 given back after the first. Call forward again, or ResNet::forward_by_layers, which keeps everything"
            );
        };
        let result = with_elements::<T, _>(images, |images| {
            with_elements::<T, _>(parameters, |parameters| {
                with_elements::<T, _>(gradient, |gradient| {
                    self.pass(parameters).backward(*tape, images, gradient)
                })
            })
        })???;
        Tensor::from_vec(result, parameters.shape(), parameters.device())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl CustomOp2 for BackboneOp {
    fn name(&self) -> &'static str {
        "backbone"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match s1 {
            CpuStorage::F32(_) => self.forward::<f32>((s1, l1), (s2, l2)),
            CpuStorage::F64(_) => self.forward::<f64>((s1, l1), (s2, l2)),
            _ => bail!("backbone: expected elements of type f32 or f64"),
        }
    }

    fn bwd(
        &self,
        images: &Tensor,
        parameters: &Tensor,
        _feature: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let result = match images.dtype() {
            DType::F32 => self.backward::<f32>(images, parameters, &gradient)?,
            DType::F64 => self.backward::<f64>(images, parameters, &gradient)?,
            other => return unsupported(self.name(), other),
        };
        Ok((None, Some(result)))
    }
}
