//! The way back through a residual network: gradients of all parameters from that of the feature.
//!
//! A gradient is *closed* when it is zero where ReLU was: it then is the gradient of batch norm's output. Closing and
//! taking batch norm's sums happen tile by tile inside the convolution that makes the gradient.

use std::ops::Range;

use rayon::prelude::*;

use super::forward::{BlockTape, Convolved, Pass, Tape};
use super::plan::{BlockPlan, Gradients, Unit};
use crate::cpu::batch_norm::Normalisation;
use crate::cpu::batch_norm_gradient::{self as norm, GradientSums, Open};
use crate::cpu::conv::im2col::Source;
use crate::cpu::conv::tiles::as_it_is;
use crate::cpu::element::{Element, scratch};
use crate::cpu::max_pool;

/// What closes the gradient of a unit's activation.
struct Closing<'a, T> {
    x: &'a [T],
    /// One per domain.
    normalisations: Vec<Normalisation<T>>,
    open: Open<'a, T>,
}

impl<T: Element> Closing<'_, T> {
    fn close_tile(&self, domain: usize, rows: Range<usize>, tile: &mut [T]) -> GradientSums {
        let normalisation = &self.normalisations[domain];
        let at = rows.start * normalisation.channels()..rows.end * normalisation.channels();
        GradientSums::close_tile(&self.x[at.clone()], normalisation, self.open.part(at), tile)
    }
}

