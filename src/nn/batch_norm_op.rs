//! The differentiable operation behind [`BatchNorm`](super::batch_norm::BatchNorm) on the CPU.
//!
//! It keeps its input and its output, which the graph holds anyway, and two numbers per channel: the normalised value
//! is computed again on the way back, and the output itself tells where ReLU was open.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use crate::cpu::batch_norm::{self as kernel, Moments, Normalisation};
use crate::cpu::batch_norm_gradient::{self as gradient_kernel, GradientSums, Open};
use crate::cpu::element::{Element, contiguous, scratch, unsupported, with_elements, written};

/// Where mean and variance come from.
pub enum Statistics {
    /// From the batch: the gradient flows through them.
    OfTheBatch,
    /// From outside: constants.
    Given(Moments),
}

/// `relu?(normalise(x) · affine[0] + affine[1] + shortcut?)`.
pub struct BatchNormOp {
    moments: Arc<OnceLock<Moments>>,
    of_the_batch: bool,
    epsilon: f64,
    relu: bool,
}

impl BatchNormOp {
    /// The operation, and where the batch's statistics can be read after it ran.
    pub fn new(statistics: Statistics, epsilon: f64, relu: bool) -> (Self, Arc<OnceLock<Moments>>) {
        let (moments, of_the_batch) = match statistics {
            Statistics::OfTheBatch => (OnceLock::new(), true),
            Statistics::Given(moments) => (OnceLock::from(moments), false),
        };
        let moments = Arc::new(moments);
        let op = Self { moments: moments.clone(), of_the_batch, epsilon, relu };
        (op, moments)
    }

    fn forward<T: Element>(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (affine, affine_layout): (&CpuStorage, &Layout),
        shortcut: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let channels = self.channels(x_layout.dims(), affine_layout.dims())?;
        let x = contiguous::<T>(x, x_layout)?;
        let affine = contiguous::<T>(affine, affine_layout)?;
        let shortcut = match shortcut {
            Some((_, layout)) if layout.dims() != x_layout.dims() => {
                bail!("batch norm: expected a shortcut of {:?}, found {:?}", x_layout.dims(), layout.dims())
            }
            Some((storage, layout)) => Some(contiguous::<T>(storage, layout)?),
            None => None,
        };
        let moments = self.moments.get_or_init(|| kernel::moments(x, channels));
        if moments.mean.len() != channels {
            bail!("batch norm: expected {} channels, found {channels}", moments.mean.len());
        }
        let normalisation = Normalisation::new(affine.split_at(affine.len() / 2), moments, self.epsilon);
        let output = written(x.len(), |output| {
            kernel::forward(x, &normalisation, shortcut, self.relu, output);
        });
        Ok((T::to_cpu_storage_owned(output), x_layout.shape().clone()))
    }

    fn channels(&self, x: &[usize], affine: &[usize]) -> Result<usize> {
        match (x.last(), affine) {
            (Some(&channels), &[2, scales]) if channels == scales => Ok(channels),
            _ => bail!("batch norm: expected […, {}] (NHWC), found {x:?}", affine.last().unwrap_or(&0)),
        }
    }

    fn backward<T: Element>(
        &self,
        x: &Tensor,
        affine: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<Gradients> {
        let Some(moments) = self.moments.get() else {
            bail!("batch norm: the backward pass came before the forward pass");
        };
        let (masked, result, of_affine) = with_elements::<T, _>(x, |x| {
            with_elements::<T, _>(affine, |affine| {
                with_elements::<T, _>(y, |y| {
                    with_elements::<T, _>(&gradient.contiguous()?, |gradient| {
                        let normalisation =
                            Normalisation::new(affine.split_at(affine.len() / 2), moments, self.epsilon);
                        let open = if self.relu { Open::WherePositive(y) } else { Open::Everywhere };
                        let mut masked = gradient.to_vec();
                        let mut result = scratch(x.len());
                        let sums = GradientSums::close(x, &normalisation, open, &mut masked);
                        let into = Some(&mut result[..]);
                        gradient_kernel::backward(
                            x,
                            &normalisation,
                            &sums,
                            self.of_the_batch,
                            &mut masked,
                            into,
                        );
                        let of_affine: Vec<T> = sums.of_affine(&normalisation).collect();
                        (masked, result, of_affine)
                    })
                })
            })
        })????;
        let device = x.device();
        Ok(Gradients {
            x: Tensor::from_vec(result, x.shape(), device)?,
            affine: Tensor::from_vec(of_affine, affine.shape(), device)?,
            shortcut: Tensor::from_vec(masked, x.shape(), device)?,
        })
    }

    fn gradients(&self, x: &Tensor, affine: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Gradients> {
        match x.dtype() {
            DType::F32 => self.backward::<f32>(x, affine, y, gradient),
            DType::F64 => self.backward::<f64>(x, affine, y, gradient),
            other => unsupported("batch norm", other),
        }
    }
}

struct Gradients {
    x: Tensor,
    affine: Tensor,
    shortcut: Tensor,
}

impl CustomOp2 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match s1 {
            CpuStorage::F32(_) => self.forward::<f32>((s1, l1), (s2, l2), None),
            CpuStorage::F64(_) => self.forward::<f64>((s1, l1), (s2, l2), None),
            _ => bail!("batch norm: expected elements of type f32 or f64"),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        affine: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = self.gradients(x, affine, y, gradient)?;
        Ok((Some(gradients.x), Some(gradients.affine)))
    }
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm-and-shortcut"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match s1 {
            CpuStorage::F32(_) => self.forward::<f32>((s1, l1), (s2, l2), Some((s3, l3))),
            CpuStorage::F64(_) => self.forward::<f64>((s1, l1), (s2, l2), Some((s3, l3))),
            _ => bail!("batch norm: expected elements of type f32 or f64"),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        affine: &Tensor,
        _shortcut: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = self.gradients(x, affine, y, gradient)?;
        Ok((Some(gradients.x), Some(gradients.affine), Some(gradients.shortcut)))
    }
}
