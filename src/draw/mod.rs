//! Drawing: charts as SVG text and as pictures, grids of pictures, heat maps, and how each method looks in all of them.
//!
//! Everything is on white, so that it reads in a light and in a dark page, with fonts of at least 13 pixels.

pub(crate) mod axes;
pub(crate) mod bars;
pub(crate) mod canvas;
mod curves;
mod grid;
mod grouped_bars;
mod heat_map;
mod histogram;
pub mod picture;
pub(crate) mod raster;
mod row;
mod scatter;
mod signed_bars;
pub mod style;
pub(crate) mod ticks;

pub use bars::{Bar, Bars};
pub use canvas::Size;
pub use curves::{Chart, Curve};
pub use grid::{PictureGrid, pictures};
pub use grouped_bars::{GroupedBars, Series};
pub use heat_map::HeatMap;
pub use histogram::Histogram;
pub use row::{Column, Row};
pub use scatter::{Dot, Scatter};
pub use signed_bars::SignedBars;

use image::RgbImage;

use crate::error::Result;

/// How many pixels of a drawing are one pixel of the page: sharp on every screen.
pub const SCALE: u32 = 2;

/// Something drawn.
pub trait Figure {
    /// Its title.
    fn title(&self) -> &str;

    /// The drawing, [`SCALE`] times its size on the page.
    ///
    /// # Errors
    /// If what it is made of does not fit together.
    fn draw(&self) -> Result<RgbImage>;
}
