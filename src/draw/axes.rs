//! Two axes with their titles, and the plane between them.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::canvas::{GRID, INK, Sheet, Size, drawing_error, font};
use super::ticks::label;
use crate::error::Result;

/// The plane between the axes, in which positions are values.
pub(crate) type Plane<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What the axes say, and how much room they take.
pub(crate) struct Axes<'a> {
    /// Titles of the horizontal and the vertical axis, with their units.
    pub titles: [&'a str; 2],
    /// What both axes span.
    pub ranges: [Range<f64>; 2],
    /// How wide the chart is.
    pub size: Size,
    /// About how many labels the vertical axis has.
    pub y_labels: usize,
    /// Whether vertical lines go through the plane.
    pub vertical_lines: bool,
    /// Pixels right of the plane, below it and left of it.
    pub room: [u32; 3],
}

impl Axes<'_> {
    /// Draws them below the title of the sheet.
    pub fn draw<'a>(self, sheet: &Sheet<'a>) -> Result<Plane<'a>> {
        self.draw_with(sheet, true)
    }

    /// The same without ticks and labels on the horizontal axis, which the caller writes.
    pub fn draw_without_x_labels<'a>(self, sheet: &Sheet<'a>) -> Result<Plane<'a>> {
        self.draw_with(sheet, false)
    }

    fn draw_with<'a>(self, sheet: &Sheet<'a>, x_labels: bool) -> Result<Plane<'a>> {
        let [x_range, y_range] = self.ranges;
        let [right, below, left] = self.room;
        let mut chart = ChartBuilder::on(sheet)
            .margin_top(44)
            .margin_right(right)
            .margin_left(8)
            .margin_bottom(8)
            .x_label_area_size(below)
            .y_label_area_size(left)
            .build_cartesian_2d(x_range, y_range)
            .map_err(drawing_error)?;
        let mut mesh = chart.configure_mesh();
        if !self.vertical_lines {
            mesh.disable_x_mesh();
        }
        if !x_labels {
            mesh.disable_x_axis();
        }
        mesh.bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_labels(self.size.ticks())
            .y_labels(self.y_labels)
            .x_label_formatter(&|x| label(*x))
            .y_label_formatter(&|y| label(*y))
            .label_style(font(13.0))
            .axis_desc_style(font(14.0))
            .x_desc(self.titles[0])
            .y_desc(self.titles[1])
            .draw()
            .map_err(drawing_error)?;
        Ok(chart.plotting_area().clone())
    }
}
