//! Convolution as matrix products over tiles of patches ("im2col" that stays in the cache).
//!
//! With `P` the matrix of patches `[positions, patch]`, `W` the kernel `[out, patch]` and `Y` the output
//! `[positions, out]`: `Y = P Wᵀ`, `dP = dY W`, `dW = dYᵀ P`.

use rayon::prelude::*;

use super::conv_patches::{add_patches, with_buffer, with_patches};
use super::conv_shape::ConvShape;
use super::element::{Element, scratch, vectorised};
use super::matrix::{Destination, Matrix, product, product_into};
use super::profile::{Kind, timed};

/// `Y = P Wᵀ`: the output `[positions, out]`; with `add` it is added to what `output` holds.
pub fn forward<T: Element>(shape: &ConvShape, input: &[T], kernel: &[T], output: &mut [T], add: bool) {
    timed(Kind::ConvolutionForward, || {
        convolve(shape, input, kernel, output, add);
    })
}

fn convolve<T: Element>(shape: &ConvShape, input: &[T], kernel: &[T], output: &mut [T], add: bool) {
    let (patch, out) = (shape.patch(), shape.output_channels);
    let tile = shape.positions_per_tile();
    output.par_chunks_mut(tile * out).enumerate().for_each(|(number, output)| {
        let rows = output.len() / out;
        with_patches(shape, input, number * tile, rows, 0..shape.kernel_height, |patches| {
            let patches = Matrix::rows(patches, rows, patch);
            product(output, out, patches, Matrix::rows(kernel, out, patch).transposed(), add);
        });
    });
}

/// The gradient of the input, in the input's shape; with `add` it is added to what `gradient` holds.
pub fn backward_input<T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    output_gradient: &[T],
    gradient: &mut [T],
    add: bool,
) {
    timed(Kind::ConvolutionInputGradient, || {
        if shape.is_pointwise() {
            let (out, inputs) = (shape.output_channels, shape.input_channels);
            let tile = shape.positions_per_tile();
            gradient.par_chunks_mut(tile * inputs).enumerate().for_each(|(number, gradient)| {
                let rows = gradient.len() / inputs;
                let from = Matrix::rows(&output_gradient[number * tile * out..][..rows * out], rows, out);
                product(gradient, inputs, from, Matrix::rows(kernel, out, inputs), add);
            });
        } else if let Some(transposed) = shape.transposed() {
            let kernel = transposed_kernel(shape, kernel);
            convolve(&transposed, output_gradient, &kernel, gradient, add);
        } else {
            scatter_patches(shape, kernel, output_gradient, gradient, add);
        }
    })
}

/// `dW = dYᵀ P`: the gradient of the kernel `[out, patch]`.
///
/// The positions are split into fixed parts whose results are added in order; a tall kernel is also split by its rows.
pub fn backward_kernel<T: Element>(
    shape: &ConvShape,
    input: &[T],
    output_gradient: &[T],
    gradient: &mut [T],
) {
    timed(Kind::ConvolutionKernelGradient, || {
        let (patch, out, positions) = (shape.patch(), shape.output_channels, shape.positions());
        let columns = columns_per_part(shape);
        let column_parts = patch.div_ceil(columns);
        let position_parts = (8 / column_parts).clamp(1, 4).min(positions.div_ceil(64));
        let positions_per_part = positions.div_ceil(position_parts);
        let mut others: Vec<T> = scratch((position_parts - 1) * out * patch);
        assert_eq!(gradient.len(), out * patch);
        let destinations = [Destination::new(gradient), Destination::new(&mut others)];
        (0..position_parts * column_parts).into_par_iter().for_each(|part| {
            let (position_part, column_part) = (part / column_parts, part % column_parts);
            let first_column = column_part * columns;
            let columns = columns.min(patch - first_column);
            let end = positions.min((position_part + 1) * positions_per_part);
            let mut start = position_part * positions_per_part;
            let mut add = false;
            while start < end {
                let rows = shape.positions_per_sum().min(end - start);
                let gradient =
                    Matrix::rows(&output_gradient[start * out..][..rows * out], rows, out).transposed();
                let add_product = |patches: Matrix<T>| {
                    // SAFETY: parts write disjoint columns of disjoint blocks, the first of `gradient`, the rest of `others`.
                    unsafe {
                        let block = match position_part {
                            0 => destinations[0].at(first_column),
                            part => destinations[1].at((part - 1) * out * patch + first_column),
                        };
                        product_into(block, patch, gradient, patches, add);
                    }
                };
                if shape.is_pointwise() {
                    let patches = Matrix::rows(&input[start * patch..][..rows * patch], rows, patch);
                    add_product(patches.columns(first_column, columns));
                } else {
                    let row_length = shape.kernel_width * shape.input_channels;
                    let kernel_rows = first_column / row_length..(first_column + columns) / row_length;
                    with_patches(shape, input, start, rows, kernel_rows, |patches| {
                        add_product(Matrix::rows(patches, rows, columns));
                    });
                }
                add = true;
                start += rows;
            }
        });
        for part in others.chunks_exact(out * patch) {
            add_to(gradient, part);
        }
    })
}

/// How many columns of the kernel's gradient one part computes: all, if the kernel is small.
fn columns_per_part(shape: &ConvShape) -> usize {
    let patch = shape.patch();
    if shape.output_channels * patch <= 64 * 1024 {
        patch
    } else if shape.is_pointwise() {
        patch.div_ceil(4).max(64)
    } else {
        shape.kernel_width * shape.input_channels
    }
}

fn add_to<T: Element>(sum: &mut [T], part: &[T]) {
    vectorised(
        #[inline(always)]
        || {
            for (total, &part) in sum.iter_mut().zip(part) {
                *total += part;
            }
        },
    );
}

/// `[out, h, w, in]` → `[in, h, w, out]` with the kernel turned by 180°.
fn transposed_kernel<T: Element>(shape: &ConvShape, kernel: &[T]) -> Vec<T> {
    let (taps, out, inputs) =
        (shape.kernel_height * shape.kernel_width, shape.output_channels, shape.input_channels);
    let mut turned = scratch(kernel.len());
    turned.par_chunks_mut(taps * out).enumerate().for_each(|(i, turned)| {
        for tap in 0..taps {
            let row = &mut turned[(taps - 1 - tap) * out..][..out];
            for (o, value) in row.iter_mut().enumerate() {
                *value = kernel[(o * taps + tap) * inputs + i];
            }
        }
    });
    turned
}

/// `dP = dY W`, then every patch added back to where it came from; one task per picture.
fn scatter_patches<T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    output_gradient: &[T],
    gradient: &mut [T],
    add: bool,
) {
    let (patch, out) = (shape.patch(), shape.output_channels);
    let positions = shape.output_height * shape.output_width;
    let picture = shape.height * shape.width * shape.input_channels;
    gradient.par_chunks_mut(picture).enumerate().for_each(|(n, gradient)| {
        if !add {
            gradient.fill(T::zero());
        }
        let tile = shape.positions_per_tile().min(positions);
        with_buffer(tile * patch, |patches| {
            for start in (0..positions).step_by(tile) {
                let rows = tile.min(positions - start);
                let patches = &mut patches[..rows * patch];
                let from = &output_gradient[(n * positions + start) * out..][..rows * out];
                product(
                    patches,
                    patch,
                    Matrix::rows(from, rows, out),
                    Matrix::rows(kernel, out, patch),
                    false,
                );
                add_patches(shape, patches, start, gradient);
            }
        });
    });
}
