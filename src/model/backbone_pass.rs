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

use crate::nn::batch_norm::EPSILON;
use crate::nn::batch_norm_kernel::{self as norm, Moments, Normalisation, Open};
use crate::nn::buffers::Buffers;
use crate::nn::conv_kernel as conv;
use crate::nn::conv_shape::ConvShape;
use crate::nn::element::Element;
use crate::nn::max_pool;

/// A convolution and the batch norm behind it; its tensors as ranges of the flat parameters.
pub(super) struct Unit {
    /// `[out, height, width, in]`.
    pub kernel_dims: [usize; 4],
    pub stride: usize,
    pub padding: usize,
    pub kernel: Range<usize>,
    /// Scale, then shift.
    pub affine: Range<usize>,
    /// The running statistics, in evaluation mode.
    pub given: Option<Moments>,
}

/// The units of one residual block.
pub(super) struct BlockPlan {
    pub units: Vec<Unit>,
    pub downsample: Option<Unit>,
}

/// A whole network.
pub(super) struct Plan {
    pub stem: Unit,
    pub max_pool: bool,
    pub blocks: Vec<BlockPlan>,
    /// Length of the flat parameters.
    pub parameters: usize,
    /// Pictures of each domain.
    pub domains: Vec<usize>,
}

/// The output of a convolution, which is all that is kept of a unit.
struct Convolved<T> {
    shape: ConvShape,
    output: Vec<T>,
    /// One per domain.
    moments: Vec<Moments>,
}

struct BlockTape<T> {
    units: Vec<Convolved<T>>,
    downsample: Option<Convolved<T>>,
}

/// What a forward pass leaves for the backward pass.
pub(super) struct Tape<T> {
    stem: Convolved<T>,
    /// `maps[i]` goes into block `i`, `maps[i + 1]` comes out of it.
    maps: Vec<Vec<T>>,
    blocks: Vec<BlockTape<T>>,
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
    pub fn forward(
        &self,
        images: &[T],
        image_dims: &[usize],
        keep: bool,
    ) -> candle_core::Result<Forward<T>> {
        let mut all_moments = Vec::new();
        let stem = self.convolve(&self.plan.stem, images, image_dims)?;
        all_moments.push(stem.moments.clone());
        let mut dims = stem.shape.output_dims();
        let mut map = self.activate(&self.plan.stem, &stem, None, true);
        if self.plan.max_pool {
            let [batch, height, width, channels] = dims;
            dims = [
                batch,
                max_pool::pooled(height),
                max_pool::pooled(width),
                channels,
            ];
            let mut pooled = self.buffers.take(dims.iter().product());
            max_pool::forward(&map, (height, width, channels), &mut pooled);
            self.buffers.give(std::mem::replace(&mut map, pooled));
        }
        let mut tape = Tape {
            stem,
            maps: Vec::new(),
            blocks: Vec::new(),
        };
        for plan in &self.plan.blocks {
            let (output, block) = self.block_forward(plan, &map, &dims, keep)?;
            if let Some(last) = block.units.last() {
                dims = last.shape.output_dims();
            }
            all_moments.extend(
                block
                    .units
                    .iter()
                    .chain(&block.downsample)
                    .map(|unit| unit.moments.clone()),
            );
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
            return Ok(Forward {
                feature,
                tape: Some(tape),
                moments: all_moments,
            });
        }
        self.recycle(tape);
        Ok(Forward {
            feature,
            tape: None,
            moments: all_moments,
        })
    }

