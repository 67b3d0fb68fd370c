//! What candle lacks for training a ResNet: layers with gradients, initialisers, SGD with momentum, schedules.
//!
//! Activations are NHWC, `[batch, height, width, channels]`: a 1×1 convolution is then one matrix product.

pub mod batch_norm;
pub mod composed;
pub mod conv;
pub mod grad_reverse;
pub mod init;
pub mod linear;
pub mod max_pool;
pub mod parameters;
pub mod schedule;
pub mod sgd;
