//! How often which value occurs, for one sample or several.

use image::RgbImage;
use plotters::prelude::*;

use super::Size;
use super::axes::Axes;
use super::canvas::{Entry, chart, drawing_error, rgb};
use super::style::{Colour, Marker, colour_of, display_name};
use super::ticks::round_range;
use super::{Figure, raster};
use crate::error::{Result, complain};

const HEIGHT: u32 = 360;

/// Shares of samples in equal intervals, one outline for each sample.
///
/// ```
/// use toalign::draw::{Figure, Histogram};
/// let entropies = Histogram::new("Entropy of the predictions", "entropy (nats)")
///     .sample("source", [0.0, 0.1, 0.1, 0.4])
///     .sample("target", [0.2, 1.1, 1.9]);
/// assert!(entropies.draw()?.height() > 700);
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Histogram {
    title: String,
    value_title: String,
    samples: Vec<(String, Colour, Vec<f64>)>,
    intervals: usize,
    size: Size,
}

impl Histogram {
    /// No samples yet; `value_title` names the horizontal axis, with its unit.
    pub fn new(title: &str, value_title: &str) -> Self {
        let samples = Vec::new();
        Self {
            title: title.into(),
            value_title: value_title.into(),
            samples,
            intervals: 24,
            size: Size::Wide,
        }
    }

    /// One more sample; a domain's or a method's name has its colour.
    pub fn sample(mut self, name: &str, values: impl IntoIterator<Item = impl Into<f64>>) -> Self {
        let colour = colour_of(name, self.samples.len());
        self.samples.push((display_name(name), colour, values.into_iter().map(Into::into).collect()));
        self
    }

    /// The same, half as wide: two fit beside each other.
    pub fn narrow(self) -> Self {
        Self { size: Size::Narrow, intervals: 16, ..self }
    }

    /// The share of the values in each interval, in percent.
    fn shares(&self, values: &[f64], range: &std::ops::Range<f64>) -> Vec<f64> {
        let mut shares = vec![0.0; self.intervals];
        for value in values {
            let place = (value - range.start) / (range.end - range.start) * self.intervals as f64;
            shares[(place as usize).min(self.intervals - 1)] += 100.0 / values.len() as f64;
        }
        shares
    }
}

impl Figure for Histogram {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        let values = || self.samples.iter().flat_map(|(_, _, values)| values.iter().copied());
        if self.samples.iter().any(|(_, _, values)| values.is_empty())
            || values().next().is_none()
            || values().any(|value| !value.is_finite())
        {
            return Err(complain(
                "samples of finite values",
                "an empty one, or a value that is not a number",
            )
            .at(format!("the histogram '{}'", self.title))
            .into());
        }
        let mut range = round_range(values(), false);
        // An entropy of -1e-6 is a zero that was rounded: no reason for an axis that begins at -0.5.
        if values().all(|value| value > -1e-3) {
            range.start = range.start.max(0.0);
        }
        let width = (range.end - range.start) / self.intervals as f64;
        let shares: Vec<Vec<f64>> =
            self.samples.iter().map(|(_, _, values)| self.shares(values, &range)).collect();
        let legend: Vec<Entry> = self
            .samples
            .iter()
            .map(|(name, colour, _)| Entry { label: name, colour: *colour, marker: Marker::Square })
            .collect();
        let svg = chart(self.size, HEIGHT, &self.title, &legend, |sheet| {
            let plot = Axes {
                titles: [&self.value_title, "share (%)"],
                ranges: [range.clone(), round_range(shares.iter().flatten().copied(), true)],
                size: self.size,
                y_labels: 6,
                vertical_lines: false,
                room: [24, 52, 62],
            }
            .draw(sheet)?;
            for ((_, colour, _), shares) in self.samples.iter().zip(&shares) {
                let mut outline = vec![(range.start, 0.0)];
                for (interval, &share) in shares.iter().enumerate() {
                    let start = range.start + interval as f64 * width;
                    outline.extend([(start, share), (start + width, share)]);
                }
                outline.push((range.end, 0.0));
                plot.draw(&Polygon::new(outline.clone(), rgb(*colour).mix(0.22))).map_err(drawing_error)?;
                let line = PathElement::new(outline, rgb(*colour).stroke_width(2));
                plot.draw(&line).map_err(drawing_error)?;
            }
            Ok(())
        })?;
        raster::pixels(&svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_the_largest_value_is_counted() {
        let histogram = Histogram { intervals: 4, ..Histogram::new("", "") };
        assert_eq!(histogram.shares(&[0.0, 0.1, 0.9, 1.0], &(0.0..1.0)), [50.0, 0.0, 0.0, 50.0]);
        assert_eq!(histogram.shares(&[0.25, 0.5, 0.5, 0.6], &(0.0..1.0)), [0.0, 25.0, 75.0, 0.0]);
    }

    #[test]
    fn samples_that_cannot_be_counted_are_told() {
        let message = Histogram::new("h", "").sample("a", [f64::NAN]).draw().unwrap_err().to_string();
        assert!(message.contains("the histogram 'h': expected samples of finite values"), "{message}");
        assert!(Histogram::new("h", "").draw().is_err());
    }
}
