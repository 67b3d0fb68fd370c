//! What candle lacks for training a ResNet: layers with gradients, initialisers, SGD with momentum, schedules.
//!
//! Activations are NHWC, `[batch, height, width, channels]`: a 1×1 convolution is then one matrix product.

pub mod batch_norm;
mod batch_norm_composed;
pub(crate) mod batch_norm_gradient;
pub(crate) mod batch_norm_kernel;
mod batch_norm_op;
pub(crate) mod buffers;
pub mod composed;
pub mod conv;
#[cfg(feature = "cudnn")]
mod conv_cudnn;
pub(crate) mod conv_kernel;
pub(crate) mod conv_kernel_gradient;
pub(crate) mod conv_shape;
mod conv_winograd;
mod conv_winograd_gradient;
pub mod element;
pub(crate) mod gather;
pub mod grad_reverse;
pub mod init;
mod lanes;
pub mod linear;
pub mod max_pool;
mod max_pool_composed;
mod panels;
pub mod parameters;
mod parts;
pub mod profile;
pub mod schedule;
pub mod sgd;
mod tile_product;
mod winograd;
