//! Convolutions, each way: 1×1 ones as products, the others by cuDNN.

use candle_core::Result;

use super::cudnn::{self, Which};
use super::gpu::{Address, Elements, Gpu, launch};
use super::product::Product;
use crate::cpu::conv::shape::ConvShape;
use crate::device::Precision;

/// `output ← convolution(input, kernel)`.
pub(super) fn forward(
    gpu: &Gpu,
    shape: &ConvShape,
    input: Address,
    kernel: Address,
    output: Address,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.forward(gpu, input, kernel, output),
        Some(product) => {
            let read = every_second(gpu, shape, input)?;
            product.forward(gpu, gpu.map(&read), kernel, output)
        }
        None => cudnn::pass(gpu, shape, Which::Forward, [input, kernel, output], false),
    }
}

/// The gradient of the input from that of the output: in the place of what is there, or added to it.
///
/// A 1×1 kernel of stride 2 adds in any case: it does not read every pixel.
pub(super) fn of_input(
    gpu: &Gpu,
    shape: &ConvShape,
    kernel: Address,
    of_output: Address,
    of_input: Address,
    add: bool,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.of_input(gpu, kernel, of_output, of_input, add),
        Some(product) => {
            let of_read = gpu.elements(product.pixels * product.input)?;
            product.of_input(gpu, kernel, of_output, gpu.map(&of_read), false)?;
            let (grid, [batch, height, width, channels]) = per_pixel(shape);
            launch!(
                gpu, add_to_every_second[grid, BLOCK](
                    gpu.map(&of_read), of_input, batch, height, width, channels
                )
            )
        }
        None => match turned(gpu, shape, kernel, of_output)? {
            Some((turned_shape, turned)) => {
                let tensors = [of_output, gpu.map(&turned), of_input];
                cudnn::pass(gpu, &turned_shape, Which::Forward, tensors, add)
            }
            None => cudnn::pass(gpu, shape, Which::OfInput, [of_input, kernel, of_output], add),
        },
    }
}

/// The kernel turned by half a circle, if a forward pass with it is faster than cuDNN's gradient of the input, as on maps of
/// 14×14 pixels in f32.
fn turned(
    gpu: &Gpu,
    shape: &ConvShape,
    kernel: Address,
    of_output: Address,
) -> Result<Option<(ConvShape, Elements)>> {
    let ConvShape { kernel_height: size, kernel_width, input_channels, output_channels, .. } = *shape;
    if shape.stride != 1 || size != kernel_width || 2 * shape.padding + 1 != size {
        return Ok(None);
    }
    let other = ConvShape { input_channels: output_channels, output_channels: input_channels, ..*shape };
    let count = shape.patch() * output_channels;
    // Not tried on `of_input`, to which the gradient may have to be added.
    let both = [(shape, Which::OfInput), (&other, Which::Forward)];
    if both.iter().any(|(shape, which)| cudnn::milliseconds(gpu, shape, *which).is_none()) {
        let (scratch, turned) = (gpu.elements(shape.input_elements())?, gpu.elements(count)?);
        cudnn::find(gpu, shape, Which::OfInput, [gpu.map(&scratch), kernel, of_output])?;
        cudnn::find(gpu, &other, Which::Forward, [of_output, gpu.map(&turned), gpu.map(&scratch)])?;
    }
    let [direct, by_turning] = both.map(|(shape, which)| cudnn::milliseconds(gpu, shape, which));
    if by_turning >= direct {
        return Ok(None);
    }
    let turned = gpu.elements(count)?;
    let sizes = [output_channels, size, input_channels].map(|size| size as i32);
    launch!(gpu, turn[blocks(count), BLOCK](kernel, gpu.map(&turned), sizes[0], sizes[1], sizes[2]))?;
    Ok(Some((other, turned)))
}

/// The gradient of the kernel, f32, from the input and the gradient of the output.
pub(super) fn of_kernel(
    gpu: &Gpu,
    shape: &ConvShape,
    input: Address,
    of_output: Address,
    of_kernel: Address,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.of_kernel(gpu, input, of_output, of_kernel),
        Some(product) => {
            let read = every_second(gpu, shape, input)?;
            product.of_kernel(gpu, gpu.map(&read), of_output, of_kernel)
        }
        None if gpu.precision == Precision::Bf16 => {
            let count = shape.patch() * shape.output_channels;
            let rounded = gpu.elements(count)?;
            cudnn::pass(gpu, shape, Which::OfKernel, [input, gpu.map(&rounded), of_output], false)?;
            launch!(gpu, to_floats[blocks(count), BLOCK](gpu.map(&rounded), of_kernel, count))
        }
        None => cudnn::pass(gpu, shape, Which::OfKernel, [input, of_kernel, of_output], false),
    }
}

/// The product that a 1×1 convolution is, over the pixels that it reads.
fn product(shape: &ConvShape) -> Option<Product> {
    let is_product = shape.kernel_height == 1
        && shape.kernel_width == 1
        && shape.padding == 0
        && shape.stride <= 2
        && shape.input_channels.is_multiple_of(4);
    is_product.then(|| Product {
        pixels: shape.positions(),
        input: shape.input_channels,
        output: shape.output_channels,
    })
}

pub(super) const BLOCK: (u32, u32, u32) = (256, 1, 1);

/// The grid for so many threads.
pub(super) fn blocks(threads: usize) -> (u32, u32, u32) {
    (threads.div_ceil(256) as u32, 1, 1)
}

/// The grid over the pixels that a convolution of stride 2 reads, and the sizes of its input.
fn per_pixel(shape: &ConvShape) -> ((u32, u32, u32), [i32; 4]) {
    let grid = blocks(shape.positions() * shape.input_channels / 4);
    (grid, [shape.batch, shape.height, shape.width, shape.input_channels].map(|size| size as i32))
}

/// The pixels that a 1×1 convolution of stride 2 reads, beside each other.
fn every_second(gpu: &Gpu, shape: &ConvShape, input: Address) -> Result<Elements> {
    let read = gpu.elements(shape.positions() * shape.input_channels)?;
    let (grid, [batch, height, width, channels]) = per_pixel(shape);
    launch!(gpu, every_second[grid, BLOCK](input, gpu.map(&read), batch, height, width, channels))?;
    Ok(read)
}
