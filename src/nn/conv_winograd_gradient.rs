//! The gradient of a 3×3 kernel with stride 1 by Winograd's minimal filtering, which is [`conv_winograd`] gone back:
//! `dU = (A dY Aᵀ) ⊙ (Bᵀ d B)`, summed over all patches, then `dW = Gᵀ dU G`.
//!
//! [`conv_winograd`]: super::conv_winograd

use rayon::prelude::*;

use super::buffers::Buffers;
use super::conv_kernel::even_parts;
use super::conv_shape::ConvShape;
use super::element::{Element, vectorised};
use super::gather::{Source, with_scratch};
use super::panels::Panelled;
use super::tile_product::{Left, Target, multiply};
use super::winograd::{POINTS, Points, Strips, TransformGradient, TransformInput, transform_kernel_back};

/// Patches whose products are added at a time.
const PATCHES: usize = 112;

/// `dW`, `[out, 3, 3, in]`.
///
/// The pictures are cut into fixed parts with a sum each; the sums are added in order.
pub fn backward_kernel<T: Element>(
    shape: &ConvShape,
    source: Source<T>,
    output_gradient: &[T],
    gradient: &mut [T],
    domains: &[usize],
    buffers: &Buffers<T>,
) {
    let (inputs, outs) = (shape.input_channels, shape.output_channels);
    let strips = Strips::of(shape);
    // A large kernel has large sums: two of them, else four.
    let sums: usize = if outs * inputs > 256 * 256 { 2 } else { 4 };
    let per_domain = sums.div_ceil(domains.len());
    let mut parts = Vec::new();
    let mut first = 0;
    for (domain, pictures) in domains.iter().enumerate() {
        let count = pictures * strips.per_picture();
        for part in even_parts(count, per_domain.min(count)) {
            parts.push((domain, first + part.start..first + part.end));
        }
        first += count;
    }
    let size = POINTS * outs * inputs;
    let mut sums = buffers.take(parts.len() * size);
    sums.par_chunks_mut(size).zip(parts).with_max_len(1).for_each(|(sum, (domain, part))| {
        let at_a_time = (PATCHES / strips.patches()).clamp(1, part.len());
        let patches = at_a_time * strips.patches();
        with_scratch(Points::<T>::length(patches, outs), |left| {
            with_scratch(Points::<T>::length(patches, inputs), |right| {
                let mut left = Points::new(left, patches, outs);
                let mut right = Points::new(right, patches, inputs);
                for block in even_parts(part.len(), part.len().div_ceil(at_a_time)) {
                    let chosen = part.start + block.start..part.start + block.end;
                    let points = &mut left;
                    TransformGradient {
                        strips,
                        chosen: chosen.clone(),
                        gradient: output_gradient,
                        channels: outs,
                        points,
                    }
                    .run();
                    let points = &mut right;
                    TransformInput { strips, chosen, source, domain, channels: inputs, points }.run();
                    for point in 0..POINTS {
                        let factor = Left {
                            elements: left.point(point),
                            rows: outs,
                            depth: block.len() * strips.patches(),
                            stride: left.stride,
                            by_columns: true,
                        };
                        let panels = Panelled::in_place(right.point(point), right.stride, inputs);
                        let target = &mut sum[point * outs * inputs..][..outs * inputs];
                        // SAFETY: the target is a matrix `[out, in]`, and only this part knows it.
                        unsafe { multiply(factor, panels, Target::new(target, inputs), block.start > 0) };
                    }
                }
            });
        });
    });
    gradient.par_chunks_mut(9 * inputs).enumerate().for_each(|(out, gradient)| {
        vectorised(
            #[inline(always)]
            || {
                for input in 0..inputs {
                    let mut points = [T::zero(); POINTS];
                    for sum in sums.chunks_exact(size) {
                        for (point, total) in points.iter_mut().enumerate() {
                            *total += sum[(point * outs + out) * inputs + input];
                        }
                    }
                    for (tap, value) in transform_kernel_back(points).into_iter().enumerate() {
                        gradient[tap * inputs + input] = value;
                    }
                }
            },
        );
    });
    buffers.give(sums);
}
