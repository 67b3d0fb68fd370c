//! 2-D convolution with gradients, NHWC.

use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor, Var, WithDType};

use super::composed;
use super::init;
use super::parameters::{FileLayout, Group, Parameter, Role, moved};
use crate::cpu::buffers::Buffers;
use crate::cpu::conv::im2col::Source;
use crate::cpu::conv::kernel_gradient::backward_kernel;
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::conv::tiles::{self, as_it_is};
use crate::cpu::element::{Element, contiguous, unsupported, with_elements, written};
#[cfg(feature = "cudnn")]
use crate::cuda;
use crate::random::Generator;

/// A convolution without bias, as ResNets use it: batch norm follows and has one.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// The kernel, `[out, height, width, in]`.
    pub weight: Var,
    /// Pixels between two positions of the kernel.
    pub stride: usize,
    /// Zeros around the picture, on every side.
    pub padding: usize,
}

impl Conv2d {
    /// A square kernel of `size`, Kaiming normal over the fan-out, as torchvision's ResNets start.
    ///
    /// # Errors
    /// If candle cannot allocate it.
    pub fn new(
        input_channels: usize,
        output_channels: usize,
        size: usize,
        stride: usize,
        dtype: DType,
        generator: &mut Generator,
    ) -> Result<Self> {
        let deviation = init::kaiming_deviation(output_channels * size * size, 0.0);
        let shape = (output_channels, size, size, input_channels);
        Ok(Self { weight: init::normal(shape, deviation, dtype, generator)?, stride, padding: size / 2 })
    }

    /// The same on `device`.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { weight: moved(&self.weight, device)?, ..*self })
    }

    /// `[batch, height, width, in]` → `[batch, output height, output width, out]`.
    ///
    /// # Errors
    /// If the channels do not fit.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        conv2d(input, self.weight.as_tensor(), self.stride, self.padding)
    }

    /// Its one tensor, `NAME.weight`.
    pub fn parameters(&self, name: &str, group: Group) -> Vec<Parameter> {
        vec![Parameter {
            name: format!("{name}.weight"),
            value: self.weight.clone(),
            role: Role::Trained(group),
            layout: FileLayout::Kernel,
        }]
    }
}

/// Convolves `input` `[batch, height, width, in]` with `kernel` `[out, height, width, in]`.
///
/// On the CPU this is our own code, on a GPU cuDNN and cuBLAS (with the feature `cudnn`, in f32), elsewhere
/// [`conv2d_composed`].
///
/// ```
/// use candle_core::{Device, Tensor};
/// // torch.nn.functional.conv2d(torch.arange(9.).view(1, 1, 3, 3), torch.ones(1, 1, 3, 3), padding=1)[0, 0, 0]
/// let input = Tensor::arange(0f32, 9., &Device::Cpu)?.reshape((1, 3, 3, 1))?;
/// let kernel = Tensor::ones((1, 3, 3, 1), candle_core::DType::F32, &Device::Cpu)?;
/// let output = toalign::nn::conv::conv2d(&input, &kernel, 1, 1)?;
/// assert_eq!(output.flatten_all()?.to_vec1::<f32>()?[..3], [8., 15., 12.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit.
pub fn conv2d(input: &Tensor, kernel: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let shape = ConvShape::new(input.dims(), kernel.dims(), stride, padding)?;
    #[cfg(feature = "cudnn")]
    if input.device().is_cuda() && input.dtype() == DType::F32 {
        let (x, w) = (input.detach().contiguous()?, kernel.detach().contiguous()?);
        let value = cuda::layer::forward(&x, &w, &shape)?;
        return composed::with_gradient("convolution", &[input, kernel], value, move |_, of_output| {
            Ok(vec![
                cuda::layer::of_input(&w, of_output, &shape)?,
                cuda::layer::of_kernel(&x, of_output, &shape)?,
            ])
        });
    }
    if composed::on(input.device()) {
        return conv2d_composed(input, kernel, stride, padding);
    }
    let needs_input_gradient = input.track_op();
    input.contiguous()?.apply_op2(kernel, Convolution { shape, needs_input_gradient })
}

/// The same as [`conv2d`] out of candle's own operations: for other devices, and to test against.
///
/// candle's gradient of a convolution with stride exists only where `height + 2·padding - kernel` and the same of the
/// width leave the same remainder when divided by the stride: square pictures always do.
///
/// # Errors
/// If the shapes do not fit.
pub fn conv2d_composed(input: &Tensor, kernel: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let input = input.permute((0, 3, 1, 2))?.contiguous()?;
    let kernel = kernel.permute((0, 3, 1, 2))?.contiguous()?;
    input.conv2d(&kernel, padding, stride, 1, 1)?.permute((0, 2, 3, 1))?.contiguous()
}

struct Convolution {
    shape: ConvShape,
    /// Pictures need no gradient, and the first layer's would be its most expensive part.
    needs_input_gradient: bool,
}

impl Convolution {
    fn forward<T: Element>(
        &self,
        (input, input_layout): (&CpuStorage, &Layout),
        (kernel, kernel_layout): (&CpuStorage, &Layout),
    ) -> Result<(CpuStorage, Shape)> {
        let input = contiguous::<T>(input, input_layout)?;
        let kernel = contiguous(kernel, kernel_layout)?;
        let shape = self.shape.output_dims();
        let output = written(shape.iter().product(), |output| {
            let (source, domains) = (Source::Map(input), [self.shape.batch]);
            tiles::forward(&self.shape, source, kernel, output, &domains, &Buffers::default(), as_it_is);
        });
        let shape = Shape::from(shape.as_slice());
        Ok((T::to_cpu_storage_owned(output), shape))
    }

    fn backward<T: Element + WithDType>(
        &self,
        input: &Tensor,
        kernel: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let input_gradient = match self.needs_input_gradient {
            false => None,
            true => {
                let elements = with_elements::<T, _>(kernel, |kernel| {
                    with_elements::<T, _>(gradient, |gradient| {
                        written(self.shape.input_elements(), |result| {
                            tiles::backward_input(
                                &self.shape,
                                kernel,
                                gradient,
                                result,
                                false,
                                &[self.shape.batch],
                                &Buffers::default(),
                                as_it_is,
                            );
                        })
                    })
                })??;
                Some(Tensor::from_vec(elements, input.shape(), input.device())?)
            }
        };
        let kernel_elements = kernel.elem_count();
        let elements = with_elements::<T, _>(input, |input| {
            with_elements::<T, _>(gradient, |gradient| {
                written(kernel_elements, |result| {
                    let input = Source::Map(input);
                    let domains = [self.shape.batch];
                    backward_kernel(&self.shape, input, gradient, result, &domains, &Buffers::default());
                })
            })
        })??;
        let kernel_gradient = Tensor::from_vec(elements, kernel.shape(), kernel.device())?;
        Ok((input_gradient, Some(kernel_gradient)))
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
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
            _ => unsupported(self.name(), candle_core::backend::BackendStorage::dtype(s1)),
        }
    }

    fn bwd(
        &self,
        input: &Tensor,
        kernel: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        match input.dtype() {
            DType::F32 => self.backward::<f32>(input, kernel, &gradient),
            DType::F64 => self.backward::<f64>(input, kernel, &gradient),
            other => unsupported(self.name(), other),
        }
    }
}
