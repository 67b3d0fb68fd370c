//! What `cpu` is, on an NVIDIA GPU: a residual network as one operation, by cuBLAS, cuDNN and kernels of our own.
//!
//! As there, a reader who wants to understand training can stop at [`ResNet`](crate::model::resnet::ResNet). From the
//! outside in: [`op`] (candle's graph) → [`forward`] and [`backward`] (which map is where, and how long) → [`convolution`]
//! ([`product`], [`cudnn`]) and [`batch_norm`] (one layer each) → `kernels.cu` (the loops) on a [`gpu`].

mod backward;
mod batch_norm;
mod convolution;
mod cudnn;
mod forward;
mod gpu;
pub(crate) mod layer;
pub(crate) mod op;
mod product;
pub(crate) mod sgd;
