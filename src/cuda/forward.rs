//! A residual network forwards in a GPU's memory. What is kept for the way back, and what is computed again there:
//!
//! - of `relu(norm(conv(x)))` inside a block only the convolution's output is kept;
//! - of a block's last convolution and of its shortcut's, where they are 1×1, nothing is kept: they have most of the
//!   channels, and a product is cheap to repeat. With 72 pictures a ResNet-50's step takes 3.2 GB so, PyTorch's 6.3 (README).
//!
//! Both domains go through the convolutions together, while batch norm treats each on its own. Nothing waits for the GPU.

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;

use super::batch_norm::{Extent, Tensors};
use super::convolution::{self as conv, BLOCK, blocks};
use super::gpu::{Address, Elements, Gpu, Kept, Norm, launch};
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::max_pool::pooled;
use crate::cpu::resnet::plan::{BlockPlan, Plan, Unit};

/// The tensors of a unit: its kernel's elements, and those of its batch norm.
#[derive(Clone, Copy)]
pub(super) struct UnitTensors {
    pub kernel: Address,
    pub norm: Tensors,
}

/// The output of a convolution and what batch norm found in it.
pub(super) struct Convolved {
    pub shape: ConvShape,
    /// None where it will be computed again.
    pub output: Option<Elements>,
    pub moments: CudaSlice<f32>,
}

pub(super) struct BlockTape {
    pub units: Vec<Convolved>,
    pub downsample: Option<Convolved>,
}

/// What a forward pass leaves for the backward pass.
pub(crate) struct Tape {
    pub(super) stem: Convolved,
    /// Which pixel each maximum was.
    pub(super) which: Option<CudaSlice<u8>>,
    /// `maps[i]` goes into block `i`, `maps[i + 1]` comes out of it.
    pub(super) maps: Vec<Elements>,
    pub(super) blocks: Vec<BlockTape>,
}

/// Whether a pass is one of training.
#[derive(Clone, Copy)]
pub(super) enum Statistics {
    /// By the batch's own; so much of the running ones stays.
    OfTheBatch(Kept),
    /// By the running ones.
    Running,
}

/// One pass.
pub(super) struct Pass<'a> {
    pub gpu: &'a Gpu,
    pub plan: &'a Plan,
    /// By the number of the unit.
    pub tensors: Vec<UnitTensors>,
    pub statistics: Statistics,
}

