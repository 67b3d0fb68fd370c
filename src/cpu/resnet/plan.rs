//! What one pass through a residual network has to know: its units, and where their tensors lie.

use crate::cpu::batch_norm::Moments;
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::conv::tiles;

/// A convolution and the batch norm behind it.
pub(crate) struct Unit {
    /// Its place in the list of all units: stem first, then block by block, a shortcut's unit last.
    pub number: usize,
    /// `[out, height, width, in]`.
    pub kernel_dims: [usize; 4],
    pub stride: usize,
    pub padding: usize,
    /// The running statistics, in evaluation mode.
    pub given: Option<Moments>,
}

impl Unit {
    /// Whether its convolution normalises its input while it reads it, given maps of `dims`.
    pub fn can_normalise_its_input(&self, dims: &[usize]) -> bool {
        ConvShape::new(dims, &self.kernel_dims, self.stride, self.padding)
            .is_ok_and(|shape| tiles::can_normalise_its_input(&shape))
    }
}

/// The units of one residual block.
pub(crate) struct BlockPlan {
    pub units: Vec<Unit>,
    pub downsample: Option<Unit>,
}

impl BlockPlan {
    /// The unit whose output is added to the shortcut.
    pub fn last(&self) -> &Unit {
        self.units.last().expect("a residual block has two or three units")
    }
}

/// A whole network.
pub(crate) struct Plan {
    pub stem: Unit,
    pub max_pool: bool,
    pub blocks: Vec<BlockPlan>,
    /// Pictures of each domain.
    pub domains: Vec<usize>,
}

impl Plan {
    /// Every unit in the order of its number.
    #[cfg(feature = "cudnn")]
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        let of_blocks = self.blocks.iter().flat_map(|block| block.units.iter().chain(&block.downsample));
        std::iter::once(&self.stem).chain(of_blocks)
    }
}

/// The tensors of a unit, as their elements: `[out, height, width, in]`, `[out]`, `[out]`.
#[derive(Clone, Copy)]
pub(crate) struct Tensors<'a, T> {
    pub kernel: &'a [T],
    pub scale: &'a [T],
    pub shift: &'a [T],
}

/// Their gradients.
#[derive(Default)]
pub(crate) struct Gradients<T> {
    pub kernel: Vec<T>,
    pub scale: Vec<T>,
    pub shift: Vec<T>,
}
