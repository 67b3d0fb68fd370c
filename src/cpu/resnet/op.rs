//! The whole backbone as one differentiable operation of candle: pictures in, features out.

use std::any::Any;
use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, Var, bail};

use super::forward::{Forward, Pass, Tape};
use super::plan::{Gradients, Plan, Tensors};
use crate::cpu::batch_norm::Moments;
use crate::cpu::buffers::Buffers;
use crate::cpu::element::{Element, contiguous, unsupported, with_elements};
use crate::device::left_gradients::{LeftGradients, second_backward};
use crate::lock::lock;

/// Memory for passes in either precision.
#[derive(Debug, Default)]
pub(crate) struct Memory {
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

/// The moments that a forward pass found: one list per batch norm, in the plan's order, one entry per domain.
pub(crate) type FoundMoments = Vec<Vec<Moments>>;

/// A network ready to run: what to do, and with which tensors.
pub(crate) struct Network {
    pub plan: Plan,
    /// Kernel, scale and shift of every unit, in the plan's order.
    pub parameters: Vec<[Var; 3]>,
    pub memory: Arc<Memory>,
    /// Channels of the feature.
    pub channels: usize,
}

impl Network {
    /// The features of `images` `[batch, height, width, 3]`, in candle's graph, and the moments of their batch norms.
    pub fn forward(self, images: &Tensor) -> Result<(Tensor, FoundMoments)> {
        let left = LeftGradients::default();
        let token = left.token(self.parameters.iter().flatten(), images)?;
        let moments = Arc::default();
        let op = BackboneOp {
            network: self,
            tape: Mutex::new(None),
            moments: Arc::clone(&moments),
            gradients: left,
        };
        let features = images.contiguous()?.apply_op2(&token, op)?;
        let moments = std::mem::take(&mut *lock(&moments));
        Ok((features, moments))
    }

    /// The features by the running statistics, without a graph.
    pub fn infer(&self, images: &Tensor) -> Result<Tensor> {
        match images.dtype() {
            DType::F32 => self.infer_as::<f32>(images),
            DType::F64 => self.infer_as::<f64>(images),
            other => unsupported("backbone", other),
        }
    }

    fn infer_as<T: Stored>(&self, images: &Tensor) -> Result<Tensor> {
        let images = images.contiguous()?;
        let feature = with_elements::<T, _>(&images, |elements| {
            self.with_pass::<T, _>(|pass| pass.infer(elements, images.dims()))
        })???;
        let batch = feature.len() / self.channels;
        Tensor::from_vec(feature, (batch, self.channels), images.device())
    }

    /// Lends the elements of all parameters to a pass, which runs on a thread of rayon's pool: the many short loops of a pass
    /// then start without waking another thread first.
    fn with_pass<T: Stored, R: Send>(&self, run: impl FnOnce(Pass<T>) -> R + Send) -> Result<R> {
        let storages: Vec<_> =
            self.parameters.iter().flatten().map(|parameter| parameter.storage_and_layout()).collect();
        let elements: Vec<&[T]> = storages
            .iter()
            .map(|(storage, layout)| match &**storage {
                Storage::Cpu(storage) => contiguous(storage, layout),
                _ => bail!("backbone: expected parameters on the CPU"),
            })
            .collect::<Result<_>>()?;
        let (units, _) = elements.as_chunks::<3>();
        let tensors = units.iter().map(|&[kernel, scale, shift]| Tensors { kernel, scale, shift });
        let pass = Pass { plan: &self.plan, tensors: tensors.collect(), buffers: T::buffers(&self.memory) };
        Ok(rayon::scope(|_| run(pass)))
    }
}

struct BackboneOp {
    network: Network,
    tape: Mutex<Option<Box<dyn Any + Send>>>,
    moments: Arc<Mutex<FoundMoments>>,
    gradients: LeftGradients,
}

impl BackboneOp {
    fn forward<T: Stored>(&self, (images, layout): (&CpuStorage, &Layout)) -> Result<(CpuStorage, Shape)> {
        let images = contiguous::<T>(images, layout)?;
        let Forward { feature, tape, moments } =
            self.network.with_pass::<T, _>(|pass| pass.forward(images, layout.dims()))??;
        *lock(&self.moments) = moments;
        *lock(&self.tape) = Some(Box::new(tape));
        let batch = feature.len() / self.network.channels;
        Ok((T::to_cpu_storage_owned(feature), Shape::from((batch, self.network.channels))))
    }

    fn backward<T: Stored>(&self, images: &Tensor, gradient: &Tensor) -> Result<()> {
        let Some(tape) = lock(&self.tape).take().and_then(|tape| tape.downcast::<Tape<T>>().ok()) else {
            return second_backward();
        };
        let gradients = with_elements::<T, _>(images, |images| {
            with_elements::<T, _>(gradient, |gradient| {
                self.network.with_pass::<T, _>(|pass| pass.backward(*tape, images, gradient))
            })
        })???;
        let mut left = Vec::new();
        for (Gradients { kernel, scale, shift }, parameters) in
            gradients.into_iter().zip(&self.network.parameters)
        {
            for (gradient, parameter) in [kernel, scale, shift].into_iter().zip(parameters) {
                left.push(Tensor::from_vec(gradient, parameter.shape(), parameter.device())?);
            }
        }
        self.gradients.leave(left);
        Ok(())
    }
}

impl CustomOp2 for BackboneOp {
    fn name(&self) -> &'static str {
        "backbone"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        layout: &Layout,
        _token: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match images {
            CpuStorage::F32(_) => self.forward::<f32>((images, layout)),
            CpuStorage::F64(_) => self.forward::<f64>((images, layout)),
            _ => bail!("backbone: expected elements of type f32 or f64"),
        }
    }

    fn bwd(
        &self,
        images: &Tensor,
        token: &Tensor,
        _feature: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        match images.dtype() {
            DType::F32 => self.backward::<f32>(images, &gradient)?,
            DType::F64 => self.backward::<f64>(images, &gradient)?,
            other => return unsupported(self.name(), other),
        }
        Ok((None, Some(token.zeros_like()?)))
    }
}