impl Pass<'_> {
    /// The features of the pictures, f32 `[batch, channels]`, and the tape if it is to be kept.
    pub fn forward(
        &self,
        images: Address,
        image_dims: &[usize],
        keep: bool,
    ) -> Result<(CudaSlice<f32>, Option<Tape>)> {
        let stem = self.convolve(&self.plan.stem, images, image_dims)?;
        let dims = stem.shape.output_dims();
        let (mut map, mut dims, which) = match self.plan.max_pool {
            true => self.pool(&stem, dims, keep)?,
            false => (self.activate(&self.plan.stem, &stem, (0, Norm::default()))?, dims, None),
        };
        let mut tape = Tape { stem, which, maps: Vec::new(), blocks: Vec::new() };
        if !keep {
            tape.stem.output = None;
        }
        for plan in &self.plan.blocks {
            let (output, block, output_dims) = self.block(plan, &map, &dims)?;
            dims = output_dims;
            let input = std::mem::replace(&mut map, output);
            if keep {
                tape.maps.push(input);
                tape.blocks.push(block);
            }
        }
        let [batch, height, width, channels] = dims;
        let feature = self.gpu.floats(batch * channels)?;
        let grid = (channels.div_ceil(64) as u32, batch as u32, 1);
        let sizes = [height * width, channels].map(|size| size as i32);
        launch!(
            self.gpu, average[grid, (16, 16, 1)](
                self.gpu.map(&map), self.gpu.at(&feature), sizes[0], sizes[1]
            )
        )?;
        tape.maps.push(map);
        Ok((feature, keep.then_some(tape)))
    }

    fn block(
        &self,
        plan: &BlockPlan,
        input: &Elements,
        input_dims: &[usize],
    ) -> Result<(Elements, BlockTape, [usize; 4])> {
        let input = self.gpu.map(input);
        let mut units = vec![self.convolve(&plan.units[0], input, input_dims)?];
        for (before, unit) in plan.units.iter().zip(&plan.units[1..]) {
            let convolved = &units[units.len() - 1];
            let active = self.activate(before, convolved, (0, Norm::default()))?;
            let dims = convolved.shape.output_dims();
            units.push(self.convolve(unit, self.gpu.map(&active), &dims)?);
        }
        let mut downsample = match &plan.downsample {
            Some(unit) => Some(self.convolve(unit, input, input_dims)?),
            None => None,
        };
        let shortcut = match (&plan.downsample, &downsample) {
            (Some(unit), Some(convolved)) => (self.output(convolved), self.norm(unit, convolved)),
            _ => (input, Norm::default()),
        };
        let last = units.last_mut().expect("a residual block has two or three units");
        let output = self.activate(plan.last(), last, shortcut)?;
        let dims = last.shape.output_dims();
        for convolved in [Some(last), downsample.as_mut()].into_iter().flatten() {
            if convolved.shape.kernel_height == 1 {
                convolved.output = None;
            }
        }
        Ok((output, BlockTape { units, downsample }, dims))
    }

    fn convolve(&self, unit: &Unit, input: Address, input_dims: &[usize]) -> Result<Convolved> {
        let shape = ConvShape::new(input_dims, &unit.kernel_dims, unit.stride, unit.padding)?;
        let output = self.convolution(unit, &shape, input)?;
        let (extent, tensors) = (self.extent(&shape.output_dims())?, &self.tensors[unit.number].norm);
        let moments = match self.statistics {
            Statistics::OfTheBatch(kept) => extent.moments(self.gpu, self.gpu.map(&output), tensors, kept)?,
            Statistics::Running => extent.running_moments(self.gpu, tensors)?,
        };
        Ok(Convolved { shape, output: Some(output), moments })
    }

    /// The output of the convolution alone.
    pub(super) fn convolution(&self, unit: &Unit, shape: &ConvShape, input: Address) -> Result<Elements> {
        let output = self.gpu.elements(shape.output_dims().iter().product())?;
        let kernel = self.tensors[unit.number].kernel;
        conv::forward(self.gpu, shape, input, kernel, self.gpu.map(&output))?;
        Ok(output)
    }

    /// `relu(norm(conv) + shortcut)`.
    pub(super) fn activate(
        &self,
        unit: &Unit,
        convolved: &Convolved,
        shortcut: (Address, Norm),
    ) -> Result<Elements> {
        let dims = convolved.shape.output_dims();
        let active = self.gpu.elements(dims.iter().product())?;
        let x = (self.output(convolved), self.norm(unit, convolved));
        self.extent(&dims)?.normalise(self.gpu, x, shortcut, self.gpu.map(&active))?;
        Ok(active)
    }

    /// Max-pooling of the stem's activation, which is never written, and which pixels the maxima were.
    fn pool(
        &self,
        stem: &Convolved,
        dims: [usize; 4],
        keep: bool,
    ) -> Result<(Elements, [usize; 4], Option<CudaSlice<u8>>)> {
        let [batch, height, width, channels] = dims;
        let output_dims = [batch, pooled(height), pooled(width), channels];
        let count = output_dims.iter().product();
        let output = self.gpu.elements(count)?;
        // SAFETY: the kernel writes every element.
        let which = keep.then(|| unsafe { self.gpu.device.alloc::<u8>(count) }).transpose()?;
        let [batch, height, width, channels] = dims.map(|size| size as i32);
        launch!(
            self.gpu, pool[blocks(count / 4), BLOCK](
                self.output(stem), self.norm(&self.plan.stem, stem), self.gpu.map(&output),
                which.as_ref().map_or(0, |which| self.gpu.at(which)), batch, height, width, channels,
                self.extent(&dims)?.domains
            )
        )?;
        Ok((output, output_dims, which))
    }

    /// Where a convolution's output lies; 0 where it was not kept.
    pub(super) fn output(&self, convolved: &Convolved) -> Address {
        convolved.output.as_ref().map_or(0, |output| self.gpu.map(output))
    }

    pub(super) fn norm(&self, unit: &Unit, convolved: &Convolved) -> Norm {
        self.tensors[unit.number].norm.norm(self.gpu, &convolved.moments)
    }

    pub(super) fn extent(&self, dims: &[usize; 4]) -> Result<Extent> {
        let [batch, height, width, channels] = *dims;
        let batch = [batch];
        let pictures = match self.statistics {
            Statistics::OfTheBatch(_) => &self.plan.domains[..],
            Statistics::Running => &batch,
        };
        Extent::new(pictures, height * width, channels)
    }
}
