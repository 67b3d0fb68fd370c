//! Several figures as one picture.

use image::{Rgb, RgbImage, imageops};

use super::{Figure, SCALE};
use crate::error::{Result, complain};

/// White between two figures, in pixels of the page.
const GAP: u32 = 16;

/// Figures beside each other.
///
/// ```
/// use toalign::draw::Chart;
/// use toalign::draw::{Figure, Row, SCALE};
/// let chart = Chart::new("A line", "x", "y").curve("source", [(0.0, 0.0), (1.0, 1.0)]).narrow();
/// let row = Row::new("Two lines").and(&chart)?.and(&chart)?;
/// assert_eq!(row.draw()?.width(), SCALE * (420 + 16 + 420));
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Row {
    title: String,
    pictures: Vec<RgbImage>,
}

/// Figures below each other.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    pictures: Vec<RgbImage>,
    gap: u32,
}

impl Row {
    /// A row to come; the title is for readers of text only.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), pictures: Vec::new() }
    }

    /// One more figure, on the right.
    pub fn and(mut self, figure: &impl Figure) -> Result<Self> {
        self.pictures.push(figure.draw()?);
        Ok(self)
    }
}

impl Column {
    /// A column to come; the title is for readers of text only.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), pictures: Vec::new(), gap: GAP }
    }

    /// The same, without white between the figures.
    pub(crate) fn close(title: &str) -> Self {
        Self { gap: 0, ..Self::new(title) }
    }

    /// One more drawing, below.
    pub(crate) fn with(mut self, drawing: RgbImage) -> Self {
        self.pictures.push(drawing);
        self
    }

    /// One more figure, below.
    pub fn and(mut self, figure: &impl Figure) -> Result<Self> {
        self.pictures.push(figure.draw()?);
        Ok(self)
    }
}

impl Figure for Row {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        joined(&self.pictures, true, GAP)
    }
}

impl Figure for Column {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        joined(&self.pictures, false, self.gap)
    }
}

fn joined(pictures: &[RgbImage], beside: bool, gap: u32) -> Result<RgbImage> {
    if pictures.is_empty() {
        return Err(complain("at least one figure", "none").advice("add one with .and(&figure)?").into());
    }
    let along = |picture: &RgbImage| if beside { picture.width() } else { picture.height() };
    let across = |picture: &RgbImage| if beside { picture.height() } else { picture.width() };
    let gap = gap * SCALE;
    let length = pictures.iter().map(along).sum::<u32>() + gap * (pictures.len() as u32 - 1);
    let breadth = pictures.iter().map(across).max().unwrap_or(0);
    let (width, height) = if beside { (length, breadth) } else { (breadth, length) };
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut start = 0;
    for picture in pictures {
        let (x, y) = if beside { (start, 0) } else { (0, start) };
        imageops::replace(&mut sheet, picture, i64::from(x), i64::from(y));
        start += along(picture) + gap;
    }
    Ok(sheet)
}