impl<T: Element> Pass<'_, T> {
    /// The gradients of every unit's tensors, from that of the feature `[batch, channels]`.
    pub fn backward(&self, mut tape: Tape<T>, images: &[T], feature_gradient: &[T]) -> Vec<Gradients<T>> {
        let mut result: Vec<Gradients<T>> = self.tensors.iter().map(|_| Gradients::default()).collect();
        let (plan, stem) = (&self.plan.stem, &tape.stem);
        let of_stem = || self.closing(plan, stem, Open::WhereActive);
        let Some((last_plan, last)) = self.plan.blocks.last().zip(tape.blocks.last()) else {
            return result;
        };
        let [_, height, width, channels] = last.last().shape.output_dims();
        let mut gradient = self.spread(feature_gradient, height * width, channels);
        let output = tape.maps.pop().unwrap_or_default();
        let closing = self.closing(last_plan.last(), last.last(), Open::WherePositive(&output));
        let mut sums = self.close(&closing, &mut gradient);
        self.buffers.give(output);
        for (number, plan) in self.plan.blocks.iter().enumerate().rev() {
            let (Some(block), Some(input)) = (tape.blocks.pop(), tape.maps.pop()) else {
                return result;
            };
            let before =
                number.checked_sub(1).map(|number| (&self.plan.blocks[number], &tape.blocks[number]));
            let closing = match before {
                Some((plan, tape)) => {
                    Some(self.closing(plan.last(), tape.last(), Open::WherePositive(&input)))
                }
                None if self.plan.max_pool => None,
                None => Some(of_stem()),
            };
            (gradient, sums) =
                self.block_backward(plan, block, &input, gradient, sums, closing.as_ref(), &mut result);
            if number == 0 && self.plan.max_pool {
                let [_, height, width, channels] = stem.shape.output_dims();
                let active = self.activate(&self.plan.stem, stem, None, true);
                let mut unpooled = self.buffers.take(active.len());
                max_pool::backward(&active, &input, &gradient, (height, width, channels), &mut unpooled);
                self.buffers.give(std::mem::replace(&mut gradient, unpooled));
                self.buffers.give(active);
                sums = self.close(&of_stem(), &mut gradient);
            }
            self.buffers.give(input);
        }
        self.normalise_backward(plan, stem, &sums, &mut gradient, None, &mut result);
        self.kernel_backward(plan, stem, Source::Map(images), &gradient, &mut result);
        self.buffers.give(gradient);
        self.buffers.give(tape.stem.output);
        result
    }

    /// The gradient of the block's input, closed by `before`, from the closed gradient of its output; each with its sums.
    #[allow(clippy::too_many_arguments)]
    fn block_backward(
        &self,
        plan: &BlockPlan,
        tape: BlockTape<T>,
        input: &[T],
        mut gradient: Vec<T>,
        sums: Vec<GradientSums>,
        before: Option<&Closing<T>>,
        result: &mut [Gradients<T>],
    ) -> (Vec<T>, Vec<GradientSums>) {
        let mut of_convolved = self.buffers.take(gradient.len());
        let into = Some(&mut of_convolved[..]);
        self.normalise_backward(plan.last(), tape.last(), &sums, &mut gradient, into, result);
        let mut of_input = self.shortcut_backward(plan, &tape.downsample, input, gradient, result);
        for (number, unit) in plan.units.iter().enumerate().skip(1).rev() {
            let convolved = &tape.units[number];
            let (unit_before, convolved_before) = (&plan.units[number - 1], &tape.units[number - 1]);
            self.with_active(unit_before, convolved_before, unit, |active| {
                self.kernel_backward(unit, convolved, active, &of_convolved, result);
            });
            let closing = self.closing(unit_before, convolved_before, Open::WhereActive);
            let mut of_active = self.buffers.take(convolved_before.output.len());
            let sums =
                self.input_backward(unit, convolved, &of_convolved, &mut of_active, false, Some(&closing));
            self.buffers.give(std::mem::replace(&mut of_convolved, of_active));
            self.normalise_backward(unit_before, convolved_before, &sums, &mut of_convolved, None, result);
        }
        let (unit, convolved) = (&plan.units[0], &tape.units[0]);
        self.kernel_backward(unit, convolved, Source::Map(input), &of_convolved, result);
        let sums = self.input_backward(unit, convolved, &of_convolved, &mut of_input, true, before);
        self.buffers.give(of_convolved);
        for convolved in tape.units.into_iter().chain(tape.downsample) {
            self.buffers.give(convolved.output);
        }
        (of_input, sums)
    }

    /// What comes back to the block's input through the shortcut, from the closed gradient of the block's output.
    fn shortcut_backward(
        &self,
        plan: &BlockPlan,
        tape: &Option<Convolved<T>>,
        input: &[T],
        mut gradient: Vec<T>,
        result: &mut [Gradients<T>],
    ) -> Vec<T> {
        let (Some(unit), Some(convolved)) = (&plan.downsample, tape) else {
            return gradient;
        };
        let sums = self.close(&self.closing(unit, convolved, Open::Everywhere), &mut gradient);
        self.normalise_backward(unit, convolved, &sums, &mut gradient, None, result);
        self.kernel_backward(unit, convolved, Source::Map(input), &gradient, result);
        let mut of_input = self.buffers.take(input.len());
        self.input_backward(unit, convolved, &gradient, &mut of_input, false, None);
        self.buffers.give(gradient);
        of_input
    }

    fn closing<'b>(&self, unit: &Unit, convolved: &'b Convolved<T>, open: Open<'b, T>) -> Closing<'b, T> {
        Closing { x: &convolved.output, normalisations: self.normalisations(unit, convolved), open }
    }

    /// Closes a whole gradient; the sums of each domain.
    fn close(&self, closing: &Closing<T>, gradient: &mut [T]) -> Vec<GradientSums> {
        let ranges = self.domain_ranges(gradient.len()).zip(&closing.normalisations);
        let close = |(range, normalisation): (Range<usize>, _)| {
            let (x, open) = (&closing.x[range.clone()], closing.open.part(range.clone()));
            GradientSums::close(x, normalisation, open, &mut gradient[range])
        };
        ranges.map(close).collect()
    }

    /// The gradient of a convolution's input, closed by the unit that made that input; the sums of each domain.
    fn input_backward(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        gradient: &[T],
        of_input: &mut [T],
        add: bool,
        closing: Option<&Closing<T>>,
    ) -> Vec<GradientSums> {
        let convolution = self.convolution(&convolved.shape);
        let kernel = self.tensors[unit.number].kernel;
        let Some(closing) = closing else {
            convolution.backward_input(kernel, gradient, of_input, add, as_it_is);
            return Vec::new();
        };
        let finish = |domain, rows, tile: &mut [T]| closing.close_tile(domain, rows, tile);
        let tiles = convolution.backward_input(kernel, gradient, of_input, add, finish);
        if tiles.is_empty() {
            return self.close(closing, of_input); // a stride: the pixels were not computed at once
        }
        tiles.into_iter().map(|tiles| GradientSums::of_all(convolved.shape.input_channels, tiles)).collect()
    }

    fn kernel_backward(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        source: Source<T>,
        gradient: &[T],
        result: &mut [Gradients<T>],
    ) {
        let mut of_kernel = scratch(self.tensors[unit.number].kernel.len());
        self.convolution(&convolved.shape).backward_kernel(source, gradient, &mut of_kernel);
        result[unit.number].kernel = of_kernel;
    }

    /// Back through batch norm, from the closed gradient and its sums.
    fn normalise_backward(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        sums: &[GradientSums],
        gradient: &mut [T],
        mut into: Option<&mut [T]>,
        result: &mut [Gradients<T>],
    ) {
        let channels = convolved.shape.output_channels;
        let mut of_affine = vec![T::zero(); 2 * channels];
        let normalisations = self.normalisations(unit, convolved);
        let ranges = self.domain_ranges(convolved.output.len()).zip(&normalisations).zip(sums);
        for ((range, normalisation), sums) in ranges {
            let x = &convolved.output[range.clone()];
            let into = into.as_deref_mut().map(|into| &mut into[range.clone()]);
            norm::backward(x, normalisation, sums, unit.given.is_none(), &mut gradient[range], into);
            for (total, part) in of_affine.iter_mut().zip(sums.of_affine(normalisation)) {
                *total += part;
            }
        }
        result[unit.number].shift = of_affine.split_off(channels);
        result[unit.number].scale = of_affine;
    }

    /// The gradient of the last map: every pixel gets an equal share of the feature's.
    pub(crate) fn spread(&self, feature_gradient: &[T], pixels: usize, channels: usize) -> Vec<T> {
        let share = T::from_f64(1.0 / pixels as f64);
        let mut gradient = self.buffers.take(feature_gradient.len() * pixels);
        let pictures = gradient.par_chunks_mut(pixels * channels).zip(feature_gradient.par_chunks(channels));
        pictures.for_each(|(picture, feature)| {
            for pixel in picture.chunks_exact_mut(channels) {
                for (value, &gradient) in pixel.iter_mut().zip(feature) {
                    *value = gradient * share;
                }
            }
        });
        gradient
    }
}
