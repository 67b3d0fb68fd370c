//! A drawing that is made again and again in one place of the notebook.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::{Bundle, Place};
use crate::error::Result;

/// How often a notebook is drawn anew.
const REDRAW: Duration = Duration::from_secs(1);
/// How often a line is printed where nothing can be drawn in place.
const LINE: Duration = Duration::from_secs(5);

/// One place below a cell, and when it was drawn last.
#[derive(Debug)]
pub(crate) struct InPlace {
    place: Place,
    id: String,
    is_shown: bool,
    last: Instant,
}

impl InPlace {
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // Other than those of every kernel before, whose pictures may still stand in the notebook.
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("toalign-{time:x}-{number}");
        Self { place: Place::here(), id, is_shown: false, last: Instant::now() }
    }

    /// Whether it is time to draw, or to print a line.
    pub fn is_due(&self) -> bool {
        let every = if self.place == Place::Live { REDRAW } else { LINE };
        (self.place == Place::Live && !self.is_shown) || self.last.elapsed() >= every
    }

    /// Draws what `bundle` makes, or prints a line where that is no help; `last` is for the end, in full quality.
    pub fn draw(
        &mut self,
        bundle: impl FnOnce() -> Result<Bundle>,
        line: impl FnOnce() -> String,
        last: bool,
    ) -> Result<()> {
        self.last = Instant::now();
        match self.place {
            Place::Live if self.is_shown => self.place.redraw(&bundle()?, &self.id, last),
            Place::Live => {
                self.is_shown = true;
                self.place.display(&bundle()?, Some(&self.id))
            }
            Place::Plain if last => self.place.display(&bundle()?, None),
            Place::Plain | Place::Terminal => {
                println!("{}", line());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_have_two_names() {
        assert_ne!(InPlace::new().id, InPlace::new().id);
    }
}
