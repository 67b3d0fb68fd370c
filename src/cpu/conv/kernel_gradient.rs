//! The gradient of a convolution's kernel: `dW = dYᵀ P`, a sum over all positions.

use std::ops::Range;

use rayon::prelude::*;

use super::im2col::{Im2col, Source, with_scratch};
use super::microkernel::{Left, Target, multiply};
use super::packing::Panelled;
use super::shape::Convolution;
use super::winograd;
use super::winograd_kernel_gradient;
use crate::cpu::element::{Element, vectorised};
use crate::cpu::parts::{even_parts, parts_of_domains};
use crate::device::profile::timed;

/// Positions that one product sums over.
const POSITIONS: usize = 192;
/// Columns of the kernel's gradient that are computed together.
const COLUMNS: usize = 320;
/// Rows of it that are computed together.
const ROWS: usize = 256;
/// Rows in scratch memory are longer by this: for the last panel, and so that they use different lines of the cache.
const GAP: usize = 48;
/// At least this many parts are computed side by side.
const PARTS: usize = 8;

/// One block of the kernel's gradient over some of the positions.
struct Part {
    /// Which of the partial sums it writes; the first is the result itself.
    sum: usize,
    blocks: Range<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Convolution<'_> {
    /// `dW = dYᵀ P`: the gradient of the kernel `[out, patch]`.
    ///
    /// A large kernel is cut into blocks; for a small one the positions are cut into fixed parts, whose sums are added in
    /// order.
    pub fn backward_kernel<T: Element>(&self, source: Source<T>, output_gradient: &[T], gradient: &mut [T]) {
        let Self { shape, domains, buffers } = *self;
        timed("convolution, kernel gradient", || {
            if winograd::applies(shape) {
                return winograd_kernel_gradient::backward_kernel(self, source, output_gradient, gradient);
            }
            let gather = Im2col::of_input(shape);
            let output_gradient = Source::Map(output_gradient);
            let (patch, out) = (gather.depth(), shape.output_channels);
            let blocks =
                parts_of_domains(domains, gather.places(), |positions| positions.div_ceil(POSITIONS));
            let (column_parts, row_parts) = (patch.div_ceil(COLUMNS), out.div_ceil(ROWS));
            let sums = PARTS.div_ceil(column_parts * row_parts).min(blocks.len()).max(1);
            let mut parts = Vec::new();
            for (sum, blocks) in even_parts(blocks.len(), sums).enumerate() {
                for rows in even_parts(out, row_parts) {
                    for columns in even_parts(patch, column_parts) {
                        parts.push(Part { sum, blocks: blocks.clone(), rows: rows.clone(), columns });
                    }
                }
            }
            assert_eq!(gradient.len(), out * patch);
            let mut others = buffers.take((sums - 1) * out * patch);
            let targets = [Target::new(gradient, patch), Target::new(&mut others, patch)];
            let outputs = Im2col::of_map(shape.output_dims());
            parts.into_par_iter().with_max_len(1).for_each(|part| {
                // SAFETY: the block lies inside its sum, and no other part has it.
                let target = unsafe {
                    match part.sum {
                        0 => targets[0].at(part.rows.start, part.columns.start),
                        sum => targets[1].at((sum - 1) * out + part.rows.start, part.columns.start),
                    }
                };
                let (row, column) = (part.rows.len() + GAP, part.columns.len() + GAP);
                with_scratch(POSITIONS * row, |left| {
                    with_scratch(POSITIONS * column, |right| {
                        for (number, (domain, positions)) in blocks[part.blocks].iter().enumerate() {
                            let positions = || positions.clone();
                            outputs.fill(output_gradient, *domain, positions(), part.rows.clone(), left, row);
                            gather.fill(source, *domain, positions(), part.columns.clone(), right, column);
                            let left = Left::by_columns(left, [part.rows.len(), positions().len()], row);
                            let panels = Panelled::in_place(right, column, part.columns.len());
                            // SAFETY: as above.
                            unsafe { multiply(left, panels, target, number > 0) };
                        }
                    });
                });
            });
            for part in others.chunks_exact(out * patch) {
                add_to(gradient, part);
            }
            buffers.give(others);
        })
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
