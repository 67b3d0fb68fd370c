//! A residual network forwards and backwards over plain memory: what [`ResNet::forward`](super::resnet::ResNet) runs.
//!
//! candle's own graph would keep the output of every operation, fill every gradient with zeros before adding to it, and
//! return all of it to the operating system after each step. Here
//! - of `relu(norm(conv(x)))` only the convolution's output is kept; the rest is computed again on the way back,
//! - gradients are written in place, and added where two paths meet by the matrix product itself,
//! - memory is lent again step after step.
//!
//! Both domains go through the convolutions together, while batch norm treats each domain on its own: the same numbers
//! as two separate passes, in larger products.

use std::ops::Range;

use rayon::prelude::*;

use super::backbone_plan::{BlockPlan, Plan, Unit};
use crate::nn::batch_norm::EPSILON;
use crate::nn::batch_norm_kernel::{self as norm, Moments, Normalisation};
use crate::nn::buffers::Buffers;
use crate::nn::conv_kernel as conv;
use crate::nn::conv_shape::ConvShape;
use crate::nn::element::Element;
use crate::nn::max_pool;

/// The output of a convolution, which is all that is kept of a unit.
pub(super) struct Convolved<T> {
    pub shape: ConvShape,
    pub output: Vec<T>,
    /// One per domain.
    pub moments: Vec<Moments>,
}

pub(super) struct BlockTape<T> {
    pub units: Vec<Convolved<T>>,
    pub downsample: Option<Convolved<T>>,
}

/// What a forward pass leaves for the backward pass.
pub(super) struct Tape<T> {
    pub stem: Convolved<T>,
    /// `maps[i]` goes into block `i`, `maps[i + 1]` comes out of it.
    pub maps: Vec<Vec<T>>,
    pub blocks: Vec<BlockTape<T>>,
}

/// What a forward pass gives.
pub(super) struct Forward<T> {
    /// `[batch, channels]`.
    pub feature: Vec<T>,
    /// None if no backward pass is to follow.
    pub tape: Option<Tape<T>>,
    /// Of every batch norm in the order of the plan, by domain.
    pub moments: Vec<Vec<Moments>>,
}

/// One pass: the network, its parameters, and where memory comes from.
pub(super) struct Pass<'a, T> {
    pub plan: &'a Plan,
    pub parameters: &'a [T],
    pub buffers: &'a Buffers<T>,
}

