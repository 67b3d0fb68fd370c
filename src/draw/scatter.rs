//! Points in a plane, by group.

use image::RgbImage;
use plotters::prelude::*;

use super::Size;
use super::axes::Axes;
use super::canvas::{Entry, chart, drawing_error, rgb};
use super::style::{Colour, Marker, colour_of, display_name};
use super::ticks::round_range;
use super::{Figure, raster};
use crate::error::{Result, complain};

const HEIGHT: u32 = 420;

/// How a group's points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dot {
    /// Discs.
    Full,
    /// Rings: what lies below stays visible.
    Ring,
}

#[derive(Debug, Clone)]
struct Group {
    label: String,
    colour: Colour,
    dot: Dot,
    points: Vec<(f64, f64)>,
}

/// Groups of points in a plane.
///
/// ```
/// use toalign::draw::{Dot, Figure, Scatter};
/// let plane = Scatter::new("Features", "first component", "second component")
///     .group("source", Dot::Full, [(0.0, 1.0), (2.0, 0.5)])
///     .group("target", Dot::Ring, [(1.0, 1.0)]);
/// assert!(plane.draw()?.width() > 800);
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scatter {
    title: String,
    x_title: String,
    y_title: String,
    groups: Vec<Group>,
    size: Size,
}

impl Scatter {
    /// A plane without points; the titles name its axes.
    pub fn new(title: &str, x_title: &str, y_title: &str) -> Self {
        let [title, x_title, y_title] = [title, x_title, y_title].map(str::to_owned);
        Self { title, x_title, y_title, groups: Vec::new(), size: Size::Wide }
    }

    /// One more group; a domain's or a method's name has its colour.
    pub fn group(mut self, label: &str, dot: Dot, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let colour = colour_of(label, self.groups.len());
        let points = points.into_iter().collect();
        self.groups.push(Group { label: display_name(label), colour, dot, points });
        self
    }

    /// The same, half as wide: two fit beside each other.
    pub fn narrow(self) -> Self {
        Self { size: Size::Narrow, ..self }
    }
}

impl Figure for Scatter {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        let points = || self.groups.iter().flat_map(|group| &group.points);
        if points().any(|(x, y)| !(x.is_finite() && y.is_finite())) || points().next().is_none() {
            return Err(complain("finite points", "none, or one that is not a number")
                .at(format!("the plane '{}'", self.title))
                .into());
        }
        let legend: Vec<Entry> = self
            .groups
            .iter()
            .map(|group| Entry { label: &group.label, colour: group.colour, marker: Marker::Circle })
            .collect();
        let svg = chart(self.size, HEIGHT, &self.title, &legend, |sheet| {
            let (x, y) = (points().map(|point| point.0), points().map(|point| point.1));
            let plot = Axes {
                titles: [&self.x_title, &self.y_title],
                ranges: [round_range(x, false), round_range(y, false)],
                size: self.size,
                y_labels: 7,
                vertical_lines: true,
                room: [20, 52, 62],
            }
            .draw(sheet)?;
            for Group { colour, dot, points, .. } in &self.groups {
                for point in points {
                    let disc = match dot {
                        Dot::Full => Circle::new(*point, 4, rgb(*colour).mix(0.75).filled()),
                        Dot::Ring => Circle::new(*point, 4, rgb(*colour).stroke_width(2)),
                    };
                    plot.draw(&disc).map_err(drawing_error)?;
                }
            }
            Ok(())
        })?;
        raster::pixels(&svg)
    }
}
