//! Convolution as matrix products over tiles of patches ("im2col" that stays in the cache).
//!
//! With `P` the matrix of patches `[positions, patch]`, `W` the kernel `[out, patch]` and `Y` the output
//! `[positions, out]`: `Y = P Wᵀ`, `dP = dY W`, `dW = dYᵀ P`.

use std::cell::RefCell;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::element::{Element, scratch, vectorised};
use super::profile::{Kind, timed};

/// `Y = P Wᵀ`: the output `[positions, out]`; with `add` it is added to what `output` holds.
pub fn forward<T: Element>(
    shape: &ConvShape,
    input: &[T],
    kernel: &[T],
    output: &mut [T],
    add: bool,
) {
    timed(Kind::ConvolutionForward, || {
        convolve(shape, input, kernel, output, add);
    })
}

fn convolve<T: Element>(shape: &ConvShape, input: &[T], kernel: &[T], output: &mut [T], add: bool) {
    let (patch, out) = (shape.patch(), shape.output_channels);
    let tile = shape.positions_per_tile();
    output
        .par_chunks_mut(tile * out)
        .enumerate()
        .for_each(|(number, output)| {
            let rows = output.len() / out;
            with_patches(
                shape,
                input,
                number * tile,
                rows,
                0..shape.kernel_height,
                |patches| {
                    let patches = Matrix::rows(patches, rows, patch);
                    product(
                        output,
                        out,
                        patches,
                        Matrix::rows(kernel, out, patch).transposed(),
                        add,
                    );
                },
            );
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
            gradient
                .par_chunks_mut(tile * inputs)
                .enumerate()
                .for_each(|(number, gradient)| {
                    let rows = gradient.len() / inputs;
                    let from = Matrix::rows(
                        &output_gradient[number * tile * out..][..rows * out],
                        rows,
                        out,
                    );
                    product(
                        gradient,
                        inputs,
                        from,
                        Matrix::rows(kernel, out, inputs),
                        add,
                    );
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
        let destinations = [
            Destination(gradient.as_mut_ptr()),
            Destination(others.as_mut_ptr()),
        ];
        (0..position_parts * column_parts)
            .into_par_iter()
            .for_each(|part| {
                let (position_part, column_part) = (part / column_parts, part % column_parts);
                let first_column = column_part * columns;
                let columns = columns.min(patch - first_column);
                let end = positions.min((position_part + 1) * positions_per_part);
                let mut start = position_part * positions_per_part;
                let mut add = false;
                while start < end {
                    let rows = shape.positions_per_sum().min(end - start);
                    let gradient =
                        Matrix::rows(&output_gradient[start * out..][..rows * out], rows, out)
                            .transposed();
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
                        let patches =
                            Matrix::rows(&input[start * patch..][..rows * patch], rows, patch);
                        add_product(patches.columns(first_column, columns));
                    } else {
                        let row_length = shape.kernel_width * shape.input_channels;
                        let kernel_rows =
                            first_column / row_length..(first_column + columns) / row_length;
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
    let (taps, out, inputs) = (
        shape.kernel_height * shape.kernel_width,
        shape.output_channels,
        shape.input_channels,
    );
    let mut turned = scratch(kernel.len());
    turned
        .par_chunks_mut(taps * out)
        .enumerate()
        .for_each(|(i, turned)| {
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
    gradient
        .par_chunks_mut(picture)
        .enumerate()
        .for_each(|(n, gradient)| {
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

/// Adds the patches of the positions from `start` on to one picture.
fn add_patches<T: Element>(shape: &ConvShape, patches: &[T], start: usize, picture: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for (row, patch) in patches.chunks_exact(shape.patch()).enumerate() {
                let position = start + row;
                let y = position / shape.output_width * shape.stride;
                let x = position % shape.output_width * shape.stride;
                for ky in 0..shape.kernel_height {
                    let Some(span) = Span::of(shape, y + ky, x) else {
                        continue;
                    };
                    let from = ky * shape.kernel_width * shape.input_channels + span.in_patch;
                    let to = &mut picture[span.in_picture..][..span.length];
                    for (to, &from) in to.iter_mut().zip(&patch[from..from + span.length]) {
                        *to += from;
                    }
                }
            }
        },
    );
}

/// Calls `use_patches` with the rows `first..first + rows` of the matrix of patches, restricted to some kernel rows.
fn with_patches<T: Element, R>(
    shape: &ConvShape,
    input: &[T],
    first: usize,
    rows: usize,
    kernel_rows: std::ops::Range<usize>,
    use_patches: impl FnOnce(&[T]) -> R,
) -> R {
    if shape.is_pointwise() {
        return use_patches(&input[first * shape.input_channels..][..rows * shape.input_channels]);
    }
    let row_length = shape.kernel_width * shape.input_channels;
    with_buffer(rows * kernel_rows.len() * row_length, |patches| {
        copy_patches(shape, input, first, kernel_rows, patches);
        use_patches(patches)
    })
}

/// Copies patches out of the input, zeros where they reach over the edge.
fn copy_patches<T: Element>(
    shape: &ConvShape,
    input: &[T],
    first: usize,
    kernel_rows: std::ops::Range<usize>,
    patches: &mut [T],
) {
    let row_length = shape.kernel_width * shape.input_channels;
    let picture = shape.height * shape.width * shape.input_channels;
    let per_picture = shape.output_height * shape.output_width;
    for (row, patch) in patches
        .chunks_exact_mut(kernel_rows.len() * row_length)
        .enumerate()
    {
        let position = first + row;
        let input = &input[position / per_picture * picture..][..picture];
        let y = position % per_picture / shape.output_width * shape.stride;
        let x = position % shape.output_width * shape.stride;
        for (ky, patch_row) in kernel_rows.clone().zip(patch.chunks_exact_mut(row_length)) {
            match Span::of(shape, y + ky, x) {
                None => patch_row.fill(T::zero()),
                Some(span) => {
                    patch_row[..span.in_patch].fill(T::zero());
                    patch_row[span.in_patch..][..span.length]
                        .copy_from_slice(&input[span.in_picture..][..span.length]);
                    patch_row[span.in_patch + span.length..].fill(T::zero());
                }
            }
        }
    }
}

/// The part of one kernel row that lies inside the picture: contiguous in both, since channels come last.
struct Span {
    in_picture: usize,
    in_patch: usize,
    length: usize,
}

impl Span {
    /// For the kernel row at the padded coordinates (`padded_y`, `padded_x`…); none if it is outside.
    #[inline(always)]
    fn of(shape: &ConvShape, padded_y: usize, padded_x: usize) -> Option<Self> {
        let y = padded_y.checked_sub(shape.padding)?;
        let skipped = shape.padding.saturating_sub(padded_x);
        let x = (padded_x + skipped) - shape.padding;
        let end = (padded_x + shape.kernel_width)
            .saturating_sub(shape.padding)
            .min(shape.width);
        (y < shape.height && x < end).then(|| Self {
            in_picture: (y * shape.width + x) * shape.input_channels,
            in_patch: skipped * shape.input_channels,
            length: (end - x) * shape.input_channels,
        })
    }
}

/// A matrix in memory, by its strides.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    elements: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Element> Matrix<'a, T> {
    /// Row after row, without gaps.
    fn rows(elements: &'a [T], rows: usize, columns: usize) -> Self {
        assert!(elements.len() >= rows * columns);
        Self {
            elements,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some columns of a matrix that lies row after row.
    fn columns(self, first: usize, columns: usize) -> Self {
        assert!(first + columns <= self.columns && self.column_stride == 1);
        Self {
            elements: &self.elements[first..],
            columns,
            ..self
        }
    }
}

/// `destination (+)= left · right`, the destination row after row with `columns` columns.
fn product<T: Element>(
    destination: &mut [T],
    columns: usize,
    left: Matrix<T>,
    right: Matrix<T>,
    add: bool,
) {
    assert!(right.columns == columns && destination.len() >= left.rows * columns);
    // SAFETY: the destination has room for all rows.
    unsafe { product_into(destination.as_mut_ptr(), columns, left, right, add) }
}

/// # Safety
/// `destination` must have room for `left.rows` rows that lie `row_stride` apart, and nobody else may touch them.
unsafe fn product_into<T: Element>(
    destination: *mut T,
    row_stride: usize,
    left: Matrix<T>,
    right: Matrix<T>,
    add: bool,
) {
    assert_eq!(left.columns, right.rows);
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            destination,
            1,
            row_stride as isize,
            add,
            left.elements.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.elements.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A pointer that several tasks write through, each to its own elements.
struct Destination<T>(*mut T);

// SAFETY: every task writes to elements of its own; see `backward_kernel`.
unsafe impl<T: Send> Sync for Destination<T> {}

impl<T> Destination<T> {
    /// # Safety
    /// `offset` must lie inside the allocation.
    unsafe fn at(&self, offset: usize) -> *mut T {
        unsafe { self.0.add(offset) }
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of the thread's own, kept between calls, with arbitrary content.
fn with_buffer<T: Element, R>(length: usize, use_buffer: impl FnOnce(&mut [T]) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| {
        let words = (length * size_of::<T>()).div_ceil(size_of::<f64>());
        if buffer.len() < words {
            buffer.resize(words, 0.0);
        }
        // SAFETY: aligned for f64, hence for T, which is f32 or f64, and long enough.
        let elements =
            unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<T>(), length) };
        use_buffer(elements)
    })
}
