//! Where a GPU's time goes, by kernel. Off unless asked for; then an event before and one after each launch, read at the end.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream};

type Timed = (&'static str, CudaEvent, CudaEvent);

thread_local! {
    static TIMED: RefCell<Option<Vec<Timed>>> = const { RefCell::new(None) };
}

/// Forgets all times and switches the profile of this thread on or off.
pub(crate) fn restart(on: bool) {
    TIMED.set(on.then(Vec::new));
}

/// Runs `work`, which launches, and adds the time that the GPU takes for it to `name` if the profile is on.
pub(super) fn timed<R>(
    stream: &CudaStream,
    name: &'static str,
    work: impl FnOnce() -> Result<R>,
) -> Result<R> {
    if !TIMED.with_borrow(Option::is_some) {
        return work();
    }
    let start = stream.record_event(Some(CU_EVENT_DEFAULT)).w()?;
    let result = work()?;
    let end = stream.record_event(Some(CU_EVENT_DEFAULT)).w()?;
    TIMED.with_borrow_mut(|timed| timed.as_mut().map(|timed| timed.push((name, start, end))));
    Ok(result)
}

/// Seconds since the restart by name, the longest first; waits for the GPU.
pub(crate) fn seconds() -> Result<Vec<(&'static str, f64)>> {
    let mut sums: HashMap<&'static str, f64> = HashMap::new();
    TIMED.with_borrow(|timed| -> Result<()> {
        for (name, start, end) in timed.iter().flatten() {
            *sums.entry(name).or_default() += f64::from(start.elapsed_ms(end).w()?) * 1e-3;
        }
        Ok(())
    })?;
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(sums)
}
