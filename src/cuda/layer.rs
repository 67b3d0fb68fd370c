//! One convolution alone, in f32: for gradients of pictures and heat maps of earlier layers, where the network is computed
//! layer by layer.

use candle_core::{Device, Result, Tensor, bail};

use super::convolution as conv;
use super::gpu::Gpu;
use super::op::{address, tensor};
use crate::cpu::conv::shape::ConvShape;
use crate::device::Precision;

/// `[batch, height, width, in]` and `[out, height, width, in]` → `[batch, height, width, out]`, contiguous f32 on one GPU.
pub(crate) fn forward(input: &Tensor, kernel: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let gpu = gpu(input)?;
    let output = gpu.floats(shape.output_dims().iter().product())?;
    conv::forward(&gpu, shape, address(&gpu, input)?, address(&gpu, kernel)?, gpu.at(&output))?;
    Ok(tensor(&gpu, output, &shape.output_dims()[..]))
}

/// The gradient of the input.
pub(crate) fn of_input(kernel: &Tensor, of_output: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let gpu = gpu(kernel)?;
    let of_input = gpu.device.alloc_zeros::<f32>(shape.input_elements())?;
    let (kernel, of_output) = (address(&gpu, kernel)?, address(&gpu, of_output)?);
    conv::of_input(&gpu, shape, kernel, of_output, gpu.at(&of_input), false)?;
    let dims = (shape.batch, shape.height, shape.width, shape.input_channels);
    Ok(tensor(&gpu, of_input, dims))
}

/// The gradient of the kernel.
pub(crate) fn of_kernel(input: &Tensor, of_output: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let gpu = gpu(input)?;
    let of_kernel = gpu.floats(shape.patch() * shape.output_channels)?;
    let (input, of_output) = (address(&gpu, input)?, address(&gpu, of_output)?);
    conv::of_kernel(&gpu, shape, input, of_output, gpu.at(&of_kernel))?;
    let dims = (shape.output_channels, shape.kernel_height, shape.kernel_width, shape.input_channels);
    Ok(tensor(&gpu, of_kernel, dims))
}

fn gpu(of: &Tensor) -> Result<Gpu> {
    match of.device() {
        Device::Cuda(device) => Gpu::new(device, Precision::F32),
        other => bail!("convolution on the GPU: expected tensors on a GPU, found them on {other:?}"),
    }
}
