//! Curves over a common axis, with the legend below them.

use image::RgbImage;
use plotters::prelude::*;

use super::axes::Axes;
use super::canvas::{self, Entry, Size, drawing_error, font, rgb};
use super::style::{Colour, Marker, colour_of, display_name, method_colour, method_marker};
use super::ticks::round_range;
use super::{Figure, raster};
use crate::error::Result;

/// Height of the part with the axes, in pixels.
const HEIGHT: u32 = 388;

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name in the legend.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// What marks its points.
    pub marker: Marker,
    /// Its points (x, y), in the order of x. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// Curves with their titles.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// What the chart shows.
    pub title: String,
    /// Title of the horizontal axis, with its unit.
    pub x_title: String,
    /// Title of the vertical axis, with its unit.
    pub y_title: String,
    /// Whether the vertical axis has to begin at 0.
    pub from_zero: bool,
    /// Where the horizontal axis begins and ends; `None`: at the first and the last point.
    pub x_range: Option<(f64, f64)>,
    /// Whether another chart beside it has the legend.
    pub legend_is_elsewhere: bool,
    /// How wide the chart is.
    pub size: Size,
    /// The lines.
    pub curves: Vec<Curve>,
}

impl Chart {
    /// Curves to come, with the chart's title and those of its axes.
    pub fn new(title: &str, x_title: &str, y_title: &str) -> Self {
        Self { title: title.into(), x_title: x_title.into(), y_title: y_title.into(), ..Self::default() }
    }

    /// One more curve. Its label may be a method's name, such as `hda+toalign`, or a domain's: it is then shown and coloured
    /// as everywhere.
    pub fn curve(mut self, label: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let markers = [Marker::Circle, Marker::Triangle, Marker::Square];
        self.curves.push(Curve {
            label: display_name(label),
            colour: colour_of(label, self.curves.len()),
            marker: markers[self.curves.len() % markers.len()],
            points: points.into_iter().collect(),
        });
        self
    }

    /// One more run of a method: in the method's colour, with its marker, in the legend once however many runs it has.
    pub fn run(mut self, method: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.curves.push(Curve {
            label: display_name(method),
            colour: method_colour(method),
            marker: method_marker(method),
            points: points.into_iter().collect(),
        });
        self
    }

    /// The same, half as wide: two fit beside each other.
    pub fn narrow(self) -> Self {
        Self { size: Size::Narrow, ..self }
    }

    /// The same, with a vertical axis that begins at 0.
    pub fn from_zero(self) -> Self {
        Self { from_zero: true, ..self }
    }

    /// The same without its legend, for a chart beside one that has the same.
    pub fn without_legend(self) -> Self {
        Self { legend_is_elsewhere: true, ..self }
    }

    /// The chart as SVG. Without a single point it says "no data yet".
    pub fn to_svg(&self) -> Result<String> {
        let legend = self.legend();
        canvas::chart(self.size, HEIGHT, &self.title, &legend, |sheet| self.draw_axes_and_lines(sheet))
    }

    /// Curves with the same label, such as several seeds of a method, share an entry.
    fn legend(&self) -> Vec<Entry<'_>> {
        let first = |(place, curve): &(usize, &Curve)| {
            self.curves[..*place].iter().all(|before| before.label != curve.label)
        };
        let curves = if self.legend_is_elsewhere { &[][..] } else { &self.curves };
        curves
            .iter()
            .enumerate()
            .filter(first)
            .map(|(_, curve)| Entry { label: &curve.label, colour: curve.colour, marker: curve.marker })
            .collect()
    }

    fn draw_axes_and_lines(&self, area: &canvas::Sheet) -> Result<()> {
        let points = || self.curves.iter().flat_map(finite_points);
        let ends = self.x_range.map_or(Vec::new(), |(first, last)| vec![first, last]);
        let x_range = x_range(ends.into_iter().chain(points().map(|(x, _)| x)));
        let y_range = round_range(points().map(|(_, y)| y), self.from_zero);
        let plot = Axes {
            titles: [&self.x_title, &self.y_title],
            ranges: [x_range, y_range],
            size: self.size,
            y_labels: 7,
            vertical_lines: true,
            room: [28, 52, 66],
        }
        .draw(area)?;
        for curve in &self.curves {
            let line: Vec<(f64, f64)> = finite_points(curve).collect();
            let stroke = rgb(curve.colour).stroke_width(2);
            plot.draw(&PathElement::new(line.clone(), stroke)).map_err(drawing_error)?;
            for point in line.iter().step_by(line.len().div_ceil(25).max(1)) {
                // On the whole area: the plot would cut off half of a marker on its edge.
                let place = plot.map_coordinate(point);
                canvas::draw_marker(area, curve.marker, place, curve.colour)?;
            }
        }
        if points().next().is_none() {
            let middle = (self.size.width() as i32 / 2, HEIGHT as i32 / 2);
            let held = plotters::style::text_anchor::HPos::Center;
            canvas::write(area, "no data yet", middle, held, font(16.0))?;
        }
        Ok(())
    }
}

impl Figure for Chart {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

/// From the first to the last point, so that the curves use the whole width.
fn x_range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low < high { low..high } else { round_range((low <= high).then_some(low), false) }
}

fn finite_points(curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
    curve.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
}
