//! Guided Backpropagation over plain memory: the slope of a feature in the pictures, by the running statistics, where every
//! ReLU passes a slope only if its input was positive and the slope is (Springenberg et al. 2015, arXiv 1412.6806).

use rayon::prelude::*;

use super::forward::{Pass, global_average};
use super::inference::Map;
use super::plan::{BlockPlan, Tensors, Unit};
use crate::cpu::batch_norm::{EPSILON, Moments, Normalisation};
use crate::cpu::batch_norm_gradient::backward_given;
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::conv::tiles::as_it_is;
use crate::cpu::element::Element;
use crate::cpu::max_pool;

/// What every ReLU gave, and what came out of max-pooling.
pub(crate) struct GuidedTape<T> {
    stem: Map<T>,
    pooled: Option<Map<T>>,
    /// Of each block its units' maps; the last is the block's.
    blocks: Vec<Vec<Map<T>>>,
}

impl<T> GuidedTape<T> {
    /// What goes into block `number`, or comes out of the last one.
    fn map(&self, number: usize) -> &Map<T> {
        let of_stem = self.pooled.as_ref().unwrap_or(&self.stem);
        number.checked_sub(1).and_then(|before| self.blocks[before].last()).unwrap_or(of_stem)
    }
}

impl<T: Element> Pass<'_, T> {
    /// The feature `[batch, channels]`, as [`Pass::infer`], with what the way back needs.
    pub fn guided_forward(
        &self,
        images: &[T],
        image_dims: &[usize],
    ) -> candle_core::Result<(Vec<T>, GuidedTape<T>)> {
        let stem = self.infer_unit(&self.plan.stem, images, image_dims, None, true)?;
        let pooled = self.plan.max_pool.then(|| self.pool(&stem.0, stem.1));
        let mut tape = GuidedTape { stem, pooled, blocks: Vec::new() };
        for (number, plan) in self.plan.blocks.iter().enumerate() {
            let (map, dims) = tape.map(number);
            let mut maps = Vec::new();
            let output = self.infer_block(plan, map, dims, &mut |inner| maps.push(inner))?;
            maps.push(output);
            tape.blocks.push(maps);
        }
        let (map, dims) = tape.map(self.plan.blocks.len());
        Ok((global_average(map, *dims), tape))
    }

    /// The guided slope in the pictures, in their shape, from the slope in the feature `[batch, channels]`.
    pub fn guided_backward(
        &self,
        tape: GuidedTape<T>,
        image_dims: &[usize],
        feature_slope: &[T],
    ) -> candle_core::Result<Vec<T>> {
        let (_, [_, height, width, channels]) = *tape.map(self.plan.blocks.len());
        let mut slope = self.spread(feature_slope, height * width, channels);
        for (number, plan) in self.plan.blocks.iter().enumerate().rev() {
            slope = self.guided_block(plan, &tape.blocks[number], &tape.map(number).1, slope)?;
        }
        let (stem, [_, height, width, channels]) = &tape.stem;
        if let Some((pooled, _)) = &tape.pooled {
            let mut unpooled = self.buffers.take(stem.len());
            max_pool::backward(stem, pooled, &slope, (*height, *width, *channels), &mut unpooled);
            self.buffers.give(std::mem::replace(&mut slope, unpooled));
        }
        guide(stem, &mut slope);
        let of_images = self.through_unit(&self.plan.stem, image_dims, slope)?;
        let maps = tape.blocks.into_iter().flatten().chain([tape.stem]).chain(tape.pooled);
        maps.for_each(|(map, _)| self.buffers.give(map));
        Ok(of_images)
    }

    /// From the slope in a block's output to that in its input, where two ways meet.
    fn guided_block(
        &self,
        plan: &BlockPlan,
        maps: &[Map<T>],
        input_dims: &[usize; 4],
        mut slope: Vec<T>,
    ) -> candle_core::Result<Vec<T>> {
        let Some((output, _)) = maps.last() else { return Ok(slope) };
        guide(output, &mut slope);
        let mut by_shortcut = self.buffers.take(slope.len());
        by_shortcut.copy_from_slice(&slope);
        if let Some(unit) = &plan.downsample {
            by_shortcut = self.through_unit(unit, input_dims, by_shortcut)?;
        }
        for (number, unit) in plan.units.iter().enumerate().rev() {
            let before = number.checked_sub(1).map(|before| &maps[before]);
            slope = self.through_unit(unit, before.map_or(input_dims, |(_, dims)| dims), slope)?;
            if let Some((active, _)) = before {
                guide(active, &mut slope);
            }
        }
        slope.par_iter_mut().zip(&by_shortcut).for_each(|(slope, other)| *slope += *other);
        self.buffers.give(by_shortcut);
        Ok(slope)
    }

    /// From the slope in `norm(conv(x))` to that in `x`, of `input_dims`.
    fn through_unit(
        &self,
        unit: &Unit,
        input_dims: &[usize],
        mut slope: Vec<T>,
    ) -> candle_core::Result<Vec<T>> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let Tensors { kernel, scale, shift } = self.tensors[unit.number];
        let given: &Moments =
            unit.given.as_ref().expect("guided backpropagation goes by the running statistics");
        let normalisation = Normalisation::new((scale, shift), given, EPSILON);
        backward_given(&mut slope, &normalisation);
        let mut of_input = self.buffers.take(input_dims.iter().product());
        self.convolution(&shape).backward_input(kernel, &slope, &mut of_input, false, as_it_is);
        self.buffers.give(slope);
        Ok(of_input)
    }
}

/// Keeps a slope where ReLU's output and the slope itself are positive.
fn guide<T: Element>(active: &[T], slope: &mut [T]) {
    slope.par_iter_mut().zip(active).for_each(|(slope, active)| {
        let open = *active > T::zero() && *slope > T::zero();
        *slope = if open { *slope } else { T::zero() };
    });
}
