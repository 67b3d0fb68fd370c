//! Where the time of a step goes, by kind of layer. Off unless asked for; then one clock reading before and after a layer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// The kinds of work that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Convolutions forwards.
    ConvolutionForward,
    /// Gradients of convolutions' inputs.
    ConvolutionInputGradient,
    /// Gradients of kernels.
    ConvolutionKernelGradient,
    /// Batch norm with ReLU and shortcuts, forwards.
    NormForward,
    /// The same recomputed on the way back, and its gradients.
    NormBackward,
    /// Pooling, both ways.
    Pooling,
}

/// Every kind with its name.
pub const KINDS: [(Kind, &str); 6] = [
    (Kind::ConvolutionForward, "convolution, forward"),
    (Kind::ConvolutionInputGradient, "convolution, input gradient"),
    (Kind::ConvolutionKernelGradient, "convolution, kernel gradient"),
    (Kind::NormForward, "batch norm, forward"),
    (Kind::NormBackward, "batch norm, backward"),
    (Kind::Pooling, "pooling"),
];

static ON: AtomicBool = AtomicBool::new(false);
static NANOSECONDS: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];

/// Runs `work`, and adds its time to `kind` if the profile is on.
pub(crate) fn timed<R>(kind: Kind, work: impl FnOnce() -> R) -> R {
    if !ON.load(Ordering::Relaxed) {
        return work();
    }
    let start = Instant::now();
    let result = work();
    let elapsed = start.elapsed().as_nanos() as u64;
    NANOSECONDS[kind as usize].fetch_add(elapsed, Ordering::Relaxed);
    result
}

/// Sets all times to zero and switches the profile on or off.
pub fn restart(on: bool) {
    for counter in &NANOSECONDS {
        counter.store(0, Ordering::Relaxed);
    }
    ON.store(on, Ordering::Relaxed);
}

/// Seconds spent since the restart, by kind.
pub fn seconds() -> Vec<(&'static str, f64)> {
    KINDS
        .iter()
        .map(|&(kind, name)| (name, NANOSECONDS[kind as usize].load(Ordering::Relaxed) as f64 * 1e-9))
        .collect()
}
