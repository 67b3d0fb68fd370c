//! Batch norm with what follows it: the sum with the shortcut, ReLU. Each way is two kernels that make sums, slice by slice
//! and then over the slices, and one that goes through the map.

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;

use super::gpu::{Address, Domains, Gpu, Kept, MOST_DOMAINS, Norm, launch};
use crate::cpu::batch_norm::EPSILON;

/// A map `[pixels, channels]`, cut into domains.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub channels: usize,
    pub domains: Domains,
}

/// Where the tensors of a batch norm lie, f32 `[channels]` each.
#[derive(Clone, Copy, Default)]
pub(super) struct Tensors {
    pub scale: Address,
    pub shift: Address,
    pub running_mean: Address,
    pub running_variance: Address,
}

impl Tensors {
    /// With the moments of a pass, f32 `[domains, 2, channels]`.
    pub fn norm(&self, gpu: &Gpu, moments: &CudaSlice<f32>) -> Norm {
        Norm { moments: gpu.at(moments), scale: self.scale, shift: self.shift }
    }
}

/// Blocks in flight that keep the memory busy: some eight on each of the 132 multiprocessors of a Hopper.
const BLOCKS: usize = 1056;
/// Threads of a block: four channels each, below each other by pixels.
const BLOCK: (u32, u32, u32) = (16, 16, 1);
/// Blocks of the kernels that add up slices.
const COLUMNS: (u32, u32, u32) = (32, 32, 1);

impl Extent {
    /// The map of so many pixels per picture.
    pub fn new(pictures: &[usize], pixels: usize, channels: usize) -> Result<Self> {
        if pictures.len() > MOST_DOMAINS {
            candle_core::bail!(
                "expected at most {MOST_DOMAINS} domains in one pass on a GPU, found {}",
                pictures.len()
            );
        }
        let mut domains = Domains { count: pictures.len() as i32, starts: [0; MOST_DOMAINS + 1] };
        for (number, pictures) in pictures.iter().enumerate() {
            domains.starts[number + 1] = domains.starts[number] + (pictures * pixels) as i32;
        }
        Ok(Self { channels, domains })
    }

    fn count(&self) -> usize {
        self.domains.count as usize
    }

    /// The grid of blocks, and how many slices a domain is cut into.
    fn grid(&self) -> (u32, u32, u32) {
        let (columns, domains) = (self.channels.div_ceil(64), self.count());
        let starts = &self.domains.starts;
        let longest = (0..domains).map(|domain| starts[domain + 1] - starts[domain]).max().unwrap_or(1);
        // Four pixels a thread at least.
        let most = (longest as usize).div_ceil(4 * 16).max(1);
        let slices = (BLOCKS / (columns * domains)).clamp(1, most);
        (slices as u32, columns as u32, domains as u32)
    }

    fn columns(&self) -> (u32, u32, u32) {
        (self.channels.div_ceil(32) as u32, 1, 1)
    }

    /// The moments of each domain of `x`, whose running statistics follow; `kept[domain]` of them stays.
    pub fn moments(&self, gpu: &Gpu, x: Address, tensors: &Tensors, kept: Kept) -> Result<CudaSlice<f32>> {
        let (grid, channels) = (self.grid(), self.channels as i32);
        let slices = gpu.floats(self.count() * grid.0 as usize * 2 * self.channels)?;
        launch!(gpu, moments_of_slices[grid, BLOCK](x, gpu.at(&slices), channels, self.domains))?;
        let moments = gpu.floats(self.count() * 2 * self.channels)?;
        launch!(
            gpu, moments_of_domains[self.columns(), COLUMNS](
                x, gpu.at(&slices), grid.0 as i32, gpu.at(&moments), tensors.running_mean,
                tensors.running_variance, channels, EPSILON, kept, self.domains
            )
        )?;
        Ok(moments)
    }

    /// The running statistics as the moments of a pass with one domain.
    pub fn running_moments(&self, gpu: &Gpu, tensors: &Tensors) -> Result<CudaSlice<f32>> {
        let moments = gpu.floats(2 * self.channels)?;
        let grid = (self.channels.div_ceil(256) as u32, 1, 1);
        launch!(
            gpu, running_moments[grid, (256, 1, 1)](
                tensors.running_mean, tensors.running_variance, gpu.at(&moments), self.channels as i32,
                EPSILON
            )
        )?;
        Ok(moments)
    }

    /// `y = relu(norm(x) + shortcut)`; the shortcut is absent (address 0), a map, or a map with a norm of its own.
    pub fn normalise(
        &self,
        gpu: &Gpu,
        (x, norm): (Address, Norm),
        (shortcut, of_shortcut): (Address, Norm),
        y: Address,
    ) -> Result<()> {
        let channels = self.channels as i32;
        launch!(gpu, normalise[self.grid(), BLOCK](x, norm, shortcut, of_shortcut, y, channels, self.domains))
    }

    /// Back through `relu(norm(x) + shortcut)`, from the gradient of its output to those of x, of the shortcut, and of the
    /// scales and shifts.
    pub fn backward(&self, gpu: &Gpu, pass: &Backward, of_tensors: &OfTensors) -> Result<()> {
        let (grid, channels) = (self.grid(), self.channels as i32);
        let Backward { gradient, x, output, shortcut, of_x, of_shortcut } = *pass;
        let ((x, norm), (z, of_z)) = (x, shortcut);
        let slices = gpu.floats(self.count() * grid.0 as usize * 3 * self.channels)?;
        launch!(
            gpu, gradient_of_slices[grid, BLOCK](
                gradient, x, norm, output, z, of_z, gpu.at(&slices), channels, self.domains
            )
        )?;
        let sums = gpu.floats(self.count() * 3 * self.channels)?;
        launch!(
            gpu, gradient_of_domains[self.columns(), COLUMNS](
                gpu.at(&slices), grid.0 as i32, norm.moments, of_tensors.scale, of_tensors.shift,
                of_z.moments, of_tensors.shortcut_scale, of_tensors.shortcut_shift, gpu.at(&sums), channels,
                self.domains.count
            )
        )?;
        launch!(
            gpu, gradient_through[grid, BLOCK](
                gradient, x, norm, output, z, of_z, gpu.at(&sums), of_x, of_shortcut, channels, self.domains
            )
        )
    }
}

/// What a backward pass reads and writes; 0 is the address of what is absent.
#[derive(Clone, Copy, Default)]
pub(super) struct Backward {
    /// Of the output.
    pub gradient: Address,
    pub x: (Address, Norm),
    /// The output itself, where it is kept: ReLU was where it is 0. Else that is computed again from x.
    pub output: Address,
    /// The shortcut's map, if it has a norm of its own.
    pub shortcut: (Address, Norm),
    /// May be x itself, or the gradient.
    pub of_x: Address,
    /// Of the shortcut's map before its norm, or of the shortcut; may be the gradient.
    pub of_shortcut: Address,
}

/// Where the gradients of a norm's tensors go, f32 `[channels]` each; the last two are those of the shortcut's norm.
#[derive(Clone, Copy, Default)]
pub(super) struct OfTensors {
    pub scale: Address,
    pub shift: Address,
    pub shortcut_scale: Address,
    pub shortcut_shift: Address,
}
