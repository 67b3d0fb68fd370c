//! The whole backbone on a GPU as one differentiable operation of candle: pictures in, features out.

use std::sync::Mutex;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, Var, bail,
};

use super::backward::Gradients;
use super::batch_norm::Tensors;
use super::convolution::{BLOCK, blocks};
use super::forward::{Pass, Statistics, Tape, UnitTensors};
use super::gpu::{Address, Elements, Gpu, Kept, MOST_DOMAINS, launch};
use crate::cpu::batch_norm::MOMENTUM;
use crate::cpu::resnet::plan::Plan;
use crate::device::Precision;
use crate::device::left_gradients::{LeftGradients, second_backward};
use crate::lock::lock;

/// The tensors of a unit, all f32 on the GPU.
pub(crate) struct UnitVars {
    /// Kernel, scale and shift, which are trained.
    pub trained: [Var; 3],
    /// Running mean and variance, which follow.
    pub running: [Var; 2],
}

/// A network ready to run on a GPU.
pub(crate) struct Network {
    pub plan: Plan,
    /// In the plan's order.
    pub units: Vec<UnitVars>,
    /// Channels of the feature.
    pub channels: usize,
    pub precision: Precision,
}

impl Network {
    /// The features of `images` `[batch, height, width, 3]`, in candle's graph. The running statistics move: towards the
    /// batch of each domain as often as `updates` says.
    pub fn forward(self, images: &Tensor, updates: &[u32]) -> Result<Tensor> {
        let mut kept = Kept([1.0; MOST_DOMAINS]);
        for (kept, updates) in kept.0.iter_mut().zip(updates) {
            *kept = (1.0 - MOMENTUM).powi(*updates as i32);
        }
        let images = images.contiguous()?;
        let gpu = self.gpu(&images)?;
        let mut prepared = self.prepare(&gpu, address(&gpu, &images)?, images.elem_count())?;
        let pass = self.pass(&gpu, &prepared, Statistics::OfTheBatch(kept));
        let (feature, tape) = pass.forward(prepared.images, images.dims(), true)?;
        if gpu.precision != Precision::Bf16 {
            prepared.images = 0; // f32 pictures are at hand on the way back
        }
        // The GPU is busy from here on: candle's graph is built meanwhile.
        let gradients = LeftGradients::default();
        let token = gradients.token(self.units.iter().flat_map(|unit| &unit.trained), &images)?;
        let tape = tape.map(|tape| (tape, prepared));
        let (feature, tape) = (Mutex::new(Some(feature)), Mutex::new(tape));
        images.apply_op2(&token, BackboneOp { network: self, kept, feature, tape, gradients })
    }

    /// The features by the running statistics, without a graph.
    pub fn infer(&self, images: &Tensor) -> Result<Tensor> {
        let images = images.contiguous()?;
        let gpu = self.gpu(&images)?;
        let prepared = self.prepare(&gpu, address(&gpu, &images)?, images.elem_count())?;
        let pass = self.pass(&gpu, &prepared, Statistics::Running);
        let (feature, _) = pass.forward(prepared.images, images.dims(), false)?;
        Ok(tensor(&gpu, feature, Shape::from((images.dim(0)?, self.channels))))
    }

    fn gpu(&self, images: &Tensor) -> Result<Gpu> {
        match images.device() {
            candle_core::Device::Cuda(device) => Gpu::new(device, self.precision),
            other => bail!("backbone on the GPU: expected pictures on a GPU, found them on {other:?}"),
        }
    }

