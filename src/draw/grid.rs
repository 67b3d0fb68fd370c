//! Pictures in rows and columns, with words below them.

use candle_core::{DType, Device, Tensor};
use image::{Rgb, RgbImage, imageops};
use plotters::style::text_anchor::HPos;

use super::canvas::{MARGIN, font, svg_of, width_of, write, write_title};
use super::style::Colour;
use super::{Figure, SCALE, raster};
use crate::data::transform::{IMAGENET_DEVIATION, IMAGENET_MEAN};
use crate::error::{Result, complain};

/// Pixels of the page between two pictures.
const GAP: u32 = 8;
/// Height of a line of words.
const LINE: u32 = 18;
/// Width of the frame around a picture.
const FRAME: u32 = 3;
/// The page is not wider than this.
const WIDEST: u32 = 900;

/// Pictures in rows and columns.
///
/// ```
/// use toalign::draw::{Figure, PictureGrid, SCALE};
/// let red = image::RgbImage::from_pixel(10, 10, image::Rgb([255, 0, 0]));
/// let grid = PictureGrid::new("Two squares", vec![red.clone(), red]).columns(2).size(40);
/// let drawn = grid.draw()?;
/// assert_eq!(drawn.get_pixel(SCALE * (16 + 20), SCALE * (40 + 20)).0, [255, 0, 0]);
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PictureGrid {
    title: String,
    pictures: Vec<RgbImage>,
    columns: usize,
    size: u32,
    captions: Vec<String>,
    rows: Vec<String>,
    heads: Vec<String>,
    frames: Vec<Colour>,
}

impl PictureGrid {
    /// A grid of up to eight columns; each picture is shown with a longer side of 80 pixels.
    pub fn new(title: &str, pictures: Vec<RgbImage>) -> Self {
        let columns = pictures.len().clamp(1, 8);
        Self {
            title: title.into(),
            pictures,
            columns,
            size: 80,
            captions: Vec::new(),
            rows: Vec::new(),
            heads: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// How many pictures a row has.
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: columns.max(1), ..self }
    }

    /// The longer side of each picture on the page, in pixels.
    pub fn size(self, size: u32) -> Self {
        Self { size: size.max(8), ..self }
    }

    /// Words below each picture.
    pub fn captions(self, captions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { captions: captions.into_iter().map(Into::into).collect(), ..self }
    }

    /// Words on the left of each row.
    pub fn rows(self, rows: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: rows.into_iter().map(Into::into).collect(), ..self }
    }

    /// Words above each column.
    pub fn heads(self, heads: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { heads: heads.into_iter().map(Into::into).collect(), ..self }
    }

    /// A frame around each picture: green where `right`, red where not.
    pub fn marked(self, right: impl IntoIterator<Item = bool>) -> Self {
        let colour = |right| if right { [0x2E, 0x8B, 0x57] } else { [0xC4, 0x3C, 0x39] };
        Self { frames: right.into_iter().map(colour).collect(), ..self }
    }

    fn check(&self) -> Result<()> {
        let rows = self.pictures.len().div_ceil(self.columns);
        let lists = [
            ("captions", self.captions.len(), self.pictures.len()),
            ("marks", self.frames.len(), self.pictures.len()),
            ("row titles", self.rows.len(), rows),
            ("column titles", self.heads.len(), self.columns),
        ];
        for (what, found, expected) in lists {
            if found != 0 && found != expected {
                return Err(complain(format!("{expected} {what}"), found.to_string())
                    .at(format!("the picture grid '{}'", self.title))
                    .into());
            }
        }
        match self.pictures.iter().any(|picture| picture.is_empty()) || self.pictures.is_empty() {
            true => Err(complain("pictures with pixels", "none or an empty one")
                .at(format!("the picture grid '{}'", self.title))
                .into()),
            false => Ok(()),
        }
    }

    /// Picture `index` as large as it is drawn: small ones keep their pixels, large ones are smoothed.
    fn enlarged(&self, index: usize, longest: u32) -> RgbImage {
        let picture = &self.pictures[index];
        let side = f64::from(picture.width().max(picture.height()));
        let scaled = |length: u32| (f64::from(length) * f64::from(longest) / side).round().max(1.0) as u32;
        let filter = match side < f64::from(longest) {
            true => imageops::FilterType::Nearest,
            false => imageops::FilterType::Triangle,
        };
        imageops::resize(picture, scaled(picture.width()), scaled(picture.height()), filter)
    }
}

