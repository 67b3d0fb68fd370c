//! 2-D convolution with gradients, NHWC.

use candle_core::{DType, Device, Result, Tensor, Var};

#[cfg(feature = "cudnn")]
use super::composed::with_gradient;
use super::init;
use super::parameters::{FileLayout, Group, Parameter, Role, moved};
use crate::cpu::conv::shape::ConvShape;
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
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { weight: moved(&self.weight, device)?, ..*self })
    }

    /// `[batch, height, width, in]` → `[batch, output height, output width, out]`.
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
/// Out of candle's operations; on a GPU by cuDNN and cuBLAS (with the feature `cudnn`, in f32).
///
/// candle's gradient of a convolution with stride exists only where `height + 2·padding - kernel` and the same of the
/// width leave the same remainder when divided by the stride: square pictures always do.
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
pub fn conv2d(input: &Tensor, kernel: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let shape = ConvShape::new(input.dims(), kernel.dims(), stride, padding)?; // or its message
    #[cfg(feature = "cudnn")]
    if input.device().is_cuda() && input.dtype() == DType::F32 {
        let (x, w) = (input.detach().contiguous()?, kernel.detach().contiguous()?);
        let value = cuda::layer::forward(&x, &w, &shape)?;
        return with_gradient("convolution", &[input, kernel], value, move |_, of_output| {
            Ok(vec![
                cuda::layer::of_input(&w, of_output, &shape)?,
                cuda::layer::of_kernel(&x, of_output, &shape)?,
            ])
        });
    }
    let _ = shape;
    let input = input.permute((0, 3, 1, 2))?.contiguous()?;
    let kernel = kernel.permute((0, 3, 1, 2))?.contiguous()?;
    input.conv2d(&kernel, padding, stride, 1, 1)?.permute((0, 2, 3, 1))?.contiguous()
}
