//! The CPU's own loops: what a training step spends its time in, over plain slices.
//!
//! Why they are here: candle's graph keeps the output of every operation and gives its memory back after each step
//! (`resnet/forward.rs` says what is done instead). A step of HDA+ToAlign with ResNet-50 on 8 + 8 pictures takes 2.28 s here on
//! two cores of an AMD EPYC (Zen 4); PyTorch takes 4.30 s, and 2.70 s at its most careful (`tests/bench/compare.py`).
//!
//! Nothing in here knows a layer's parameters or a method, and nothing outside has to know it: a reader who wants to
//! understand training can stop at [`ResNet`](crate::model::resnet::ResNet). Every kernel has a test beside it against a loop
//! that cannot be wrong.
//!
//! | operation | forwards | its gradients |
//! | --- | --- | --- |
//! | convolution, any kernel | `conv/tiles.rs`: im2col, packing, micro-kernel, epilogue | input: `conv/tiles.rs`; kernel: `conv/kernel_gradient.rs` |
//! | convolution 3×3, stride 1 | `conv/winograd_tiles.rs`, whose formulas are in `conv/winograd.rs` | kernel: `conv/winograd_kernel_gradient.rs` |
//! | batch norm, shortcut, ReLU | `batch_norm.rs` | `batch_norm_gradient.rs` |
//! | max-pooling | `max_pool.rs` | `max_pool.rs` |
//! | a whole residual network | `resnet/forward.rs`, which writes a tape | `resnet/backward.rs`, along the tape |
//! | the same in evaluation mode | `resnet/inference.rs` | of the pictures, guided: `resnet/guided.rs` |
//!
//! `lanes.rs` and `element.rs` are f32 and f64 on whatever vector instructions there are, `parts.rs` cuts work into parts that
//! do not depend on the number of threads, and `buffers.rs` is the workspace that is lent again step after step.

pub(crate) mod batch_norm;
pub(crate) mod batch_norm_gradient;
pub(crate) mod buffers;
pub(crate) mod conv;
pub(crate) mod element;
mod lanes;
pub(crate) mod max_pool;
mod parts;
pub(crate) mod resnet;
