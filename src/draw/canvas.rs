//! The white sheet on which every chart is drawn, its lettering, markers and legend.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::style::{Colour, Marker};
use crate::error::{Error, Result, complain};

/// The part of a drawing in which positions are pixels.
pub(crate) type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// How wide a chart is. The lettering has the same size in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// 720 pixels: JupyterLab's default cell and a printed page hold it without shrinking.
    #[default]
    Wide,
    /// 420 pixels: two beside each other, or one on a phone.
    Narrow,
}

impl Size {
    pub(crate) fn width(self) -> u32 {
        match self {
            Size::Wide => 720,
            Size::Narrow => 420,
        }
    }

    /// About how many tick labels the horizontal axis has room for.
    pub(crate) fn ticks(self) -> usize {
        match self {
            Size::Wide => 9,
            Size::Narrow => 5,
        }
    }
}

pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(crate) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

/// Height of one row of the legend.
const LEGEND_ROW: i32 = 26;

/// Pixels from the left edge at which titles and legends begin.
pub(crate) const MARGIN: i32 = 16;

/// Draws on a white sheet and returns the SVG.
pub(crate) fn svg(size: Size, height: u32, draw: impl FnOnce(&Sheet) -> Result<()>) -> Result<String> {
    svg_of((size.width(), height), draw)
}

/// Draws on a white sheet of this width and height and returns the SVG.
pub(crate) fn svg_of(size: (u32, u32), draw: impl FnOnce(&Sheet) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let sheet = SVGBackend::with_string(&mut text, size).into_drawing_area();
        sheet.fill(&WHITE).map_err(drawing_error)?;
        draw(&sheet)?;
        sheet.present().map_err(drawing_error)?;
    }
    Ok(text)
}

pub(crate) fn drawing_error(error: impl std::fmt::Display) -> Error {
    complain("a chart that can be drawn", error.to_string()).into()
}

/// A sans-serif font of `pixels` height. plotters divides the size it is given by 1.24 when it writes SVG.
pub(crate) fn font(pixels: f64) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", pixels * 1.24).into_font()).color(&INK)
}

/// Letters at a place, held there by their left end, middle or right end, at half their height.
pub(crate) fn write(
    sheet: &Sheet,
    text: &str,
    place: (i32, i32),
    held: HPos,
    style: TextStyle,
) -> Result<()> {
    let style = style.pos(Pos::new(held, VPos::Center));
    sheet.draw(&Text::new(text, place, style)).map_err(drawing_error)
}

/// The title, in the top left corner.
pub(crate) fn write_title(sheet: &Sheet, title: &str) -> Result<()> {
    let style = TextStyle::from(("sans-serif", 17.0 * 1.24, FontStyle::Bold).into_font());
    write(sheet, title, (MARGIN, 22), HPos::Left, style.color(&INK))
}

/// About how many pixels wide a text is. The browser chooses the font, so this is on the generous side.
pub(crate) fn width_of(text: &str, pixels: f64) -> i32 {
    (text.chars().count() as f64 * pixels * 0.6).ceil() as i32
}

pub(crate) fn rgb(colour: Colour) -> RGBColor {
    let [red, green, blue] = colour;
    RGBColor(red, green, blue)
}

/// A marker at a pixel.
pub(crate) fn draw_marker(sheet: &Sheet, marker: Marker, (x, y): (i32, i32), colour: Colour) -> Result<()> {
    let style = rgb(colour).filled();
    match marker {
        Marker::Circle => sheet.draw(&Circle::new((x, y), 4, style)),
        Marker::Triangle => {
            sheet.draw(&Polygon::new(vec![(x, y - 5), (x - 5, y + 4), (x + 5, y + 4)], style))
        }
        Marker::Square => sheet.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style)),
    }
    .map_err(drawing_error)
}

/// What a colour and a marker mean.
pub(crate) struct Entry<'a> {
    pub label: &'a str,
    pub colour: Colour,
    pub marker: Marker,
}

/// A chart of this height, with its title above and its legend below.
pub(crate) fn chart(
    size: Size,
    height: u32,
    title: &str,
    legend: &[Entry],
    draw: impl FnOnce(&Sheet) -> Result<()>,
) -> Result<String> {
    svg_of((size.width(), height + legend_height(legend, size)), |sheet| {
        let (upper, _) = sheet.split_vertically(height);
        draw(&upper)?;
        write_title(sheet, title)?;
        draw_legend(sheet, legend, size, height as i32)
    })
}

/// How high the legend of these labels is.
fn legend_height(entries: &[Entry], size: Size) -> u32 {
    match legend_places(entries, size).last() {
        Some((_, row)) => ((row + 1) * LEGEND_ROW + 8) as u32,
        None => 0,
    }
}

/// Draws the legend, with its upper edge at pixel row `top`.
fn draw_legend(sheet: &Sheet, entries: &[Entry], size: Size, top: i32) -> Result<()> {
    for (entry, (x, row)) in entries.iter().zip(legend_places(entries, size)) {
        let y = top + row * LEGEND_ROW + LEGEND_ROW / 2;
        let line = PathElement::new([(x, y), (x + 28, y)], rgb(entry.colour).stroke_width(3));
        sheet.draw(&line).map_err(drawing_error)?;
        draw_marker(sheet, entry.marker, (x + 14, y), entry.colour)?;
        write(sheet, entry.label, (x + 36, y), HPos::Left, font(14.0))?;
    }
    Ok(())
}

/// Where each entry begins: pixel column and row of the legend. Entries stand in columns as wide as the longest label.
fn legend_places(entries: &[Entry], size: Size) -> Vec<(i32, i32)> {
    let longest = entries.iter().map(|entry| width_of(entry.label, 14.0)).max();
    let pitch = longest.unwrap_or(0) + 36 + 16;
    let across = ((size.width() as i32 - 2 * MARGIN) / pitch).max(1);
    (0..entries.len() as i32).map(|i| (MARGIN + i % across * pitch, i / across)).collect()
}
