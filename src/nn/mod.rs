//! What candle lacks for training a ResNet: layers with gradients, initialisers, SGD with momentum, schedules.
//!
//! Activations are NHWC, `[batch, height, width, channels]`: a 1×1 convolution is then one matrix product.

pub mod batch_norm;
mod batch_norm_kernel;
mod batch_norm_op;
pub mod conv;
mod conv_kernel;
mod conv_shape;
pub mod element;
pub mod grad_reverse;
pub mod init;
pub mod linear;
pub mod max_pool;
pub mod parameters;
pub mod schedule;
pub mod sgd;
