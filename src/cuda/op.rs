//! The whole backbone on a GPU as one differentiable operation of candle: pictures in, features out.

use std::sync::Mutex;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, DType, Result, Shape, Storage, Tensor, Var, bail};

use super::backward::Gradients;
use super::batch_norm::Tensors;
use super::convolution::{BLOCK, blocks};
use super::forward::{Pass, Statistics, UnitTensors};
use super::gpu::{Address, Elements, Gpu, Kept, MOST_DOMAINS, launch};
use crate::cpu::batch_norm::MOMENTUM;
use crate::cpu::resnet::plan::Plan;
use crate::device::Precision;
use crate::device::outside_graph::{once, with_gradient};

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
        let statistics = Statistics::OfTheBatch(kept);
        let pass = self.pass(&gpu, &prepared, statistics);
        let (feature, tape) = pass.forward(prepared.images, images.dims(), true)?;
        if gpu.precision != Precision::Bf16 {
            prepared.images = 0; // f32 pictures are at hand on the way back
        }
        // The GPU is busy from here on: candle's graph is built meanwhile.
        let feature = tensor(&gpu, feature, (images.dim(0)?, self.channels));
        let tape = Mutex::new(tape.map(|tape| (tape, prepared)));
        let parameters: Vec<Var> = self.units.iter().flat_map(|unit| unit.trained.clone()).collect();
        let inputs: Vec<&Tensor> = parameters.iter().map(Var::as_tensor).collect();
        with_gradient("backbone-on-gpu", &inputs, feature, move |_, gradient| {
            let (tape, prepared) = once(&tape)?;
            let images = if prepared.images == 0 { address(&gpu, &images)? } else { prepared.images };
            let pass = self.pass(&gpu, &prepared, statistics);
            let gradients = pass.backward(tape, images, address(&gpu, gradient)?)?;
            let of_unit = |Gradients { kernel, scale, shift }| [kernel, scale, shift];
            let trained = self.units.iter().flat_map(|unit| &unit.trained);
            let gradients = gradients.into_iter().flat_map(of_unit).zip(trained);
            Ok(gradients.map(|(memory, parameter)| tensor(&gpu, memory, parameter.shape())).collect())
        })
    }

    /// The features by the running statistics, without a graph.
    pub fn infer(&self, images: &Tensor) -> Result<Tensor> {
        let images = images.contiguous()?;
        let gpu = self.gpu(&images)?;
        let prepared = self.prepare(&gpu, address(&gpu, &images)?, images.elem_count())?;
        let pass = self.pass(&gpu, &prepared, Statistics::Running);
        let (feature, _) = pass.forward(prepared.images, images.dims(), false)?;
        Ok(tensor(&gpu, feature, (images.dim(0)?, self.channels)))
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
            launch!(gpu, to_elements[blocks(count), BLOCK](address, at, count))?;
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
