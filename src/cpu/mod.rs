//! The CPU's own loops: what a training step spends its time in, over plain slices.
//!
//! Nothing in here knows a layer's parameters or a method; a reader who wants to understand training can stop at
//! [`ResNet`](crate::model::resnet::ResNet). The words are those of matrix products: im2col, packing, micro-kernel, epilogue.

pub(crate) mod batch_norm;
pub(crate) mod batch_norm_gradient;
pub(crate) mod buffers;
pub(crate) mod conv;
pub(crate) mod element;
mod lanes;
pub(crate) mod max_pool;
mod parts;
pub mod profile;
pub(crate) mod resnet;
