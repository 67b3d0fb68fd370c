//! Convolution and the gradient of its input as matrix products over tiles of patches that stay in the cache.
//!
//! With `P` the matrix of patches `[positions, patch]`, `W` the kernel `[out, patch]` and `Y` the output
//! `[positions, out]`: `Y = P Wᵀ`. The gradient of the input is a convolution of the output's gradient with the kernel
//! turned by 180°; with a stride it is one convolution for each place that a pixel can have between two strides.
//!
//! The tiles depend on the shapes alone, never on the number of threads, so every sum is made in the same order: a run
//! with two threads equals one with a single thread, bit for bit.

use std::ops::Range;

use rayon::prelude::*;

use super::im2col::{Im2col, Run, Source, with_scratch};
use super::microkernel::{Left, Target, multiply};
use super::packing::{Panels, copy_columns, copy_rows};
use super::shape::{ConvShape, Convolution};
use super::winograd::{self, Strips};
use super::winograd_tiles;
use crate::cpu::buffers::Buffers;
use crate::cpu::element::{Element, vectorised};
use crate::cpu::parts::{even_parts, on_parts, parts_of_domains};
use crate::device::profile::timed;

/// Whether the convolution takes a [`Source::Active`]: one that reads its input once, or transforms it anyway.
pub fn can_normalise_its_input(shape: &ConvShape) -> bool {
    winograd::applies(shape) || Im2col::of_input(shape).is_the_map()
}

/// What is done with a tile of a product before it leaves the cache.
///
/// It gets the domain, the rows of the result and their elements; what it returns is handed on in the order of the tiles.
pub trait Epilogue<T, R>: Fn(usize, Range<usize>, &mut [T]) -> R + Sync {}

impl<T, R, F: Fn(usize, Range<usize>, &mut [T]) -> R + Sync> Epilogue<T, R> for F {}

/// Nothing is done with a tile.
pub fn as_it_is<T>(_: usize, _: Range<usize>, _: &mut [T]) {}

/// Columns of patches that are multiplied at a time: twelve rows of them fit the first-level cache.
const DEPTH: usize = 320;
/// Rows of patches lie this far apart, so that they do not compete for the same lines of the cache.
const ROW: usize = DEPTH + 16;

impl Convolution<'_> {
    /// `Y = P Wᵀ`: the output `[positions, out]`.
    pub fn forward<T: Element, R: Send>(
        &self,
        source: Source<T>,
        kernel: &[T],
        output: &mut [T],
        epilogue: impl Epilogue<T, R>,
    ) -> Vec<Vec<R>> {
        let Self { shape, domains, buffers } = *self;
        timed("convolution, forward", || {
            if winograd::applies(shape) {
                let kernel = winograd_tiles::kernel_forward(shape, kernel, buffers);
                let strips = Strips::of(shape);
                return winograd_tiles::convolve(strips, source, &kernel, output, domains, false, epilogue);
            }
            let (patch, out) = (shape.patch(), shape.output_channels);
            let panels = Panels::new(patch, out, buffers, |columns, width, panel| {
                copy_columns(columns, width, panel, |column| &kernel[column * patch..][..patch]);
            });
            multiply_patches(&Im2col::of_input(shape), source, &panels, output, domains, false, epilogue)
        })
    }

    /// The gradient of the input, in the input's shape; with `add` it is added to what `gradient` holds.
    ///
    /// `epilogue` is called where all pixels are computed at once, which is with a stride of 1, else the result is empty.
    pub fn backward_input<T: Element, R: Send>(
        &self,
        kernel: &[T],
        output_gradient: &[T],
        gradient: &mut [T],
        add: bool,
        epilogue: impl Epilogue<T, R>,
    ) -> Vec<Vec<R>> {
        let Self { shape, domains, buffers } = *self;
        timed("convolution, input gradient", || {
            let source = Source::Map(output_gradient);
            if winograd::applies(shape) {
                let kernel = winograd_tiles::kernel_backward(shape, kernel, buffers);
                let strips = Strips::of(shape);
                return winograd_tiles::convolve(strips, source, &kernel, gradient, domains, add, epilogue);
            }
            let stride = shape.stride;
            for place in 0..stride * stride {
                let phase = Phase::new(shape, [place / stride, place % stride]);
                let panels = phase.panels(shape, kernel, buffers);
                if stride == 1 {
                    return multiply_patches(
                        &phase.gather,
                        source,
                        &panels,
                        gradient,
                        domains,
                        add,
                        epilogue,
                    );
                }
                phase.add_to(shape, source, &panels, gradient, add);
            }
            Vec::new()
        })
    }
}

/// The pixels of the input that lie at one place between two strides, and which weights they meet.
struct Phase {
    place: [usize; 2],
    gather: Im2col,
    /// Rows and columns of the kernel, in the order of the gather's pixels.
    taps: Vec<[usize; 2]>,
}

