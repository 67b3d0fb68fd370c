//! Lying bars with error bars: room for long names.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{self, GRID, INK, MARGIN, Sheet, Size, drawing_error, font, rgb, width_of};
use super::style::{Colour, colour_of, display_name};
use super::ticks::{label, round_range};
use super::{Figure, raster};
use crate::error::Result;

/// One bar.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// Its length. A value that is not finite leaves the bar out and shows "–".
    pub value: f64,
    /// Half the length of its error bar, such as a standard deviation.
    pub error: Option<f64>,
    /// A second value, shown as a hollow diamond.
    pub diamond: Option<f64>,
}

/// Bars with their titles. The axis begins at 0, because the eye compares lengths.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    /// What the chart shows.
    pub title: String,
    /// Title of the axis of values, with its unit.
    pub value_title: String,
    /// How many decimals the written values have.
    pub decimals: usize,
    /// How wide the chart is.
    pub size: Size,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

const TOP: u32 = 44;
const AXIS: u32 = 52;
const BOTTOM: u32 = 8;

impl Bars {
    /// Bars to come, with the chart's title and that of the axis of values.
    pub fn new(title: &str, value_title: &str) -> Self {
        Self { title: title.into(), value_title: value_title.into(), decimals: 1, ..Self::default() }
    }

    /// One more bar. Its label may be a method's name, such as `hda+toalign`: it is then shown and coloured as everywhere.
    pub fn bar(mut self, label: &str, value: f64) -> Self {
        let (label, colour) = (display_name(label), colour_of(label, self.bars.len()));
        self.bars.push(Bar { label, colour, value, ..Bar::default() });
        self
    }

    /// One more bar, with half the length of its error bar.
    pub fn bar_with_error(self, label: &str, value: f64, error: f64) -> Self {
        let mut bars = self.bar(label, value);
        if let Some(bar) = bars.bars.last_mut() {
            bar.error = Some(error);
        }
        bars
    }

    /// The chart as SVG.
    pub fn to_svg(&self) -> Result<String> {
        let height = TOP + AXIS + BOTTOM + 38 * self.bars.len().max(1) as u32;
        canvas::svg(self.size, height, |sheet| self.draw_on(sheet))
    }

