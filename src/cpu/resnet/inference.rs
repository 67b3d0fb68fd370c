//! A residual network without a way back: batch norm, shortcut and ReLU are applied to each tile of a convolution while it
//! is in the cache, and no map is kept longer than its block.

use super::forward::{Pass, global_average};
use super::plan::{BlockPlan, Tensors, Unit};
use crate::cpu::batch_norm::{EPSILON, Moments, Normalisation, normalise_tile};
use crate::cpu::conv::im2col::Source;
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::element::Element;

/// A map and its dimensions, `[batch, height, width, channels]`.
pub(crate) type Map<T> = (Vec<T>, [usize; 4]);

impl<T: Element> Pass<'_, T> {
    /// The feature `[batch, channels]`, normalised by the running statistics.
    pub fn infer(&self, images: &[T], image_dims: &[usize]) -> candle_core::Result<Vec<T>> {
        let (map, dims) = self.infer_map(images, image_dims, self.plan.blocks.len())?;
        let feature = global_average(&map, dims);
        self.buffers.give(map);
        Ok(feature)
    }

    /// The map after the first `blocks` residual blocks.
    pub fn infer_map(
        &self,
        images: &[T],
        image_dims: &[usize],
        blocks: usize,
    ) -> candle_core::Result<Map<T>> {
        let (mut map, mut dims) = self.infer_unit(&self.plan.stem, images, image_dims, None, true)?;
        if self.plan.max_pool {
            let pooled = self.pool(&map, dims);
            self.buffers.give(std::mem::replace(&mut map, pooled.0));
            dims = pooled.1;
        }
        for plan in &self.plan.blocks[..blocks] {
            let (output, output_dims) =
                self.infer_block(plan, &map, &dims, &mut |(inner, _)| self.buffers.give(inner))?;
            self.buffers.give(std::mem::replace(&mut map, output));
            dims = output_dims;
        }
        Ok((map, dims))
    }

    /// The block's output; what its other units gave goes to `used`, in their order.
    pub(crate) fn infer_block(
        &self,
        plan: &BlockPlan,
        input: &[T],
        dims: &[usize],
        used: &mut impl FnMut(Map<T>),
    ) -> candle_core::Result<Map<T>> {
        let shortcut = match &plan.downsample {
            Some(unit) => Some(self.infer_unit(unit, input, dims, None, false)?.0),
            None => None,
        };
        let mut inner: Option<Map<T>> = None;
        for (number, unit) in plan.units.iter().enumerate() {
            let last = number + 1 == plan.units.len();
            let added = last.then_some(shortcut.as_deref().unwrap_or(input));
            let output = match &inner {
                Some((map, dims)) => self.infer_unit(unit, map, dims, added, true)?,
                None => self.infer_unit(unit, input, dims, added, true)?,
            };
            if let Some(before) = inner.replace(output) {
                used(before);
            }
        }
        if let Some(shortcut) = shortcut {
            self.buffers.give(shortcut);
        }
        Ok(inner.expect("a residual block has two or three units"))
    }

    /// `relu?(norm(conv(input)) + shortcut?)`.
    pub(crate) fn infer_unit(
        &self,
        unit: &Unit,
        input: &[T],
        input_dims: &[usize],
        shortcut: Option<&[T]>,
        relu: bool,
    ) -> candle_core::Result<Map<T>> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let dims = shape.output_dims();
        let mut output = self.buffers.take(dims.iter().product());
        let Tensors { kernel, scale, shift } = self.tensors[unit.number];
        let given: &Moments = unit.given.as_ref().expect("inference goes by the running statistics");
        let normalisation = Normalisation::new((scale, shift), given, EPSILON);
        let channels = shape.output_channels;
        let finish = |_, rows: std::ops::Range<usize>, tile: &mut [T]| {
            let shortcut = shortcut.map(|shortcut| &shortcut[rows.start * channels..rows.end * channels]);
            normalise_tile(tile, &normalisation, shortcut, relu);
        };
        self.convolution(&shape).forward(Source::Map(input), kernel, &mut output, finish);
        Ok((output, dims))
    }
}
