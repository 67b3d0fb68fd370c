//! A residual network forwards over plain memory: what [`ResNet::forward`](crate::model::resnet::ResNet) runs.
//!
//! candle's own graph would keep the output of every operation, fill every gradient with zeros before adding to it, and
//! return all of it to the operating system after each step. Here
//! - of `relu(norm(conv(x)))` only the convolution's output is kept; the rest is computed again on the way back,
//! - the moments of batch norm are taken of each tile while it is in the cache, and a 1×1 convolution normalises its
//!   input while it reads it,
//! - gradients are written in place, and added where two paths meet by the matrix product itself,
//! - memory is lent again step after step.
//!
//! Both domains go through the convolutions together, while batch norm treats each domain on its own: the same numbers
//! as two separate passes, in larger products.

use std::ops::Range;

use rayon::prelude::*;

use super::plan::{BlockPlan, Plan, Tensors, Unit};
use crate::cpu::batch_norm::{self as norm, EPSILON, Moments, Normalisation};
use crate::cpu::buffers::Buffers;
use crate::cpu::conv::im2col::Source;
use crate::cpu::conv::shape::{ConvShape, Convolution};
use crate::cpu::conv::tiles::as_it_is;
use crate::cpu::element::Element;
use crate::cpu::max_pool;

/// The output of a convolution, which is all that is kept of a unit.
pub(crate) struct Convolved<T> {
    pub shape: ConvShape,
    pub output: Vec<T>,
    /// One per domain.
    pub moments: Vec<Moments>,
}

pub(crate) struct BlockTape<T> {
    pub units: Vec<Convolved<T>>,
    pub downsample: Option<Convolved<T>>,
}

impl<T> BlockTape<T> {
    /// Of the unit whose output is added to the shortcut.
    pub fn last(&self) -> &Convolved<T> {
        self.units.last().expect("a residual block has two or three units")
    }
}

/// What a forward pass leaves for the backward pass.
pub(crate) struct Tape<T> {
    pub stem: Convolved<T>,
    /// `maps[i]` goes into block `i`, `maps[i + 1]` comes out of it.
    pub maps: Vec<Vec<T>>,
    pub blocks: Vec<BlockTape<T>>,
}

/// What a forward pass gives.
pub(crate) struct Forward<T> {
    /// `[batch, channels]`.
    pub feature: Vec<T>,
    pub tape: Tape<T>,
    /// Of every batch norm in the order of the plan, by domain.
    pub moments: Vec<Vec<Moments>>,
}

/// One pass: the network, its tensors by the number of the unit, and where memory comes from.
pub(crate) struct Pass<'a, T> {
    pub plan: &'a Plan,
    pub tensors: Vec<Tensors<'a, T>>,
    pub buffers: &'a Buffers,
}