impl<T: Element> Pass<'_, T> {
    /// The pictures through the network; the tape is kept if a backward pass is to follow.
    pub fn forward(&self, images: &[T], image_dims: &[usize], keep: bool) -> candle_core::Result<Forward<T>> {
        let mut all_moments = Vec::new();
        let stem = self.convolve(&self.plan.stem, images, image_dims)?;
        all_moments.push(stem.moments.clone());
        let mut dims = stem.shape.output_dims();
        let mut map = self.activate(&self.plan.stem, &stem, None, true);
        if self.plan.max_pool {
            let [batch, height, width, channels] = dims;
            dims = [batch, max_pool::pooled(height), max_pool::pooled(width), channels];
            let mut pooled = self.buffers.take(dims.iter().product());
            max_pool::forward(&map, (height, width, channels), &mut pooled);
            self.buffers.give(std::mem::replace(&mut map, pooled));
        }
        let mut tape = Tape { stem, maps: Vec::new(), blocks: Vec::new() };
        for plan in &self.plan.blocks {
            let (output, block) = self.block_forward(plan, &map, &dims, keep)?;
            if let Some(last) = block.units.last() {
                dims = last.shape.output_dims();
            }
            all_moments.extend(block.units.iter().chain(&block.downsample).map(|unit| unit.moments.clone()));
            let input = std::mem::replace(&mut map, output);
            if keep {
                tape.maps.push(input);
                tape.blocks.push(block);
            } else {
                self.buffers.give(input);
            }
        }
        let feature = global_average(&map, dims);
        tape.maps.push(map);
        if keep {
            return Ok(Forward { feature, tape: Some(tape), moments: all_moments });
        }
        self.recycle(tape);
        Ok(Forward { feature, tape: None, moments: all_moments })
    }

    fn block_forward(
        &self,
        plan: &BlockPlan,
        input: &[T],
        input_dims: &[usize],
        keep: bool,
    ) -> candle_core::Result<(Vec<T>, BlockTape<T>)> {
        let mut units: Vec<Convolved<T>> = Vec::new();
        let mut active: Option<Vec<T>> = None;
        for (number, unit) in plan.units.iter().enumerate() {
            let convolved = match (&active, units.last()) {
                (Some(active), Some(before)) => self.convolve(unit, active, &before.shape.output_dims())?,
                _ => self.convolve(unit, input, input_dims)?,
            };
            if let Some(used) = active.take() {
                self.buffers.give(used);
            }
            if number + 1 < plan.units.len() {
                active = Some(self.activate(unit, &convolved, None, true));
            }
            units.push(convolved);
        }
        let downsample = match &plan.downsample {
            Some(unit) => Some(self.convolve(unit, input, input_dims)?),
            None => None,
        };
        let shortcut = match (&plan.downsample, &downsample) {
            (Some(unit), Some(convolved)) => Some(self.activate(unit, convolved, None, false)),
            _ => None,
        };
        let output = match (plan.units.last(), units.last()) {
            (Some(unit), Some(convolved)) => {
                self.activate(unit, convolved, Some(shortcut.as_deref().unwrap_or(input)), true)
            }
            _ => input.to_vec(),
        };
        if let Some(shortcut) = shortcut {
            self.buffers.give(shortcut);
        }
        let mut tape = BlockTape { units, downsample };
        if !keep {
            for convolved in tape.units.iter_mut().chain(&mut tape.downsample) {
                self.buffers.give(std::mem::take(&mut convolved.output));
            }
        }
        Ok((output, tape))
    }

    fn convolve(&self, unit: &Unit, input: &[T], input_dims: &[usize]) -> candle_core::Result<Convolved<T>> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let mut output = self.buffers.take(shape.output_dims().iter().product());
        conv::forward(&shape, input, &self.parameters[unit.kernel.clone()], &mut output, false);
        let moments = match &unit.given {
            Some(given) => vec![given.clone(); self.plan.domains.len()],
            None => self
                .domain_ranges(&shape)
                .map(|range| norm::moments(&output[range], shape.output_channels))
                .collect(),
        };
        Ok(Convolved { shape, output, moments })
    }

    /// Where each domain's part of a convolution's output lies.
    pub(super) fn domain_ranges(&self, shape: &ConvShape) -> impl Iterator<Item = Range<usize>> + use<'_, T> {
        let picture = shape.output_height * shape.output_width * shape.output_channels;
        self.plan.domains.iter().scan(0, move |start, pictures| {
            let range = *start..*start + pictures * picture;
            *start = range.end;
            Some(range)
        })
    }

    pub(super) fn normalisations<'b>(
        &'b self,
        unit: &'b Unit,
        convolved: &'b Convolved<T>,
    ) -> impl Iterator<Item = (Range<usize>, Normalisation<T>)> + 'b {
        let affine = &self.parameters[unit.affine.clone()];
        self.domain_ranges(&convolved.shape)
            .zip(&convolved.moments)
            .map(move |(range, moments)| (range, Normalisation::new(affine, moments, EPSILON)))
    }

    /// `relu?(norm(conv) + shortcut?)`.
    pub(super) fn activate(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        shortcut: Option<&[T]>,
        relu: bool,
    ) -> Vec<T> {
        let mut output = self.buffers.take(convolved.output.len());
        for (range, normalisation) in self.normalisations(unit, convolved) {
            let shortcut = shortcut.map(|shortcut| &shortcut[range.clone()]);
            let x = &convolved.output[range.clone()];
            norm::forward(x, &normalisation, shortcut, relu, &mut output[range]);
        }
        output
    }

    fn recycle(&self, tape: Tape<T>) {
        self.buffers.give(tape.stem.output);
        for map in tape.maps {
            self.buffers.give(map);
        }
    }
}

/// The mean over height and width.
fn global_average<T: Element>(map: &[T], [_, height, width, channels]: [usize; 4]) -> Vec<T> {
    let pixels = height * width;
    map.par_chunks(pixels * channels)
        .flat_map_iter(|picture| {
            let mut sum = vec![0f64; channels];
            for pixel in picture.chunks_exact(channels) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += value.to_f64();
                }
            }
            sum.into_iter().map(move |sum| T::from_f64(sum / pixels as f64))
        })
        .collect()
}
