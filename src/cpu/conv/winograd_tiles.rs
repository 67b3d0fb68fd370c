//! 3×3 convolutions with stride 1, both ways, by Winograd's minimal filtering.

use std::ops::Range;

use pulp::Arch;

use super::im2col::{Source, with_scratch};
use super::microkernel::{Left, Target, multiply};
use super::packing::Panels;
use super::shape::ConvShape;
use super::tiles::Epilogue;
use super::winograd::{CHANNELS, POINTS, Points, Strips, TransformInput, TransformProduct, transform_kernel};
use crate::cpu::buffers::Buffers;
use crate::cpu::element::{Element, vectorised};
use crate::cpu::parts::{on_parts, parts_of_domains};

/// The transformed kernel, point after point `[in, out]`.
pub fn kernel_forward<'b, T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    buffers: &'b Buffers,
) -> Panels<'b, T> {
    let (inputs, outs) = (shape.input_channels, shape.output_channels);
    Panels::new(POINTS * inputs, outs, buffers, |columns, width, panel| {
        fill_forward(kernel, inputs, columns, width, panel);
    })
}

/// The same of the kernel turned by 180° that takes the output's gradient to the input's, point after point `[out, in]`.
pub fn kernel_backward<'b, T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    buffers: &'b Buffers,
) -> Panels<'b, T> {
    let (inputs, outs) = (shape.input_channels, shape.output_channels);
    Panels::new(POINTS * outs, inputs, buffers, |columns, width, panel| {
        fill_backward(kernel, [outs, inputs], columns, width, panel);
    })
}

/// A few channels of a transformed kernel.
type Block<T> = [[T; CHANNELS]; POINTS];

/// Some columns of the matrices `[in, out]`, from the kernel `[out, 3, 3, in]`.
fn fill_forward<T: Element>(kernel: &[T], inputs: usize, outs: Range<usize>, width: usize, panel: &mut [T]) {
    // A few inputs at a time: the panel is written row after row, from sums that lie in the cache.
    let mut blocks: Vec<Block<T>> = vec![[[T::zero(); CHANNELS]; POINTS]; width];
    for first in (0..inputs).step_by(CHANNELS) {
        vectorised(
            #[inline(always)]
            || {
                for (out, block) in outs.clone().zip(&mut blocks) {
                    let kernel = &kernel[out * 9 * inputs..][..9 * inputs];
                    let row = |tap: usize| &kernel[tap * inputs + first..][..CHANNELS];
                    transform_channels(std::array::from_fn(row), block);
                }
                for point in 0..POINTS {
                    for input in 0..CHANNELS {
                        let row = &mut panel[(point * inputs + first + input) * width..][..width];
                        for (to, block) in row.iter_mut().zip(&blocks) {
                            *to = block[point][input];
                        }
                    }
                }
            },
        );
    }
}

/// Some columns of the matrices `[out, in]`, from the kernel `[out, 3, 3, in]`; a panel may be narrower than a block.
fn fill_backward<T: Element>(
    kernel: &[T],
    [outs, inputs]: [usize; 2],
    columns: Range<usize>,
    width: usize,
    panel: &mut [T],
) {
    let mut block: Block<T> = [[T::zero(); CHANNELS]; POINTS];
    vectorised(
        #[inline(always)]
        || {
            for out in 0..outs {
                let kernel = &kernel[out * 9 * inputs..][..9 * inputs];
                for first in columns.clone().step_by(CHANNELS) {
                    let chosen = first..columns.end.min(first + CHANNELS);
                    let turned = |tap: usize| &kernel[(8 - tap) * inputs..][chosen.clone()];
                    transform_channels(std::array::from_fn(turned), &mut block);
                    for (point, block) in block.iter().enumerate() {
                        let at = (point * outs + out) * width + first - columns.start;
                        panel[at..at + chosen.len()].copy_from_slice(&block[..chosen.len()]);
                    }
                }
            }
        },
    );
}

/// Transforms the weights of some channels, which lie one beside the other for each of the nine taps.
#[inline(always)]
fn transform_channels<T: Element>(taps: [&[T]; 9], block: &mut Block<T>) {
    let [a, b, c, d, e, f, g, h, i] = taps.map(|tap| &tap[..taps[0].len().min(CHANNELS)]);
    for channel in 0..a.len() {
        let weights = [
            a[channel], b[channel], c[channel], d[channel], e[channel], f[channel], g[channel], h[channel],
            i[channel],
        ];
        for (points, value) in block.iter_mut().zip(transform_kernel(weights)) {
            points[channel] = value;
        }
    }
}