    /// Where everything lies that a pass reads; in bf16, copies of pictures and kernels in that form.
    fn prepare(&self, gpu: &Gpu, images: Address, count: usize) -> Result<Prepared> {
        let rounds = gpu.precision == Precision::Bf16;
        let mut rounded = Vec::new();
        let mut elements = |address: Address, count: usize| -> Result<Address> {
            if !rounds {
                return Ok(address);
            }
            let copy = gpu.elements(count)?;
            let at = gpu.map(&copy);
            launch!(gpu, "to_elements", blocks(count), BLOCK, address, at, count)?;
            rounded.push(copy);
            Ok(at)
        };
        let images = elements(images, count)?;
        let mut tensors = Vec::with_capacity(self.units.len());
        for UnitVars { trained: [kernel, scale, shift], running: [mean, variance] } in &self.units {
            tensors.push(UnitTensors {
                kernel: elements(address(gpu, kernel)?, kernel.elem_count())?,
                norm: Tensors {
                    scale: address(gpu, scale)?,
                    shift: address(gpu, shift)?,
                    running_mean: address(gpu, mean)?,
                    running_variance: address(gpu, variance)?,
                },
            });
        }
        Ok(Prepared { images, tensors, _rounded: rounded })
    }

    fn pass<'a>(&'a self, gpu: &'a Gpu, prepared: &Prepared, statistics: Statistics) -> Pass<'a> {
        Pass { gpu, plan: &self.plan, tensors: prepared.tensors.clone(), statistics }
    }
}

struct Prepared {
    images: Address,
    tensors: Vec<UnitTensors>,
    /// Keeps the copies alive that the addresses lead to.
    _rounded: Vec<Elements>,
}

/// Where an f32 tensor of contiguous elements lies; valid as long as the tensor lives.
pub(super) fn address(gpu: &Gpu, tensor: &Tensor) -> Result<Address> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        bail!("backbone on the GPU: expected a tensor on the GPU, found one on the CPU");
    };
    if storage.dtype() != DType::F32 || !layout.is_contiguous() {
        bail!(
            "backbone on the GPU: expected contiguous f32, found {:?} with strides {:?}",
            storage.dtype(),
            layout.stride()
        );
    }
    let bytes = layout.start_offset() * size_of::<f32>();
    Ok(gpu.at(storage.as_cuda_slice::<f32>()?) + bytes as Address)
}

pub(super) fn tensor(gpu: &Gpu, memory: CudaSlice<f32>, shape: impl Into<Shape>) -> Tensor {
    let storage = CudaStorage::wrap_cuda_slice(memory, gpu.device.clone());
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

struct BackboneOp {
    network: Network,
    kept: Kept,
    /// What the pass found before the operation enters the graph.
    feature: Mutex<Option<CudaSlice<f32>>>,
    tape: Mutex<Option<(Tape, Prepared)>>,
    gradients: LeftGradients,
}

impl CustomOp2 for BackboneOp {
    fn name(&self) -> &'static str {
        "backbone-on-gpu"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{}: expected tensors on a GPU, found them on the CPU", self.name())
    }

    fn cuda_fwd(
        &self,
        images: &CudaStorage,
        layout: &Layout,
        _token: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let Some(feature) = lock(&self.feature).take() else {
            bail!("{}: expected one forward pass, found a second one", self.name());
        };
        let shape = Shape::from((layout.dims()[0], self.network.channels));
        Ok((CudaStorage::wrap_cuda_slice(feature, images.device.clone()), shape))
    }

    fn bwd(
        &self,
        images: &Tensor,
        token: &Tensor,
        _feature: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some((tape, prepared)) = lock(&self.tape).take() else {
            return second_backward();
        };
        let gpu = self.network.gpu(images)?;
        let images = if prepared.images == 0 { address(&gpu, images)? } else { prepared.images };
        let gradient = gradient.contiguous()?;
        let pass = self.network.pass(&gpu, &prepared, Statistics::OfTheBatch(self.kept));
        let gradients = pass.backward(tape, images, address(&gpu, &gradient)?)?;
        let units = gradients.into_iter().zip(&self.network.units);
        self.gradients.leave(units.flat_map(|(Gradients { kernel, scale, shift }, unit)| {
            let [of_kernel, of_scale, of_shift] = &unit.trained;
            [(kernel, of_kernel), (scale, of_scale), (shift, of_shift)]
                .map(|(memory, parameter)| tensor(&gpu, memory, parameter.shape()))
        }));
        Ok((None, Some(token.zeros_like()?)))
    }
}
