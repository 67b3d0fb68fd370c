//! The way back through a residual network: gradients of all parameters from that of the feature.

use rayon::prelude::*;

use super::backbone_pass::{BlockTape, Convolved, Pass, Tape};
use super::backbone_plan::{BlockPlan, Unit};
use crate::nn::batch_norm_kernel::{self as norm, Open};
use crate::nn::conv_kernel as conv;
use crate::nn::element::Element;
use crate::nn::max_pool;

impl<T: Element> Pass<'_, T> {
    /// The gradient of the flat parameters, from that of the feature `[batch, channels]`.
    pub fn backward(&self, mut tape: Tape<T>, images: &[T], feature_gradient: &[T]) -> Vec<T> {
        let mut result = vec![T::zero(); self.plan.parameters];
        let last = tape.blocks.last().and_then(|block| block.units.last());
        let [_, height, width, channels] = last.unwrap_or(&tape.stem).shape.output_dims();
        let mut gradient = self.spread(feature_gradient, height * width, channels);
        let mut output = tape.maps.pop().unwrap_or_default();
        for (plan, block) in self.plan.blocks.iter().zip(std::mem::take(&mut tape.blocks)).rev() {
            let input = tape.maps.pop().unwrap_or_default();
            gradient = self.block_backward(plan, block, &input, &output, gradient, &mut result);
            self.buffers.give(std::mem::replace(&mut output, input));
        }
        if self.plan.max_pool {
            let [_, height, width, channels] = tape.stem.shape.output_dims();
            let active = self.activate(&self.plan.stem, &tape.stem, None, true);
            let mut unpooled = self.buffers.take(active.len());
            max_pool::backward(&active, &output, &gradient, (height, width, channels), &mut unpooled);
            self.buffers.give(std::mem::replace(&mut gradient, unpooled));
            self.buffers.give(active);
        }
        self.buffers.give(output);
        self.normalise_backward(&self.plan.stem, &tape.stem, None, &mut gradient, None, &mut result);
        conv::backward_kernel(
            &tape.stem.shape,
            images,
            &gradient,
            &mut result[self.plan.stem.kernel.clone()],
        );
        self.buffers.give(gradient);
        self.buffers.give(tape.stem.output);
        result
    }

    /// The gradient of the block's input, from that of its output.
    fn block_backward(
        &self,
        plan: &BlockPlan,
        tape: BlockTape<T>,
        input: &[T],
        output: &[T],
        mut gradient: Vec<T>,
        result: &mut [T],
    ) -> Vec<T> {
        let mut units = plan.units.iter().zip(tape.units).rev().peekable();
        let mut inner: Option<Vec<T>> = None; // the gradient inside the block, behind the unit at hand
        let mut of_input: Option<Vec<T>> = None; // what has come back to the block's input so far
        while let Some((unit, convolved)) = units.next() {
            let mut of_convolved = match inner.take() {
                Some(mut inner) => {
                    self.normalise_backward(unit, &convolved, None, &mut inner, None, result);
                    inner
                }
                None => {
                    let mut of_convolved = self.buffers.take(gradient.len());
                    let into = Some(&mut of_convolved[..]);
                    self.normalise_backward(unit, &convolved, Some(output), &mut gradient, into, result);
                    of_input =
                        Some(self.shortcut_backward(plan, &tape.downsample, input, &mut gradient, result));
                    of_convolved
                }
            };
            let kernel = &self.parameters[unit.kernel.clone()];
            let of_kernel = &mut result[unit.kernel.clone()];
            self.buffers.give(convolved.output);
            match units.peek() {
                Some((before, convolved_before)) => {
                    let active = self.activate(before, convolved_before, None, true);
                    conv::backward_kernel(&convolved.shape, &active, &of_convolved, of_kernel);
                    let mut of_active = active; // its values are no longer needed
                    conv::backward_input(&convolved.shape, kernel, &of_convolved, &mut of_active, false);
                    std::mem::swap(&mut of_active, &mut of_convolved);
                    self.buffers.give(of_active);
                    inner = Some(of_convolved);
                }
                None => {
                    conv::backward_kernel(&convolved.shape, input, &of_convolved, of_kernel);
                    if let Some(of_input) = &mut of_input {
                        conv::backward_input(&convolved.shape, kernel, &of_convolved, of_input, true);
                    }
                    self.buffers.give(of_convolved);
                }
            }
        }
        if let Some(convolved) = tape.downsample {
            self.buffers.give(convolved.output);
        }
        of_input.unwrap_or(gradient)
    }

    /// What comes back to the block's input through the shortcut; takes `gradient`, leaving an empty vector.
    fn shortcut_backward(
        &self,
        plan: &BlockPlan,
        tape: &Option<Convolved<T>>,
        input: &[T],
        gradient: &mut Vec<T>,
        result: &mut [T],
    ) -> Vec<T> {
        let mut gradient = std::mem::take(gradient);
        let (Some(unit), Some(convolved)) = (&plan.downsample, tape) else {
            return gradient;
        };
        self.normalise(unit, convolved, Open::Everywhere, &mut gradient, None, result);
        conv::backward_kernel(&convolved.shape, input, &gradient, &mut result[unit.kernel.clone()]);
        let mut of_input = self.buffers.take(input.len());
        let kernel = &self.parameters[unit.kernel.clone()];
        conv::backward_input(&convolved.shape, kernel, &gradient, &mut of_input, false);
        self.buffers.give(gradient);
        of_input
    }

    /// Back through ReLU and batch norm; `output` is that of the residual block, if the unit ends one.
    fn normalise_backward(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        output: Option<&[T]>,
        gradient: &mut [T],
        into: Option<&mut [T]>,
        result: &mut [T],
    ) {
        let open = output.map_or(Open::WhereActive, Open::WherePositive);
        self.normalise(unit, convolved, open, gradient, into, result);
    }

    fn normalise(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        open: Open<T>,
        gradient: &mut [T],
        mut into: Option<&mut [T]>,
        result: &mut [T],
    ) {
        let of_affine = &mut result[unit.affine.clone()];
        for (range, normalisation) in self.normalisations(unit, convolved) {
            let open = match open {
                Open::WherePositive(output) => Open::WherePositive(&output[range.clone()]),
                other => other,
            };
            let x = &convolved.output[range.clone()];
            let into = into.as_deref_mut().map(|into| &mut into[range.clone()]);
            let of_the_batch = unit.given.is_none();
            let part = norm::backward(x, &normalisation, open, of_the_batch, &mut gradient[range], into);
            for (total, part) in of_affine.iter_mut().zip(part) {
                *total += part;
            }
        }
    }

    /// The gradient of the last map: every pixel gets an equal share of the feature's.
    fn spread(&self, feature_gradient: &[T], pixels: usize, channels: usize) -> Vec<T> {
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
