//! 3×3 convolutions with stride 1, both ways, by Winograd's minimal filtering.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::Buffers;
use super::conv_kernel::{Finish, even_parts};
use super::conv_shape::ConvShape;
use super::element::{Element, vectorised};
use super::gather::{Source, with_scratch};
use super::panels::Panels;
use super::tile_product::{Left, Target, multiply};
use super::winograd::{CHANNELS, POINTS, Points, Strips, TransformInput, TransformProduct, transform_kernel};

/// The transformed kernel, point after point `[in, out]`.
pub fn kernel_forward<'b, T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    buffers: &'b Buffers<T>,
) -> Panels<'b, T> {
    let inputs = shape.input_channels;
    Panels::new(POINTS * inputs, shape.output_channels, buffers, |columns, width, panel| {
        // A few inputs at a time: the panel is written row after row, from sums that lie in the cache.
        let mut block = vec![[[T::zero(); CHANNELS]; POINTS]; width];
        for first in (0..inputs).step_by(CHANNELS) {
            vectorised(
                #[inline(always)]
                || {
                    for (out, block) in columns.clone().zip(&mut block) {
                        let kernel = &kernel[out * 9 * inputs..][..9 * inputs];
                        let row = |tap: usize| &kernel[tap * inputs + first..][..CHANNELS];
                        let taps: [&[T]; 9] = std::array::from_fn(row);
                        for input in 0..CHANNELS {
                            let points = transform_kernel([
                                taps[0][input],
                                taps[1][input],
                                taps[2][input],
                                taps[3][input],
                                taps[4][input],
                                taps[5][input],
                                taps[6][input],
                                taps[7][input],
                                taps[8][input],
                            ]);
                            for (block, value) in block.iter_mut().zip(points) {
                                block[input] = value;
                            }
                        }
                    }
                    for point in 0..POINTS {
                        for input in 0..CHANNELS {
                            let row = &mut panel[(point * inputs + first + input) * width..][..width];
                            for (to, from) in row.iter_mut().zip(&block) {
                                *to = from[point][input];
                            }
                        }
                    }
                },
            );
        }
    })
}

/// The same of the kernel turned by 180° that takes the output's gradient to the input's, point after point `[out, in]`.
pub fn kernel_backward<'b, T: Element>(
    shape: &ConvShape,
    kernel: &[T],
    buffers: &'b Buffers<T>,
) -> Panels<'b, T> {
    let (inputs, outs) = (shape.input_channels, shape.output_channels);
    Panels::new(POINTS * outs, inputs, buffers, |columns, width, panel| {
        vectorised(
            #[inline(always)]
            || {
                for out in 0..outs {
                    let kernel = &kernel[out * 9 * inputs..][..9 * inputs];
                    let row = |tap: usize| &kernel[tap * inputs..][columns.clone()];
                    let taps: [&[T]; 9] = std::array::from_fn(row);
                    let mut block = [[T::zero(); CHANNELS]; POINTS];
                    for first in (0..columns.len()).step_by(CHANNELS) {
                        let taps = taps.map(|tap| &tap[first..first + CHANNELS]);
                        for input in 0..CHANNELS {
                            let points = transform_kernel([
                                taps[8][input],
                                taps[7][input],
                                taps[6][input],
                                taps[5][input],
                                taps[4][input],
                                taps[3][input],
                                taps[2][input],
                                taps[1][input],
                                taps[0][input],
                            ]);
                            for (block, value) in block.iter_mut().zip(points) {
                                block[input] = value;
                            }
                        }
                        for (point, block) in block.iter().enumerate() {
                            panel[(point * outs + out) * width + first..][..CHANNELS].copy_from_slice(block);
                        }
                    }
                }
            },
        );
    })
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
    finish: impl Finish<T, R>,
) -> Vec<Vec<R>> {
    let (inputs, outs) = (kernel.depth / POINTS, kernel.columns);
    let mut tiles = Vec::new();
    let mut rest = output;
    let mut first = 0;
    for (domain, pictures) in domains.iter().enumerate() {
        let count = pictures * strips.per_picture();
        for part in even_parts(count, parts(count, strips.patches(), inputs + outs)) {
            let chosen = first + part.start..first + part.end;
            let pixels = strips.pixel(chosen.start)..strips.pixel(chosen.end);
            let (tile, behind) = rest.split_at_mut(pixels.len() * outs);
            tiles.push((domain, chosen, pixels, tile));
            rest = behind;
        }
        first += count;
    }
    let work = |(domain, chosen, pixels, tile): (usize, Range<usize>, Range<usize>, &mut [T])| {
        let patches = chosen.len() * strips.patches();
        with_scratch(Points::<T>::length(patches, inputs), |transformed| {
            let mut transformed = Points::new(transformed, patches, inputs);
            let points = &mut transformed;
            TransformInput { strips, chosen: chosen.clone(), source, domain, channels: inputs, points }.run();
            with_scratch(Points::<T>::length(patches, outs), |products| {
                let products = Points::new(products, patches, outs);
                for point in 0..POINTS {
                    let left = Left {
                        elements: transformed.point(point),
                        rows: patches,
                        depth: inputs,
                        stride: transformed.stride,
                        by_columns: false,
                    };
                    let target = &mut products.elements[point * products.between..][..products.between];
                    let target = Target::new(target, products.stride);
                    // SAFETY: a point has room for all patches, and only this call knows it.
                    unsafe { multiply(left, kernel.below(point * inputs), target, false) };
                }
                let points = &products;
                TransformProduct { strips, chosen, points, channels: outs, output: &mut *tile, add }.run();
            });
        });
        (domain, finish(domain, pixels, tile))
    };
    let done: Vec<(usize, R)> = tiles.into_par_iter().with_max_len(1).map(work).collect();
    let mut by_domain: Vec<Vec<R>> = domains.iter().map(|_| Vec::new()).collect();
    for (domain, result) in done {
        by_domain[domain].push(result);
    }
    by_domain
}

/// Into how many parts the strips are cut: the transforms of each stay near the second-level cache, unless that left too few
/// rows for a product.
fn parts(strips: usize, patches: usize, channels: usize) -> usize {
    const ELEMENTS: usize = 200_000;
    const FEWEST_PATCHES: usize = 24;
    let patches_at_most = (ELEMENTS / (POINTS * channels)).clamp(FEWEST_PATCHES, 256);
    strips.div_ceil((patches_at_most / patches).max(1)).max(4.min(strips))
}
