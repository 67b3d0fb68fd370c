//! What one pass through a residual network has to know: its units, and where their tensors lie.

use std::ops::Range;

use crate::nn::batch_norm_kernel::Moments;

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
