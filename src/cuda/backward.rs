//! The way back through a residual network on a GPU: the gradients of all parameters from that of the feature.
//!
//! Maps that the forward pass did not keep are computed again, block by block; gradients are written over maps that are
//! needed no more, and what comes back through two paths is added up by the matrix product itself.

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;

use super::batch_norm::{Backward, OfTensors};
use super::convolution::{self as conv, BLOCK, blocks};
use super::forward::{BlockTape, Convolved, Pass, Tape};
use super::gpu::{Address, Elements, Norm, launch};
use crate::cpu::resnet::plan::{BlockPlan, Unit};

/// The gradients of a unit's tensors, f32: `[out, height, width, in]`, `[out]`, `[out]`.
pub(super) struct Gradients {
    pub kernel: CudaSlice<f32>,
    pub scale: CudaSlice<f32>,
    pub shift: CudaSlice<f32>,
}

impl Pass<'_> {
    /// The gradients of every unit's tensors, from that of the feature, f32 `[batch, channels]`.
    pub fn backward(&self, mut tape: Tape, images: Address, of_feature: Address) -> Result<Vec<Gradients>> {
        let gradients = self.gradients()?;
        let mut output = tape.maps.pop().expect("a forward pass leaves the last map");
        let mut gradient = match tape.blocks.last() {
            Some(block) => self.spread(of_feature, &block.units[block.units.len() - 1])?,
            None => candle_core::bail!("backbone on the GPU: expected blocks, found none"),
        };
        for plan in self.plan.blocks.iter().rev() {
            let (Some(block), Some(input)) = (tape.blocks.pop(), tape.maps.pop()) else {
                candle_core::bail!("backbone on the GPU: expected a tape of the whole network, found a part");
            };
            gradient = self.block_backward(plan, block, &input, output, gradient, &gradients)?;
            output = input;
        }
        drop(output);
        let (unit, stem) = (&self.plan.stem, &tape.stem);
        if let Some(which) = &tape.which {
            gradient = self.unpool(&gradient, which, stem)?;
        }
        let x = self.output(stem);
        let gradient = self.gpu.map(&gradient);
        let pass =
            Backward { gradient, x: (x, self.norm(unit, stem)), of_x: gradient, ..Backward::default() };
        let extent = self.extent(&stem.shape.output_dims())?;
        extent.backward(self.gpu, &pass, &self.of_tensors(unit, None, &gradients))?;
        self.of_kernel(unit, stem, images, gradient, &gradients)?;
        Ok(gradients)
    }

    /// The gradient of the block's input, from that of its output.
    fn block_backward(
        &self,
        plan: &BlockPlan,
        mut tape: BlockTape,
        input: &Elements,
        output: Elements,
        gradient: Elements,
        gradients: &[Gradients],
    ) -> Result<Elements> {
        let gpu = self.gpu;
        let input = gpu.map(input);
        let last_number = plan.units.len() - 1;
        let (unit, unit_before) = (plan.last(), &plan.units[last_number - 1]);
        let last = tape.units.pop().expect("a residual block has two or three units");
        let before = &tape.units[last_number - 1];
        let mut active = self.activate(unit_before, before, (0, Norm::default()))?;
        let x = match last.output {
            Some(output) => output,
            None => self.convolution(unit, &last.shape, gpu.map(&active))?,
        };
        let last = Convolved { output: Some(x), ..last };
        let downsample = match (&plan.downsample, tape.downsample.take()) {
            (Some(unit), Some(convolved)) => {
                let output = match convolved.output {
                    Some(output) => output,
                    None => self.convolution(unit, &convolved.shape, input)?,
                };
                Some((unit, Convolved { output: Some(output), ..convolved }))
            }
            _ => None,
        };
        let shortcut = downsample.as_ref();
        let of_x = self.output(&last);
        let pass = Backward {
            gradient: gpu.map(&gradient),
            x: (of_x, self.norm(unit, &last)),
            output: gpu.map(&output),
            shortcut: shortcut.map_or((0, Norm::default()), |(unit, convolved)| {
                (self.output(convolved), self.norm(unit, convolved))
            }),
            of_x,
            of_shortcut: shortcut.map_or(gpu.map(&gradient), |(_, convolved)| self.output(convolved)),
        };
        let of_tensors = self.of_tensors(unit, shortcut.map(|(unit, _)| *unit), gradients);
        self.extent(&last.shape.output_dims())?.backward(gpu, &pass, &of_tensors)?;
        drop(output);

        // The gradient of `convolved`'s output lies where that output was, or in its place.
        let (mut convolved, mut unit, mut of_x) = (last, unit, of_x);
        for number in (0..last_number).rev() {
            self.of_kernel(unit, &convolved, gpu.map(&active), of_x, gradients)?;
            let unit_before = &plan.units[number];
            let before = tape.units.pop().expect("a tape has every unit of its block");
            let of_active = gpu.elements(before.shape.output_dims().iter().product())?;
            let address = gpu.map(&of_active);
            conv::of_input(gpu, &convolved.shape, self.tensors[unit.number].kernel, of_x, address, false)?;
            let pass = Backward {
                gradient: address,
                x: (self.output(&before), self.norm(unit_before, &before)),
                of_x: address,
                ..Backward::default()
            };
            let of_tensors = self.of_tensors(unit_before, None, gradients);
            self.extent(&before.shape.output_dims())?.backward(gpu, &pass, &of_tensors)?;
            if let Some(number) = number.checked_sub(1) {
                active = self.activate(&plan.units[number], &tape.units[number], (0, Norm::default()))?;
            }
            (convolved, unit, of_x) = (Convolved { output: Some(of_active), ..before }, unit_before, address);
        }
        drop(active);
        self.of_kernel(unit, &convolved, input, of_x, gradients)?;
        let kernel = self.tensors[unit.number].kernel;
        let Some((shortcut_unit, shortcut)) = downsample else {
            conv::of_input(gpu, &convolved.shape, kernel, of_x, gpu.map(&gradient), true)?;
            return Ok(gradient);
        };
        drop(gradient);
        let shape = &convolved.shape;
        let of_input = gpu.elements(shape.input_elements())?;
        conv::of_input(gpu, shape, kernel, of_x, gpu.map(&of_input), false)?;
        drop(convolved);
        let of_shortcut = self.output(&shortcut);
        self.of_kernel(shortcut_unit, &shortcut, input, of_shortcut, gradients)?;
        let kernel = self.tensors[shortcut_unit.number].kernel;
        conv::of_input(gpu, &shortcut.shape, kernel, of_shortcut, gpu.map(&of_input), true)?;
        Ok(of_input)
    }

    fn of_kernel(
        &self,
        unit: &Unit,
        convolved: &Convolved,
        input: Address,
        of_output: Address,
        gradients: &[Gradients],
    ) -> Result<()> {
        let into = self.gpu.at(&gradients[unit.number].kernel);
        conv::of_kernel(self.gpu, &convolved.shape, input, of_output, into)
    }

    fn of_tensors(&self, unit: &Unit, shortcut: Option<&Unit>, gradients: &[Gradients]) -> OfTensors {
        let at = |unit: &Unit| {
            let Gradients { scale, shift, .. } = &gradients[unit.number];
            (self.gpu.at(scale), self.gpu.at(shift))
        };
        let (scale, shift) = at(unit);
        let (shortcut_scale, shortcut_shift) = shortcut.map_or((0, 0), at);
        OfTensors { scale, shift, shortcut_scale, shortcut_shift }
    }

    /// Room for the gradients of all units.
    fn gradients(&self) -> Result<Vec<Gradients>> {
        let of = |unit: &Unit| -> Result<Gradients> {
            let channels = unit.kernel_dims[0];
            Ok(Gradients {
                kernel: self.gpu.floats(unit.kernel_dims.iter().product())?,
                scale: self.gpu.floats(channels)?,
                shift: self.gpu.floats(channels)?,
            })
        };
        self.plan.units().map(of).collect()
    }

    /// The gradient of the last map: every pixel gets an equal share of the feature's.
    fn spread(&self, of_feature: Address, last: &Convolved) -> Result<Elements> {
        let dims = last.shape.output_dims();
        let count = dims.iter().product();
        let of_map = self.gpu.elements(count)?;
        let [batch, height, width, channels] = dims.map(|size| size as i32);
        launch!(
            self.gpu, spread[blocks(count / 4), BLOCK](
                of_feature, self.gpu.map(&of_map), batch, height, width, channels
            )
        )?;
        Ok(of_map)
    }

    /// Back through max-pooling, to the stem's activation.
    fn unpool(&self, gradient: &Elements, which: &CudaSlice<u8>, stem: &Convolved) -> Result<Elements> {
        let dims = stem.shape.output_dims();
        let count = dims.iter().product();
        let of_active = self.gpu.elements(count)?;
        let [batch, height, width, channels] = dims.map(|size| size as i32);
        launch!(
            self.gpu, unpool[blocks(count / 4), BLOCK](
                self.gpu.map(gradient), self.gpu.at(which), self.gpu.map(&of_active), batch, height, width,
                channels
            )
        )?;
        Ok(of_active)
    }
}