/// `output (+)= source * kernel`, some strips at a time.
///
/// `kernel` is what [`kernel_forward`] or [`kernel_backward`] made.
pub fn convolve<T: Element, R: Send>(
    strips: Strips,
    source: Source<T>,
    kernel: &Panels<T>,
    output: &mut [T],
    domains: &[usize],
    add: bool,
    epilogue: impl Epilogue<T, R>,
) -> Vec<Vec<R>> {
    let (inputs, outs) = (kernel.depth / POINTS, kernel.columns);
    let chosen = parts_of_domains(domains, strips.per_picture(), |count| {
        parts(count, strips.patches(), inputs + outs)
    });
    let pixels = |chosen: &Range<usize>| strips.pixel(chosen.start)..strips.pixel(chosen.end);
    on_parts(
        domains,
        chosen,
        output,
        |chosen| pixels(chosen).len() * outs,
        |domain, chosen, tile| {
            let rows = pixels(&chosen);
            let patches = chosen.len() * strips.patches();
            with_scratch(Points::<T>::length(patches, inputs), |transformed| {
                let mut transformed = Points::new(transformed, patches, inputs);
                let points = &mut transformed;
                let (of_strips, channels) = (chosen.clone(), inputs);
                Arch::new().dispatch(TransformInput {
                    strips,
                    chosen: of_strips,
                    source,
                    domain,
                    channels,
                    points,
                });
                with_scratch(Points::<T>::length(patches, outs), |products| {
                    let products = Points::new(products, patches, outs);
                    for point in 0..POINTS {
                        let left = transformed.point(point);
                        let left = Left::by_rows(left, [patches, inputs], transformed.stride);
                        let target = &mut products.elements[point * products.between..][..products.between];
                        let target = Target::new(target, products.stride);
                        // SAFETY: a point has room for all patches, and only this call knows it.
                        unsafe { multiply(left, kernel.below(point * inputs), target, false) };
                    }
                    let points = &products;
                    let output = &mut *tile;
                    Arch::new().dispatch(TransformProduct {
                        strips,
                        chosen,
                        points,
                        channels: outs,
                        output,
                        add,
                    });
                });
            });
            epilogue(domain, rows, tile)
        },
    )
}

/// Into how many parts the strips are cut: the transforms of each stay near the second-level cache, unless that left too few
/// rows for a product.
fn parts(strips: usize, patches: usize, channels: usize) -> usize {
    const ELEMENTS: usize = 200_000;
    const FEWEST_PATCHES: usize = 24;
    let patches_at_most = (ELEMENTS / (POINTS * channels)).clamp(FEWEST_PATCHES, 256);
    strips.div_ceil((patches_at_most / patches).max(1)).max(4.min(strips))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panels are as wide as two registers: 2 columns in f64 without vector instructions, 32 in f32 with AVX-512.
    #[test]
    fn kernels_are_transformed_for_panels_of_every_width() {
        let (outs, inputs) = (32, 48);
        let kernel: Vec<f64> = (0..outs * 9 * inputs).map(|i| (i as f64).sin()).collect();
        let weight = |out: usize, tap: usize, input: usize| kernel[(out * 9 + tap) * inputs + input];
        for width in [2, 4, 8, 16, 32] {
            let mut panel = vec![f64::NAN; POINTS * inputs * width];
            fill_forward(&kernel, inputs, 0..width, width, &mut panel);
            for (input, out) in [(0, 0), (17, width - 1), (47, width / 2)] {
                let expected = transform_kernel(std::array::from_fn(|tap| weight(out, tap, input)));
                for (point, expected) in expected.into_iter().enumerate() {
                    assert_eq!(panel[(point * inputs + input) * width + out], expected, "width {width}");
                }
            }
            let mut panel = vec![f64::NAN; POINTS * outs * width];
            fill_backward(&kernel, [outs, inputs], 16..16 + width, width, &mut panel);
            for (out, column) in [(0, 0), (31, width - 1), (9, width / 2)] {
                let expected = transform_kernel(std::array::from_fn(|tap| weight(out, 8 - tap, 16 + column)));
                for (point, expected) in expected.into_iter().enumerate() {
                    assert_eq!(panel[(point * outs + out) * width + column], expected, "width {width}");
                }
            }
        }
    }
}
