//! Many signed numbers, such as the weights of all channels, as thin bars in two colours.

use image::RgbImage;
use plotters::prelude::*;

use super::Size;
use super::axes::Axes;
use super::canvas::{Entry, INK, chart, drawing_error, rgb};
use super::style::{Colour, Marker};
use super::ticks::round_range;
use super::{Figure, raster};
use crate::error::{Result, complain};

/// What speaks for the class.
pub const POSITIVE: Colour = [0x1F, 0x6F, 0xB4];
/// What speaks against it.
pub const NEGATIVE: Colour = [0xC2, 0x4A, 0x2C];

const HEIGHT: u32 = 260;

/// A vector as bars: what is positive in blue, what is negative in red.
///
/// ```
/// use toalign::draw::{Figure, SignedBars};
/// let bars = SignedBars::new("Weights", "channel", "weight", [0.5f32, -0.25, 0.0]);
/// assert_eq!(bars.draw()?.width(), 2 * 720);
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignedBars {
    title: String,
    x_title: String,
    y_title: String,
    values: Vec<f64>,
}

impl SignedBars {
    /// The vector, from left to right, with the titles of both axes.
    pub fn new(
        title: &str,
        x_title: &str,
        y_title: &str,
        values: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        let [title, x_title, y_title] = [title, x_title, y_title].map(str::to_owned);
        Self { title, x_title, y_title, values: values.into_iter().map(Into::into).collect() }
    }

    /// The same with the largest value first.
    pub fn sorted(mut self) -> Self {
        self.values.sort_by(|a, b| b.total_cmp(a));
        self
    }
}

impl Figure for SignedBars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        if self.values.is_empty() || self.values.iter().any(|value| !value.is_finite()) {
            return Err(complain("finite values", "none, or one that is not a number")
                .at(format!("the bars '{}'", self.title))
                .into());
        }
        let share = |wanted: fn(&f64) -> bool| {
            let count = self.values.iter().filter(|value| wanted(value)).count();
            format!("{:.0} %", 100.0 * count as f64 / self.values.len() as f64)
        };
        let (positive, negative) =
            (format!("positive: {}", share(|v| *v > 0.0)), format!("negative: {}", share(|v| *v < 0.0)));
        let legend = [
            Entry { label: &positive, colour: POSITIVE, marker: Marker::Square },
            Entry { label: &negative, colour: NEGATIVE, marker: Marker::Square },
        ];
        let size = Size::Wide;
        let svg = chart(size, HEIGHT, &self.title, &legend, |sheet| {
            let count = self.values.len() as f64;
            let plot = Axes {
                titles: [&self.x_title, &self.y_title],
                ranges: [0.0..count, round_range(self.values.iter().copied(), true)],
                size,
                y_labels: 5,
                vertical_lines: false,
                room: [20, 48, 66],
            }
            .draw(sheet)?;
            for (place, &value) in self.values.iter().enumerate() {
                let colour = if value > 0.0 { POSITIVE } else { NEGATIVE };
                let corners = [(place as f64 + 0.08, 0.0), (place as f64 + 0.92, value)];
                plot.draw(&Rectangle::new(corners, rgb(colour).filled())).map_err(drawing_error)?;
            }
            let axis = PathElement::new([(0.0, 0.0), (count, 0.0)], INK.stroke_width(1));
            plot.draw(&axis).map_err(drawing_error)?;
            Ok(())
        })?;
        raster::pixels(&svg)
    }
}
