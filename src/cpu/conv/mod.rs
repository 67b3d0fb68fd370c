//! Convolution over NHWC: patches as a matrix (im2col), packed, multiplied tile by tile; 3×3 by Winograd's filtering.

#[cfg(test)]
mod against_loops;
pub(crate) mod im2col;
mod kernel_gradient;
mod microkernel;
mod packing;
pub(crate) mod shape;
pub(crate) mod tiles;
mod winograd;
mod winograd_kernel_gradient;
mod winograd_tiles;
