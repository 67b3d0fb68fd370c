//! What candle lacks for training a ResNet: layers with gradients, initialisers, SGD with momentum, schedules.
//!
//! Activations are NHWC, `[batch, height, width, channels]`: a 1×1 convolution is then one matrix product.

pub mod parameters;