impl<T: Element> Pass<'_, T> {
    /// The pictures through the network, with all that a backward pass needs.
    pub fn forward(&self, images: &[T], image_dims: &[usize]) -> candle_core::Result<Forward<T>> {
        let stem = self.convolve(&self.plan.stem, Source::Map(images), image_dims)?;
        let mut moments = vec![stem.moments.clone()];
        let mut dims = stem.shape.output_dims();
        let mut map = self.activate(&self.plan.stem, &stem, None, true);
        if self.plan.max_pool {
            let pooled = self.pool(&map, dims);
            self.buffers.give(std::mem::replace(&mut map, pooled.0));
            dims = pooled.1;
        }
        let mut tape = Tape { stem, maps: Vec::new(), blocks: Vec::new() };
        for plan in &self.plan.blocks {
            let (output, block) = self.block_forward(plan, &map, &dims)?;
            dims = block.last().shape.output_dims();
            moments.extend(block.units.iter().chain(&block.downsample).map(|unit| unit.moments.clone()));
            tape.maps.push(std::mem::replace(&mut map, output));
            tape.blocks.push(block);
        }
        let feature = global_average(&map, dims);
        tape.maps.push(map);
        Ok(Forward { feature, tape, moments })
    }

    fn block_forward(
        &self,
        plan: &BlockPlan,
        input: &[T],
        input_dims: &[usize],
    ) -> candle_core::Result<(Vec<T>, BlockTape<T>)> {
        let mut units: Vec<Convolved<T>> = Vec::new();
        for (number, unit) in plan.units.iter().enumerate() {
            let convolved = match units.last() {
                None => self.convolve(unit, Source::Map(input), input_dims)?,
                Some(before) => self.with_active(&plan.units[number - 1], before, unit, |source| {
                    self.convolve(unit, source, &before.shape.output_dims())
                })?,
            };
            units.push(convolved);
        }
        let downsample = match &plan.downsample {
            Some(unit) => Some(self.convolve(unit, Source::Map(input), input_dims)?),
            None => None,
        };
        let tape = BlockTape { units, downsample };
        let output = match (&plan.downsample, &tape.downsample) {
            (Some(unit), Some(convolved)) => {
                let shortcut = self.activate(unit, convolved, None, false);
                let output = self.activate(plan.last(), tape.last(), Some(&shortcut), true);
                self.buffers.give(shortcut);
                output
            }
            _ => self.activate(plan.last(), tape.last(), Some(input), true),
        };
        Ok((output, tape))
    }

    fn convolve(
        &self,
        unit: &Unit,
        source: Source<T>,
        input_dims: &[usize],
    ) -> candle_core::Result<Convolved<T>> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let mut output = self.buffers.take(shape.output_dims().iter().product());
        let kernel = self.tensors[unit.number].kernel;
        let convolution = self.convolution(&shape);
        let moments = match &unit.given {
            Some(given) => {
                convolution.forward(source, kernel, &mut output, as_it_is);
                vec![given.clone(); self.plan.domains.len()]
            }
            None => {
                let moments = |_, _, tile: &mut [T]| norm::moments_of_tile(tile, shape.output_channels);
                let tiles = convolution.forward(source, kernel, &mut output, moments);
                tiles.into_iter().map(Moments::of_all).collect()
            }
        };
        Ok(Convolved { shape, output, moments })
    }

    pub(crate) fn convolution<'s>(&'s self, shape: &'s ConvShape) -> Convolution<'s> {
        Convolution { shape, domains: &self.plan.domains, buffers: self.buffers }
    }

    /// Lends `relu(norm(conv))` of the unit `before` to the unit that reads it: computed while it is read if that can be.
    pub(crate) fn with_active<R>(
        &self,
        before: &Unit,
        convolved: &Convolved<T>,
        reader: &Unit,
        read: impl FnOnce(Source<T>) -> R,
    ) -> R {
        if reader.can_normalise_its_input(&convolved.shape.output_dims()) {
            return read(Source::Active(&convolved.output, &self.normalisations(before, convolved)));
        }
        let active = self.activate(before, convolved, None, true);
        let result = read(Source::Map(&active));
        self.buffers.give(active);
        result
    }

    /// Max-pooling.
    pub(crate) fn pool(&self, map: &[T], dims: [usize; 4]) -> (Vec<T>, [usize; 4]) {
        let [batch, height, width, channels] = dims;
        let dims = [batch, max_pool::pooled(height), max_pool::pooled(width), channels];
        let mut pooled = self.buffers.take(dims.iter().product());
        max_pool::forward(map, (height, width, channels), &mut pooled);
        (pooled, dims)
    }

    /// Where each domain's part of a map of `elements` numbers lies.
    pub(crate) fn domain_ranges(&self, elements: usize) -> impl Iterator<Item = Range<usize>> + use<'_, T> {
        let picture = elements / self.plan.domains.iter().sum::<usize>();
        self.plan.domains.iter().scan(0, move |start, pictures| {
            let range = *start..*start + pictures * picture;
            *start = range.end;
            Some(range)
        })
    }

    /// One per domain.
    pub(crate) fn normalisations(&self, unit: &Unit, convolved: &Convolved<T>) -> Vec<Normalisation<T>> {
        let Tensors { scale, shift, .. } = self.tensors[unit.number];
        convolved.moments.iter().map(|moments| Normalisation::new((scale, shift), moments, EPSILON)).collect()
    }

    /// `relu?(norm(conv) + shortcut?)`.
    pub(crate) fn activate(
        &self,
        unit: &Unit,
        convolved: &Convolved<T>,
        shortcut: Option<&[T]>,
        relu: bool,
    ) -> Vec<T> {
        let mut output = self.buffers.take(convolved.output.len());
        let normalisations = self.normalisations(unit, convolved);
        for (range, normalisation) in self.domain_ranges(convolved.output.len()).zip(&normalisations) {
            let shortcut = shortcut.map(|shortcut| &shortcut[range.clone()]);
            let x = &convolved.output[range.clone()];
            norm::forward(x, normalisation, shortcut, relu, &mut output[range]);
        }
        output
    }
}

/// The mean over height and width.
pub(crate) fn global_average<T: Element>(map: &[T], [_, height, width, channels]: [usize; 4]) -> Vec<T> {
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
