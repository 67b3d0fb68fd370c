//! The matrix of patches: what lies under the kernel at each of its positions, a tile at a time.

use std::cell::RefCell;

use super::conv_shape::ConvShape;
use super::element::{Element, vectorised};

/// Adds the patches of the positions from `start` on to one picture.
pub fn add_patches<T: Element>(shape: &ConvShape, patches: &[T], start: usize, picture: &mut [T]) {
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
pub fn with_patches<T: Element, R>(
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
    for (row, patch) in patches.chunks_exact_mut(kernel_rows.len() * row_length).enumerate() {
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
        let end = (padded_x + shape.kernel_width).saturating_sub(shape.padding).min(shape.width);
        (y < shape.height && x < end).then(|| Self {
            in_picture: (y * shape.width + x) * shape.input_channels,
            in_patch: skipped * shape.input_channels,
            length: (end - x) * shape.input_channels,
        })
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of the thread's own, kept between calls, with arbitrary content.
pub fn with_buffer<T: Element, R>(length: usize, use_buffer: impl FnOnce(&mut [T]) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| {
        let words = (length * size_of::<T>()).div_ceil(size_of::<f64>());
        if buffer.len() < words {
            buffer.resize(words, 0.0);
        }
        // SAFETY: aligned for f64, hence for T, which is f32 or f64, and long enough.
        let elements = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<T>(), length) };
        use_buffer(elements)
    })
}
