//! Showing things in a notebook: `show(&chart)?`, `show(&table)?`, several in one cell if there are several.
//!
//! Everything that is drawn is a PNG of twice the size at which it is shown, on white: that survives a notebook of which
//! Jupyter trusts nothing, the conversion to a page, and GitHub's own rendering, and reads in a dark theme too.

mod channel;
mod in_place;
pub mod lesson;
pub mod live;
pub mod live_sweep;
mod run_fields;
mod tables;

pub use channel::{Place, stop_is_wanted};

use image::RgbImage;

use crate::draw::{Figure, SCALE};
use crate::error::Result;

/// Something with a form for a notebook.
pub trait Show {
    /// What a front end chooses from.
    fn bundle(&self) -> Result<Bundle>;
}

/// One thing in the forms that front ends know.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// A drawing of [`SCALE`] times its size on the page.
    pub picture: Option<RgbImage>,
    /// A table.
    pub html: Option<String>,
    /// In words, for a terminal.
    pub text: String,
}

impl<F: Figure> Show for F {
    fn bundle(&self) -> Result<Bundle> {
        let picture = self.draw()?;
        let (width, height) = (picture.width() / SCALE, picture.height() / SCALE);
        let text = format!("[{}, {width}×{height}]", self.title());
        Ok(Bundle { picture: Some(picture), html: None, text })
    }
}

/// Shows it below the cell, or prints its words where there is no notebook.
///
/// Without this project's kernel, evcxr shows only the last of several pictures of a cell: put them in a [`Row`](crate::draw::Row) there.
pub fn show(what: &impl Show) -> Result<()> {
    Place::here().display(&what.bundle()?, None)
}
