//! The gradient of a 3×3 kernel with stride 1 by Winograd's minimal filtering, which is [`conv_winograd`] gone back:
//! `dU = (A dY Aᵀ) ⊙ (Bᵀ d B)`, summed over all patches, then `dW = Gᵀ dU G`.
//!
//! [`conv_winograd`]: super::winograd_tiles

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::im2col::{Source, with_scratch};
use super::microkernel::{Left, Target, multiply};
use super::packing::Panelled;
use super::shape::Convolution;
use super::winograd::{
    CHANNELS, POINTS, Points, Strips, TransformGradient, TransformInput, transform_kernel_back,
};
use crate::cpu::element::{Element, vectorised};
use crate::cpu::parts::{even_parts, parts_of_domains};

/// Patches whose products are added at a time.
const PATCHES: usize = 112;
/// Rows of the gradient that are computed together: their sums stay in the second-level cache.
const ROWS: usize = 64;
/// At least this many parts are computed side by side.
const PARTS: usize = 8;

/// Some rows of the gradient over some strips of the pictures.
struct Part {
    /// Each with its domain, few enough to be transformed at a time.
    strips: Vec<(usize, Range<usize>)>,
    rows: Range<usize>,
}

/// `dW`, `[out, 3, 3, in]`.
///
/// A large kernel is cut into rows; for a small one the pictures are cut into fixed parts, whose sums are added in order.
pub fn backward_kernel<T: Element>(
    convolution: &Convolution,
    source: Source<T>,
    output_gradient: &[T],
    gradient: &mut [T],
) {
    let Convolution { shape, domains, buffers } = *convolution;
    let (inputs, outs) = (shape.input_channels, shape.output_channels);
    let strips = Strips::of(shape);
    let at_a_time = (PATCHES / strips.patches()).max(1);
    let blocks = parts_of_domains(domains, strips.per_picture(), |count| count.div_ceil(at_a_time));
    let row_parts = outs.div_ceil(ROWS);
    let position_parts = PARTS.div_ceil(row_parts).min(blocks.len()).max(1);
    let mut parts = Vec::new();
    for blocks_of_part in even_parts(blocks.len(), position_parts) {
        for rows in even_parts(outs / CHANNELS, row_parts.min(outs / CHANNELS)) {
            let rows = rows.start * CHANNELS..rows.end * CHANNELS;
            parts.push(Part { strips: blocks[blocks_of_part.clone()].to_vec(), rows });
        }
    }
    let mut sums = buffers.take(position_parts * POINTS * outs * inputs);
    let mut rest = &mut sums[..];
    let mut work = Vec::new();
    for part in parts {
        let (sum, behind) = rest.split_at_mut(POINTS * part.rows.len() * inputs);
        work.push((part, sum));
        rest = behind;
    }
    work.par_iter_mut().with_max_len(1).for_each(|(part, sum)| {
        add_products(strips, part, source, output_gradient, [outs, inputs], sum);
    });
    gradient.par_chunks_mut(9 * inputs).enumerate().for_each(|(out, gradient)| {
        let mut of_row = Vec::with_capacity(position_parts);
        for (part, sum) in &work {
            if part.rows.contains(&out) {
                of_row.push((out - part.rows.start, part.rows.len(), &**sum));
            }
        }
        vectorised(
            #[inline(always)]
            || {
                for input in 0..inputs {
                    let mut points = [T::zero(); POINTS];
                    for &(row, rows, sum) in &of_row {
                        for (point, total) in points.iter_mut().enumerate() {
                            *total += sum[(point * rows + row) * inputs + input];
                        }
                    }
                    for (tap, value) in transform_kernel_back(points).into_iter().enumerate() {
                        gradient[tap * inputs + input] = value;
                    }
                }
            },
        );
    });
    drop(work);
    buffers.give(sums);
}

/// `sum = Σ (A dY Aᵀ) ⊙ (Bᵀ d B)` over the part's strips: for each point a matrix `[rows, in]`.
fn add_products<T: Element>(
    strips: Strips,
    part: &Part,
    source: Source<T>,
    output_gradient: &[T],
    [outs, inputs]: [usize; 2],
    sum: &mut [T],
) {
    let rows = part.rows.len();
    let most = part.strips.iter().map(|(_, strips)| strips.len()).max().unwrap_or(0) * strips.patches();
    with_scratch(Points::<T>::length(most, rows), |left| {
        with_scratch(Points::<T>::length(most, inputs), |right| {
            let mut left = Points::new(left, most, rows);
            let mut right = Points::new(right, most, inputs);
            for (number, (domain, chosen)) in part.strips.iter().enumerate() {
                let of_gradient = TransformGradient {
                    strips,
                    chosen: chosen.clone(),
                    gradient: output_gradient,
                    channels: outs,
                    chosen_channels: part.rows.clone(),
                    points: &mut left,
                };
                Arch::new().dispatch(of_gradient);
                let (chosen, domain, points) = (chosen.clone(), *domain, &mut right);
                let patches = chosen.len() * strips.patches();
                Arch::new().dispatch(TransformInput {
                    strips,
                    chosen,
                    source,
                    domain,
                    channels: inputs,
                    points,
                });
                for (point, sum) in sum.chunks_exact_mut(rows * inputs).enumerate() {
                    let factor = Left::by_columns(left.point(point), [rows, patches], left.stride);
                    let panels = Panelled::in_place(right.point(point), right.stride, inputs);
                    // SAFETY: `sum` is a matrix `[rows, in]`, and only this part knows it.
                    unsafe { multiply(factor, panels, Target::new(sum, inputs), number > 0) };
                }
            }
        });
    });
}