impl Figure for PictureGrid {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        self.check()?;
        let (count, columns) = (self.pictures.len(), self.columns.min(self.pictures.len()) as u32);
        let left = match self.rows.iter().map(|row| width_of(row, 14.0)).max() {
            Some(widest) => MARGIN as u32 + widest as u32 + 10,
            None => MARGIN as u32,
        };
        let size = self.size.min((WIDEST - left - MARGIN as u32) / columns - GAP);
        let lines = self.captions.iter().map(|caption| caption.lines().count()).max().unwrap_or(0) as u32;
        let (pitch_x, pitch_y) = (size + GAP, size + GAP + lines * LINE);
        let top = 40 + if self.heads.is_empty() { 0 } else { LINE + 4 };
        let rows = count.div_ceil(columns as usize) as u32;
        let words = width_of(&self.title, 17.0) as u32 + 2 * MARGIN as u32;
        let width = (left + columns * pitch_x + MARGIN as u32).max(words.min(WIDEST));
        let place = |index: usize| {
            let (row, column) = (index as u32 / columns, index as u32 % columns);
            (left + column * pitch_x, top + row * pitch_y)
        };
        let svg = svg_of((width, top + rows * pitch_y + 4), |sheet| {
            write_title(sheet, &self.title)?;
            let centre = |at: u32| (at + size / 2) as i32;
            for (column, head) in self.heads.iter().enumerate() {
                let at = (centre(left + column as u32 * pitch_x), top as i32 - 12);
                write(sheet, head, at, HPos::Center, font(13.0))?;
            }
            for (row, name) in self.rows.iter().enumerate() {
                let at = (MARGIN, centre(top + row as u32 * pitch_y));
                write(sheet, name, at, HPos::Left, font(14.0))?;
            }
            for (index, caption) in self.captions.iter().enumerate() {
                let (x, y) = place(index);
                for (line, words) in caption.lines().enumerate() {
                    let at = (centre(x), (y + size + 10 + line as u32 * LINE) as i32);
                    write(sheet, words, at, HPos::Center, font(12.0))?;
                }
            }
            Ok(())
        })?;
        let mut sheet = raster::pixels(&svg)?;
        for index in 0..count {
            let (x, y) = place(index);
            let frame = if self.frames.is_empty() { 0 } else { FRAME };
            let [x, y, frame, size] = [x, y, frame, size].map(|length| length * SCALE);
            let picture = self.enlarged(index, size - 2 * frame);
            if let Some(colour) = self.frames.get(index) {
                let edge = RgbImage::from_pixel(
                    picture.width() + 2 * frame,
                    picture.height() + 2 * frame,
                    Rgb(*colour),
                );
                imageops::replace(&mut sheet, &edge, x.into(), y.into());
            }
            imageops::replace(&mut sheet, &picture, (x + frame).into(), (y + frame).into());
        }
        Ok(sheet)
    }
}

/// The pictures of a batch as the network sees them, `[batch, height, width, 3]`, with ImageNet's normalisation undone.
///
/// # Errors
/// If the tensor has another shape.
pub fn pictures(batch: &Tensor) -> Result<Vec<RgbImage>> {
    let (count, height, width) = match *batch.dims() {
        [count, height, width, 3] => (count, height, width),
        _ => {
            return Err(complain("pictures as [batch, height, width, 3]", format!("{:?}", batch.dims()))
                .advice("a single picture needs .unsqueeze(0)")
                .into());
        }
    };
    let values: Vec<f32> =
        batch.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let undone = |index: usize| {
        let value = values[index] * IMAGENET_DEVIATION[index % 3] + IMAGENET_MEAN[index % 3];
        (255.0 * value).round().clamp(0.0, 255.0) as u8
    };
    Ok((0..count)
        .map(|picture| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let first = ((picture * height + y as usize) * width + x as usize) * 3;
                Rgb([first, first + 1, first + 2].map(undone))
            })
        })
        .collect())
}