impl Phase {
    fn new(shape: &ConvShape, place: [usize; 2]) -> Self {
        // Pixel y = stride·i + place got from position o by kernel row k where y + padding = stride·o + k.
        let of_axis = |place: usize, size: usize| {
            let taps =
                (0..size).rev().filter(move |k| (place + shape.padding).abs_diff(*k) % shape.stride == 0);
            let offset = move |k: usize| {
                (place as isize + shape.padding as isize - k as isize) / shape.stride as isize
            };
            taps.map(move |k| (k, offset(k))).collect::<Vec<_>>()
        };
        let rows = of_axis(place[0], shape.kernel_height);
        let columns = of_axis(place[1], shape.kernel_width);
        let first = columns.first().map_or(0, |&(_, right)| right);
        let pixels = columns.len();
        let count = |place: usize, size: usize| size.saturating_sub(place).div_ceil(shape.stride);
        let runs = match pixels {
            0 => Vec::new(),
            _ => rows.iter().map(|&(_, down)| Run { down, right: first, pixels }).collect(),
        };
        Self {
            place,
            gather: Im2col {
                runs,
                grid: [count(place[0], shape.height), count(place[1], shape.width)],
                stride: 1,
                map: [shape.output_height, shape.output_width, shape.output_channels],
            },
            taps: rows
                .iter()
                .flat_map(|&(row, _)| columns.iter().map(move |&(column, _)| [row, column]))
                .collect(),
        }
    }

    /// The kernel's weights as the matrix `[taps · out, in]`.
    fn panels<'b, T: Element>(&self, shape: &ConvShape, kernel: &[T], buffers: &'b Buffers) -> Panels<'b, T> {
        let (out, inputs) = (shape.output_channels, shape.input_channels);
        Panels::new(self.taps.len() * out, inputs, buffers, |columns, width, panel| {
            copy_rows(columns, width, panel, |row| {
                let [y, x] = self.taps[row / out];
                let at = ((row % out * shape.kernel_height + y) * shape.kernel_width + x) * inputs;
                &kernel[at..at + inputs]
            });
        })
    }

    /// Writes the gradient of these pixels, or adds to it.
    fn add_to<T: Element>(
        &self,
        shape: &ConvShape,
        source: Source<T>,
        panels: &Panels<T>,
        gradient: &mut [T],
        add: bool,
    ) {
        let (gather, channels) = (&self.gather, shape.input_channels);
        if self.taps.is_empty() && add {
            return;
        }
        let places = gather.places();
        let picture = shape.height * shape.width * channels;
        gradient.par_chunks_mut(picture).enumerate().for_each(|(number, gradient)| {
            for part in even_parts(places, tiles_of(places, panels)) {
                let rows = number * places + part.start..number * places + part.end;
                with_scratch(part.len() * channels, |tile| {
                    multiply_tile(gather, source, 0, panels, rows, tile, false);
                    self.scatter(shape, part, tile, gradient, add);
                });
            }
        });
    }

    /// Brings the gradients of some of these pixels to their places in the picture.
    fn scatter<T: Element>(
        &self,
        shape: &ConvShape,
        places: Range<usize>,
        tile: &[T],
        picture: &mut [T],
        add: bool,
    ) {
        let channels = shape.input_channels;
        vectorised(
            #[inline(always)]
            || {
                for (place, from) in places.zip(tile.chunks_exact(channels)) {
                    let y = place / self.gather.grid[1] * shape.stride + self.place[0];
                    let x = place % self.gather.grid[1] * shape.stride + self.place[1];
                    let to = &mut picture[(y * shape.width + x) * channels..][..channels];
                    if add {
                        for (to, &from) in to.iter_mut().zip(from) {
                            *to += from;
                        }
                    } else {
                        to.copy_from_slice(from);
                    }
                }
            },
        );
    }
}

/// `result (+)= patches · panels`, tile by tile.
fn multiply_patches<T: Element, R: Send>(
    gather: &Im2col,
    source: Source<T>,
    panels: &Panels<T>,
    result: &mut [T],
    domains: &[usize],
    add: bool,
    epilogue: impl Epilogue<T, R>,
) -> Vec<Vec<R>> {
    let parts = parts_of_domains(domains, gather.places(), |rows| tiles_of(rows, panels));
    on_parts(
        domains,
        parts,
        result,
        |rows| rows.len() * panels.columns,
        |domain, rows, tile| {
            multiply_tile(gather, source, domain, panels, rows.clone(), tile, add);
            epilogue(domain, rows, tile)
        },
    )
}

/// One tile of the result, `[rows, columns of the panels]`.
fn multiply_tile<T: Element>(
    gather: &Im2col,
    source: Source<T>,
    domain: usize,
    panels: &Panels<T>,
    rows: Range<usize>,
    tile: &mut [T],
    add: bool,
) {
    if panels.depth == 0 {
        tile.fill(T::zero());
        return;
    }
    with_scratch(rows.len() * ROW, |patches| {
        for columns in even_parts(panels.depth, panels.depth.div_ceil(DEPTH)) {
            gather.fill(source, domain, rows.clone(), columns.clone(), patches, ROW);
            let left = Left::by_rows(patches, [rows.len(), columns.len()], ROW);
            let target = Target::new(tile, panels.columns);
            assert!(tile.len() >= rows.len() * panels.columns);
            // SAFETY: the tile has room for the rows, and only this call knows it.
            unsafe { multiply(left, panels.below(columns.start), target, add || columns.start > 0) };
        }
    });
}

/// Into how many tiles `rows` rows are cut: patches and result of each stay in the second-level cache, and there are some
/// for every thread.
fn tiles_of<T: Element>(rows: usize, panels: &Panels<T>) -> usize {
    const ELEMENTS: usize = 100_000;
    const FEWEST_ROWS: usize = 24;
    let at_most = (ELEMENTS / (panels.depth.min(DEPTH) + panels.columns)).clamp(2 * FEWEST_ROWS, 512);
    rows.div_ceil(at_most).max(8.min(rows.div_ceil(FEWEST_ROWS)))
}
