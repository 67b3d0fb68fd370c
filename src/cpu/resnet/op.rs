//! The whole backbone as one differentiable operation of candle: pictures in, features out.

use std::sync::{Arc, Mutex};

use candle_core::{DType, Result, Storage, Tensor, Var, bail};

use super::forward::{Forward, Pass};
use super::plan::{Gradients, Plan, Tensors};
use crate::cpu::batch_norm::Moments;
use crate::cpu::buffers::Buffers;
use crate::cpu::element::{Element, contiguous, unsupported, with_elements};
use crate::device::outside_graph::{once, with_gradient};

/// The moments that a forward pass found: one list per batch norm, in the plan's order, one entry per domain.
pub(crate) type FoundMoments = Vec<Vec<Moments>>;

/// A network ready to run: what to do, and with which tensors.
pub(crate) struct Network {
    pub plan: Plan,
    /// Kernel, scale and shift of every unit, in the plan's order.
    pub parameters: Vec<[Var; 3]>,
    pub memory: Arc<Buffers>,
    /// Channels of the feature.
    pub channels: usize,
}

impl Network {
    /// The features of `images` `[batch, height, width, 3]`, in candle's graph, and the moments of their batch norms.
    pub fn forward(self, images: &Tensor) -> Result<(Tensor, FoundMoments)> {
        match images.dtype() {
            DType::F32 => self.forward_as::<f32>(images),
            DType::F64 => self.forward_as::<f64>(images),
            other => unsupported("backbone", other),
        }
    }

    fn forward_as<T: Element>(self, images: &Tensor) -> Result<(Tensor, FoundMoments)> {
        let images = images.contiguous()?;
        let Forward { feature, tape, moments } = with_elements::<T, _>(&images, |elements| {
            self.with_pass::<T, _>(|pass| pass.forward(elements, images.dims()))
        })???;
        let (feature, tape) = (self.feature(feature, &images)?, Mutex::new(Some(tape)));
        let parameters = self.parameters.clone();
        let inputs: Vec<&Tensor> = parameters.iter().flatten().map(Var::as_tensor).collect();
        let features = with_gradient("backbone", &inputs, feature, move |_, gradient| {
            let tape = once(&tape)?;
            let gradients = with_elements::<T, _>(&images, |images| {
                with_elements::<T, _>(gradient, |gradient| {
                    self.with_pass::<T, _>(|pass| pass.backward(tape, images, gradient))
                })
            })???;
            let of_unit = |Gradients { kernel, scale, shift }| [kernel, scale, shift];
            let parameters = self.parameters.iter().flatten();
            let gradients = gradients.into_iter().flat_map(of_unit).zip(parameters);
            gradients
                .map(|(gradient, parameter)| {
                    Tensor::from_vec(gradient, parameter.shape(), parameter.device())
                })
                .collect()
        })?;
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

    fn infer_as<T: Element>(&self, images: &Tensor) -> Result<Tensor> {
        let images = images.contiguous()?;
        let feature = with_elements::<T, _>(&images, |elements| {
            self.with_pass::<T, _>(|pass| pass.infer(elements, images.dims()))
        })???;
        self.feature(feature, &images)
    }

    /// The map after the first `blocks` residual blocks, by the running statistics, without a graph.
    pub fn infer_map(&self, images: &Tensor, blocks: usize) -> Result<Tensor> {
        match images.dtype() {
            DType::F32 => self.infer_map_as::<f32>(images, blocks),
            DType::F64 => self.infer_map_as::<f64>(images, blocks),
            other => unsupported("backbone", other),
        }
    }

    fn infer_map_as<T: Element>(&self, images: &Tensor, blocks: usize) -> Result<Tensor> {
        let images = images.contiguous()?;
        let (map, dims) = with_elements::<T, _>(&images, |elements| {
            self.with_pass::<T, _>(|pass| pass.infer_map(elements, images.dims(), blocks))
        })???;
        Tensor::from_vec(map, &dims, images.device())
    }

    /// The features by the running statistics, in candle's graph, with the guided slope in the pictures for a gradient.
    pub fn guided(self, images: &Tensor) -> Result<Tensor> {
        match images.dtype() {
            DType::F32 => self.guided_as::<f32>(images),
            DType::F64 => self.guided_as::<f64>(images),
            other => unsupported("backbone", other),
        }
    }

    fn guided_as<T: Element>(self, images: &Tensor) -> Result<Tensor> {
        let pixels = images.detach().contiguous()?;
        let (feature, tape) = with_elements::<T, _>(&pixels, |elements| {
            self.with_pass::<T, _>(|pass| pass.guided_forward(elements, pixels.dims()))
        })???;
        let (feature, tape) = (self.feature(feature, &pixels)?, Mutex::new(Some(tape)));
        with_gradient("guided backbone", &[images], feature, move |_, slope| {
            let tape = once(&tape)?;
            let of_images = with_elements::<T, _>(slope, |slope| {
                self.with_pass::<T, _>(|pass| pass.guided_backward(tape, pixels.dims(), slope))
            })???;
            Ok(vec![Tensor::from_vec(of_images, pixels.shape(), pixels.device())?])
        })
    }

    fn feature<T: Element>(&self, elements: Vec<T>, images: &Tensor) -> Result<Tensor> {
        let batch = elements.len() / self.channels;
        Tensor::from_vec(elements, (batch, self.channels), images.device())
    }

    /// Lends the elements of all parameters to a pass, which runs on a thread of rayon's pool: the many short loops of a pass
    /// then start without waking another thread first.
    fn with_pass<T: Element, R: Send>(&self, run: impl FnOnce(Pass<T>) -> R + Send) -> Result<R> {
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
        let pass = Pass { plan: &self.plan, tensors: tensors.collect(), buffers: &self.memory };
        Ok(rayon::scope(|_| run(pass)))
    }
}