    fn draw_on(&self, sheet: &Sheet) -> Result<()> {
        let names = self.bars.iter().map(|bar| width_of(&bar.label, 14.0)).max();
        let names = names.unwrap_or(0).min(self.size.width() as i32 / 2);
        let mut chart = ChartBuilder::on(sheet)
            .margin_top(TOP)
            .margin_bottom(BOTTOM)
            .margin_right(width_of(&self.longest_text(), 13.0) + 16)
            .margin_left(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(names + 10)
            .build_cartesian_2d(self.range(), (self.bars.len().max(1) as f64)..0.0)
            .map_err(drawing_error)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_labels(self.size.ticks())
            .x_label_formatter(&|value| label(*value))
            .label_style(font(13.0))
            .axis_desc_style(font(14.0))
            .x_desc(self.value_title.as_str())
            .draw()
            .map_err(drawing_error)?;
        let plot = chart.plotting_area();
        let to_pixel = |value: f64, across: f64| plot.map_coordinate(&(value, across));
        for (i, bar) in self.bars.iter().enumerate() {
            let middle = i as f64 + 0.5;
            let at = |value: f64| to_pixel(value, middle);
            let (zero, y) = at(0.0);
            draw_bar(sheet, bar, to_pixel(0.0, middle - 0.32), |value| to_pixel(value, middle + 0.32))?;
            draw_marks(sheet, bar, at)?;
            let left = zero.min(plot.get_pixel_range().0.start);
            canvas::write(sheet, &bar.label, (left - 10, y), HPos::Right, font(14.0))?;
            let end = at(bar.farthest()).0.max(zero);
            let mut words = self.text(bar);
            let inside = at(bar.value - bar.error.unwrap_or(0.0)).0 - 10;
            // With a diamond two numbers are to be told apart: one in the bar, the other beside its diamond.
            if let [value, diamond] = words.as_slice()
                && inside - zero > width_of(value, 13.0)
            {
                let ink = readable_on(bar.colour);
                let style = font(13.0).color(&ink);
                canvas::write(sheet, value, (inside, y), HPos::Right, style)?;
                words = vec![diamond.replace("◇ ", "")];
            }
            let words = words.join("  ");
            canvas::write(sheet, &words, (end + 11, y), HPos::Left, font(13.0))?;
        }
        canvas::write_title(sheet, &self.title)
    }

    fn range(&self) -> std::ops::Range<f64> {
        let ends = |bar: &Bar| {
            let error = bar.error.unwrap_or(0.0);
            let diamond = bar.diamond.unwrap_or(bar.value);
            [bar.value - error, bar.value + error, diamond]
        };
        round_range(self.bars.iter().flat_map(ends), true)
    }

    /// What is written at the end of a bar: "71.6 ± 0.4", and "◇ 72.9" where there is a diamond.
    fn text(&self, bar: &Bar) -> Vec<String> {
        let decimals = self.decimals;
        let value = match bar.error {
            _ if !bar.value.is_finite() => "–".to_owned(),
            Some(error) => format!("{:.decimals$} ± {error:.decimals$}", bar.value),
            None => format!("{:.decimals$}", bar.value),
        };
        let diamond = bar.diamond.filter(|value| value.is_finite());
        let diamond = diamond.map(|value| format!("◇ {value:.decimals$}"));
        std::iter::once(value).chain(diamond).collect()
    }

    fn longest_text(&self) -> String {
        let texts = self.bars.iter().flat_map(|bar| self.text(bar));
        texts.max_by_key(|text| text.chars().count()).unwrap_or_default()
    }
}

impl Figure for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

impl Bar {
    /// The largest value that is drawn for this bar.
    fn farthest(&self) -> f64 {
        let drawn = [self.value + self.error.unwrap_or(0.0), self.diamond.unwrap_or(0.0)];
        drawn.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max)
    }
}

/// Dark letters on a light colour, white ones on a dark colour.
pub(crate) fn readable_on([red, green, blue]: Colour) -> RGBColor {
    let lightness = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if lightness > 140.0 { INK } else { WHITE }
}

fn draw_bar(sheet: &Sheet, bar: &Bar, start: (i32, i32), end: impl Fn(f64) -> (i32, i32)) -> Result<()> {
    if !bar.value.is_finite() {
        return Ok(());
    }
    sheet.draw(&Rectangle::new([start, end(bar.value)], rgb(bar.colour).filled())).map_err(drawing_error)
}

/// The error bar and the diamond.
fn draw_marks(sheet: &Sheet, bar: &Bar, at: impl Fn(f64) -> (i32, i32)) -> Result<()> {
    if let Some(error) = bar.error.filter(|error| (bar.value + error).is_finite()) {
        draw_error_bar(sheet, [at(bar.value - error), at(bar.value + error)], (0, 5))?;
    }
    if let Some((x, y)) = bar.diamond.filter(|value| value.is_finite()).map(at) {
        let corners = [(x, y - 7), (x + 7, y), (x, y + 7), (x - 7, y), (x, y - 7)];
        sheet.draw(&Polygon::new(corners, WHITE.filled())).map_err(drawing_error)?;
        sheet.draw(&PathElement::new(corners, INK.stroke_width(2))).map_err(drawing_error)?;
    }
    Ok(())
}

/// A stroke between two pixels, with end strokes of `cap` pixels to both sides.
pub(crate) fn draw_error_bar(sheet: &Sheet, ends: [(i32, i32); 2], cap: (i32, i32)) -> Result<()> {
    let caps = ends.map(|(x, y)| [(x - cap.0, y - cap.1), (x + cap.0, y + cap.1)]);
    // White below the ink keeps the strokes visible on a black bar.
    for style in [WHITE.stroke_width(5), INK.stroke_width(2)] {
        for stroke in [ends, caps[0], caps[1]] {
            sheet.draw(&PathElement::new(stroke, style)).map_err(drawing_error)?;
        }
    }
    Ok(())
}