    /// The gradient of the flat parameters, from that of the feature `[batch, channels]`.
    pub fn backward(&self, mut tape: Tape<T>, images: &[T], feature_gradient: &[T]) -> Vec<T> {
        let mut result = vec![T::zero(); self.plan.parameters];
        let last = tape.blocks.last().and_then(|block| block.units.last());
        let [_, height, width, channels] = last.unwrap_or(&tape.stem).shape.output_dims();
        let mut gradient = self.spread(feature_gradient, height * width, channels);
        let mut output = tape.maps.pop().unwrap_or_default();
        for (plan, block) in self
            .plan
            .blocks
            .iter()
            .zip(std::mem::take(&mut tape.blocks))
            .rev()
        {
            let input = tape.maps.pop().unwrap_or_default();
            gradient = self.block_backward(plan, block, &input, &output, gradient, &mut result);
            self.buffers.give(std::mem::replace(&mut output, input));
        }
        if self.plan.max_pool {
            let [_, height, width, channels] = tape.stem.shape.output_dims();
            let active = self.activate(&self.plan.stem, &tape.stem, None, true);
            let mut unpooled = self.buffers.take(active.len());
            max_pool::backward(
                &active,
                &output,
                &gradient,
                (height, width, channels),
                &mut unpooled,
            );
            self.buffers
                .give(std::mem::replace(&mut gradient, unpooled));
            self.buffers.give(active);
        }
        self.buffers.give(output);
        self.normalise_backward(
            &self.plan.stem,
            &tape.stem,
            None,
            &mut gradient,
            None,
            &mut result,
        );
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
                (Some(active), Some(before)) => {
                    self.convolve(unit, active, &before.shape.output_dims())?
                }
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
            (Some(unit), Some(convolved)) => self.activate(
                unit,
                convolved,
                Some(shortcut.as_deref().unwrap_or(input)),
                true,
            ),
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
                    self.normalise_backward(
                        unit,
                        &convolved,
                        Some(output),
                        &mut gradient,
                        into,
                        result,
                    );
                    of_input = Some(self.shortcut_backward(
                        plan,
                        &tape.downsample,
                        input,
                        &mut gradient,
                        result,
                    ));
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
                    conv::backward_input(
                        &convolved.shape,
                        kernel,
                        &of_convolved,
                        &mut of_active,
                        false,
                    );
                    std::mem::swap(&mut of_active, &mut of_convolved);
                    self.buffers.give(of_active);
                    inner = Some(of_convolved);
                }
                None => {
                    conv::backward_kernel(&convolved.shape, input, &of_convolved, of_kernel);
                    if let Some(of_input) = &mut of_input {
                        conv::backward_input(
                            &convolved.shape,
                            kernel,
                            &of_convolved,
                            of_input,
                            true,
                        );
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
        self.normalise(
            unit,
            convolved,
            Open::Everywhere,
            &mut gradient,
            None,
            result,
        );
        conv::backward_kernel(
            &convolved.shape,
            input,
            &gradient,
            &mut result[unit.kernel.clone()],
        );
        let mut of_input = self.buffers.take(input.len());
        let kernel = &self.parameters[unit.kernel.clone()];
        conv::backward_input(&convolved.shape, kernel, &gradient, &mut of_input, false);
        self.buffers.give(gradient);
        of_input
    }

    fn convolve(
        &self,
        unit: &Unit,
        input: &[T],
        input_dims: &[usize],
    ) -> candle_core::Result<Convolved<T>> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let mut output = self.buffers.take(shape.output_dims().iter().product());
        conv::forward(
            &shape,
            input,
            &self.parameters[unit.kernel.clone()],
            &mut output,
            false,
        );
        let moments = match &unit.given {
            Some(given) => vec![given.clone(); self.plan.domains.len()],
            None => self
                .domain_ranges(&shape)
                .map(|range| norm::moments(&output[range], shape.output_channels))
                .collect(),
        };
        Ok(Convolved {
            shape,
            output,
            moments,
        })
    }

    /// Where each domain's part of a convolution's output lies.
    fn domain_ranges(&self, shape: &ConvShape) -> impl Iterator<Item = Range<usize>> + use<'_, T> {
        let picture = shape.output_height * shape.output_width * shape.output_channels;
        self.plan.domains.iter().scan(0, move |start, pictures| {
            let range = *start..*start + pictures * picture;
            *start = range.end;
            Some(range)
        })
    }

    fn normalisations<'b>(
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
    fn activate(
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
            let part = norm::backward(
                x,
                &normalisation,
                open,
                of_the_batch,
                &mut gradient[range],
                into,
            );
            for (total, part) in of_affine.iter_mut().zip(part) {
                *total += part;
            }
        }
    }

    /// The gradient of the last map: every pixel gets an equal share of the feature's.
    fn spread(&self, feature_gradient: &[T], pixels: usize, channels: usize) -> Vec<T> {
        let share = T::from_f64(1.0 / pixels as f64);
        let mut gradient = self.buffers.take(feature_gradient.len() * pixels);
        let pictures = gradient
            .par_chunks_mut(pixels * channels)
            .zip(feature_gradient.par_chunks(channels));
        pictures.for_each(|(picture, feature)| {
            for pixel in picture.chunks_exact_mut(channels) {
                for (value, &gradient) in pixel.iter_mut().zip(feature) {
                    *value = gradient * share;
                }
            }
        });
        gradient
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
            sum.into_iter()
                .map(move |sum| T::from_f64(sum / pixels as f64))
        })
        .collect()
}
