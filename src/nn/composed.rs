//! Values out of candle's operations, with gradients that are written down: what computes where our own loops do not.

use std::cell::Cell;

use candle_core::Device;

pub use crate::device::outside_graph::with_gradient;

thread_local! {
    static EVERYWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with candle's operations in place of our own loops on the CPU too: what a GPU computes, without a GPU.
///
/// It holds for the thread that calls. The golden cases are run this way as well.
pub fn everywhere<R>(work: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            EVERYWHERE.set(self.0);
        }
    }
    let _reset = Reset(EVERYWHERE.replace(true));
    work()
}

/// Whether candle's operations compute on `device`, and not our own loops.
pub(crate) fn on(device: &Device) -> bool {
    !device.is_cpu() || EVERYWHERE.get()
}
