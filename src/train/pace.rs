//! How long the rest will take: the one clock of all displays.

use std::time::{Duration, Instant};

/// Measures steps from when it was begun.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    begun: Instant,
    /// Steps that were there before, and took none of the time.
    found: usize,
}

impl Pace {
    /// Begins now, with `found` steps already done.
    pub fn begin(found: usize) -> Self {
        Self { begun: Instant::now(), found }
    }

    /// More steps turn out to have been done before.
    pub fn find(&mut self, steps: usize) {
        self.found += steps;
    }

    /// Such as "40 s left"; none while there is nothing to judge by, and at the end.
    pub fn left(&self, done: usize, steps: usize) -> Option<String> {
        let seconds =
            seconds_left(self.begun.elapsed(), done.checked_sub(self.found)?, steps - done.min(steps))?;
        Some(format!("{} left", in_words(seconds)))
    }
}

fn seconds_left(elapsed: Duration, done: usize, left: usize) -> Option<f64> {
    (done > 0 && left > 0).then(|| elapsed.as_secs_f64() / done as f64 * left as f64)
}

/// A time in a unit that fits it.
fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_fitting_units() {
        assert_eq!([5.2, 600.0, 7200.0].map(in_words), ["5 s", "10 min", "2.0 h"]);
    }

    #[test]
    fn what_was_found_took_no_time() {
        let ten_seconds = Duration::from_secs(10);
        assert_eq!(seconds_left(ten_seconds, 20, 60), Some(30.0));
        assert_eq!((seconds_left(ten_seconds, 0, 60), seconds_left(ten_seconds, 20, 0)), (None, None));
        let mut pace = Pace::begin(100);
        pace.find(50);
        assert_eq!((pace.left(120, 300), pace.left(150, 300), pace.left(300, 300)), (None, None, None));
        assert_eq!(pace.left(151, 300).unwrap(), "0 s left");
    }
}
