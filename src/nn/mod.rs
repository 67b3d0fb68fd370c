//! What candle lacks for training a ResNet: layers with gradients, initialisers, SGD with momentum, schedules.
//!
//! Activations are NHWC, `[batch, height, width, channels]`: a 1×1 convolution is then one matrix product.

pub mod batch_norm;
mod batch_norm_composed;
pub(crate) mod batch_norm_kernel;
mod batch_norm_op;
pub(crate) mod buffers;
pub mod composed;
pub mod conv;
#[cfg(feature = "cudnn")]
mod conv_cudnn;
pub(crate) mod conv_kernel;
mod conv_patches;
pub(crate) mod conv_shape;
pub mod element;
pub mod grad_reverse;
pub mod init;
pub mod linear;
mod matrix;
pub mod max_pool;
mod max_pool_composed;
pub mod parameters;
pub mod profile;
pub mod schedule;
pub mod sgd;
