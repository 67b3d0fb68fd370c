//! Charts as SVG text: on white, so that they read in a light and in a dark page, with fonts of at least 13 pixels.

pub(super) mod axes;
pub(super) mod bars;
pub(super) mod canvas;
mod curves;
mod grouped_bars;
mod learning;
pub(super) mod ticks;

pub use bars::{Bar, Bars, Direction};
pub use canvas::Size;
pub use curves::{Chart, Curve};
pub use grouped_bars::{GroupedBars, Series};
pub use learning::{Run, accuracy_curves, loss_curves, loss_names};
