//! Standing bars side by side in groups, with error bars: two methods on every task.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axes::Axes;
use super::bars::draw_error_bar;
use super::canvas::{self, Entry, Sheet, Size, drawing_error, font, rgb};
use super::style::{Colour, Marker, colour_of, display_name};
use super::ticks::round_range;
use super::{Figure, raster};
use crate::error::Result;

/// Height of the part with the axes, in pixels.
const HEIGHT: u32 = 340;
/// From this many groups on, every second name stands a line lower in a narrow chart.
const MANY: usize = 8;

/// One bar of each group.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// The value in each group with half the length of its error bar; a value that is not finite leaves the bar out.
    pub values: Vec<(f64, Option<f64>)>,
}

/// Groups of bars with their titles. The axis begins at 0, because the eye compares lengths.
///
/// ```
/// use toalign::draw::GroupedBars;
/// let bars = GroupedBars::new("Accuracy", "accuracy (%)", ["Cl-Rw", "mean"])
///     .series("hda", [(60.0, Some(2.0)), (61.0, None)])
///     .series("hda+toalign", [(62.0, Some(1.0)), (f64::NAN, None)]);
/// assert!(bars.to_svg()?.contains("HDA+ToAlign"));
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GroupedBars {
    /// What the chart shows.
    pub title: String,
    /// Title of the axis of values, with its unit.
    pub value_title: String,
    /// The names of the groups, from left to right.
    pub groups: Vec<String>,
    /// The bars of each group, from left to right.
    pub series: Vec<Series>,
    /// How wide the chart is.
    pub size: Size,
}

impl GroupedBars {
    /// Bars to come, with the chart's title, that of the axis of values, and the names of the groups.
    pub fn new(title: &str, value_title: &str, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            title: title.into(),
            value_title: value_title.into(),
            groups: groups.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// One more bar in every group. Its label may be a method's name: it is then shown and coloured as everywhere.
    pub fn series(mut self, label: &str, values: impl IntoIterator<Item = (f64, Option<f64>)>) -> Self {
        self.series.push(Series {
            label: display_name(label),
            colour: colour_of(label, self.series.len()),
            values: values.into_iter().collect(),
        });
        self
    }

    /// The same, for a phone.
    pub fn narrow(self) -> Self {
        Self { size: Size::Narrow, ..self }
    }

    /// The chart as SVG.
    pub fn to_svg(&self) -> Result<String> {
        let legend: Vec<Entry> = self
            .series
            .iter()
            .map(|series| Entry { label: &series.label, colour: series.colour, marker: Marker::Square })
            .collect();
        canvas::chart(self.size, HEIGHT, &self.title, &legend, |sheet| self.draw_bars(sheet))
    }

    fn two_lines(&self) -> bool {
        self.size == Size::Narrow && self.groups.len() >= MANY
    }

    fn draw_bars(&self, sheet: &Sheet) -> Result<()> {
        let ends = self.series.iter().flat_map(|series| &series.values);
        let ends = ends.map(|(value, error)| value + error.unwrap_or(0.0));
        let plot = Axes {
            titles: ["", &self.value_title],
            ranges: [0.0..self.groups.len().max(1) as f64, round_range(ends, true)],
            size: self.size,
            y_labels: 6,
            vertical_lines: false,
            room: [16, if self.two_lines() { 44 } else { 27 }, 66],
        }
        .draw_without_x_labels(sheet)?;
        let width = 0.84 / self.series.len().max(1) as f64;
        for (place, series) in self.series.iter().enumerate() {
            for (group, &(value, error)) in series.values.iter().enumerate().take(self.groups.len()) {
                if !value.is_finite() {
                    continue;
                }
                let left = group as f64 + 0.08 + width * place as f64;
                let corners = [(left, 0.0), (left + width * 0.96, value)];
                plot.draw(&Rectangle::new(corners, rgb(series.colour).filled())).map_err(drawing_error)?;
                let at = |value: f64| plot.map_coordinate(&(left + width * 0.48, value));
                if let Some(error) = error.filter(|error| error.is_finite()) {
                    draw_error_bar(sheet, [at(value - error), at(value + error)], (3, 0))?;
                }
            }
        }
        let below = plot.get_pixel_range().1.end;
        for (group, name) in self.groups.iter().enumerate() {
            let (x, _) = plot.map_coordinate(&(group as f64 + 0.5, 0.0));
            let lower = if self.two_lines() { 17 * (group as i32 % 2) } else { 0 };
            canvas::write(sheet, name, (x, below + 14 + lower), HPos::Center, font(13.0))?;
        }
        Ok(())
    }
}

impl Figure for GroupedBars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}
