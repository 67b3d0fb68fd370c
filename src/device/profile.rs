//! Where the time of a step goes, by kind of layer on the CPU and by kernel on a GPU. Off unless asked for.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::Result;

use crate::lock::lock;

/// Tells the seconds of one piece of work; what a GPU took is known only when it is done.
type Seconds = Box<dyn Fn() -> Result<f64> + Send>;

static ON: AtomicBool = AtomicBool::new(false);
static DONE: Mutex<Vec<(&'static str, Seconds)>> = Mutex::new(Vec::new());

/// Forgets all times and switches the profile on or off.
pub fn restart(on: bool) {
    lock(&DONE).clear();
    ON.store(on, Ordering::Relaxed);
}

/// Seconds since the restart by name, the longest first; waits for the GPU.
pub fn seconds() -> Result<Vec<(&'static str, f64)>> {
    let mut sums: HashMap<&'static str, f64> = HashMap::new();
    for (name, seconds) in lock(&DONE).iter() {
        *sums.entry(name).or_default() += seconds()?;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(sums)
}

/// Runs `work`, and adds its time on the CPU to `name` if the profile is on.
pub(crate) fn timed<R>(name: &'static str, work: impl FnOnce() -> R) -> R {
    if !is_on() {
        return work();
    }
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    add(name, move || Ok(seconds));
    result
}

pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Adds what `seconds` will tell to `name`.
pub(crate) fn add(name: &'static str, seconds: impl Fn() -> Result<f64> + Send + 'static) {
    lock(&DONE).push((name, Box::new(seconds)));
}
