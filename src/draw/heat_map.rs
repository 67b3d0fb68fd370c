//! A matrix of numbers as coloured fields, each with its number in it.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::bars::readable_on;
use super::canvas::{MARGIN, drawing_error, font, rgb, svg_of, width_of, write, write_title};
use super::{Figure, raster};
use crate::error::{Result, complain};

/// Widest a field may be on the page, and its height.
const FIELD: (i32, i32) = (92, 44);
/// The page is not wider than this, unless the names of the columns need it.
const WIDEST: i32 = 880;
const TOP: i32 = 92;

/// A matrix with names for its rows and columns.
///
/// ```
/// use toalign::draw::{Figure, HeatMap};
/// let map = HeatMap::new("Accuracy (%)", vec![vec![98.0, 52.6], vec![79.4, 99.1]])
///     .rows("trained on", ["Clipart", "Real_World"])
///     .columns("tested on", ["Clipart", "Real_World"]);
/// assert!(map.draw()?.width() > 400);
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeatMap {
    title: String,
    values: Vec<Vec<f64>>,
    row_title: String,
    column_title: String,
    rows: Vec<String>,
    columns: Vec<String>,
    decimals: usize,
}

impl HeatMap {
    /// The matrix, row by row.
    pub fn new(title: &str, values: Vec<Vec<f64>>) -> Self {
        Self {
            title: title.into(),
            values,
            row_title: String::new(),
            column_title: String::new(),
            rows: Vec::new(),
            columns: Vec::new(),
            decimals: 1,
        }
    }

    /// What the rows are, and the name of each.
    pub fn rows(self, title: &str, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { row_title: title.into(), rows: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// What the columns are, and the name of each.
    pub fn columns(self, title: &str, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { column_title: title.into(), columns: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// How many decimals the numbers have; 1 without this.
    pub fn decimals(self, decimals: usize) -> Self {
        Self { decimals, ..self }
    }

    /// The matrix as SVG.
    ///
    /// # Errors
    /// If the names do not fit the matrix.
    pub fn to_svg(&self) -> Result<String> {
        self.check()?;
        let widest = self.rows.iter().map(|name| width_of(name, 14.0)).max().unwrap_or(0);
        let left = MARGIN + widest.max(width_of(&self.row_title, 14.0)) + 14;
        let across = self.columns.len() as i32;
        // Where there are many columns, their names are set a little smaller.
        let words = self.columns.iter().flat_map(|name| name.split(' '));
        let names = words.map(|word| width_of(word, 12.0) + 4).max().unwrap_or(0);
        let field = ((WIDEST - left - MARGIN) / across).min(FIELD.0).max(names);
        let width = (left + field * across + MARGIN).max(width_of(&self.title, 17.0) + 2 * MARGIN);
        let height = TOP + FIELD.1 * self.rows.len() as i32 + MARGIN;
        svg_of((width as u32, height as u32), |sheet| {
            write_title(sheet, &self.title)?;
            let middle = left + field * across / 2;
            write(sheet, &self.column_title, (middle, 50), HPos::Center, font(14.0))?;
            write(sheet, &self.row_title, (MARGIN, 76), HPos::Left, font(14.0))?;
            for (column, name) in self.columns.iter().enumerate() {
                let x = left + field * column as i32 + field / 2;
                let size = if field < FIELD.0 { 12.0 } else { 14.0 };
                match name.rsplit_once(' ').filter(|_| width_of(name, size) > field) {
                    Some((first, second)) => {
                        write(sheet, first, (x, 69), HPos::Center, font(size))?;
                        write(sheet, second, (x, 83), HPos::Center, font(size))?;
                    }
                    None => write(sheet, name, (x, 76), HPos::Center, font(size))?,
                }
            }
            for (row, (name, values)) in self.rows.iter().zip(&self.values).enumerate() {
                let y = TOP + FIELD.1 * row as i32;
                write(sheet, name, (left - 12, y + FIELD.1 / 2), HPos::Right, font(14.0))?;
                for (column, &value) in values.iter().enumerate() {
                    let x = left + field * column as i32;
                    let (fill, words) = match value.is_finite() {
                        true => (colour(self.share(value)), format!("{value:.*}", self.decimals)),
                        false => ([235; 3], "–".to_owned()),
                    };
                    let corners = [(x + 1, y + 1), (x + field - 1, y + FIELD.1 - 1)];
                    sheet.draw(&Rectangle::new(corners, rgb(fill).filled())).map_err(drawing_error)?;
                    let ink = readable_on(fill);
                    let style = font(15.0).color(&ink);
                    write(sheet, &words, (x + field / 2, y + FIELD.1 / 2), HPos::Center, style)?;
                }
            }
            Ok(())
        })
    }

    fn check(&self) -> Result<()> {
        let place = || format!("the heat map '{}'", self.title);
        if self.values.is_empty() || self.rows.len() != self.values.len() {
            let found = format!("{} names for {} rows", self.rows.len(), self.values.len());
            return Err(complain("a name for each of one or more rows", found).at(place()).into());
        }
        match self.values.iter().find(|row| row.len() != self.columns.len() || row.is_empty()) {
            Some(row) => {
                let found = format!("{} names for {} values", self.columns.len(), row.len());
                Err(complain("a name for each of one or more columns", found).at(place()).into())
            }
            None => Ok(()),
        }
    }

    /// 0 for the smallest value, 1 for the largest.
    fn share(&self, value: f64) -> f64 {
        let finite = self.values.iter().flatten().copied().filter(|value| value.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if high > low { (value - low) / (high - low) } else { 0.5 }
    }
}

/// From near white to dark blue, in steps that look even (after ColorBrewer's "Blues").
fn colour(share: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 5] = [
        [247.0, 251.0, 255.0],
        [198.0, 219.0, 239.0],
        [107.0, 174.0, 214.0],
        [33.0, 113.0, 181.0],
        [8.0, 48.0, 107.0],
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (place.floor() as usize).min(STOPS.len() - 2);
    let between = place - below as f64;
    std::array::from_fn(|channel| {
        (STOPS[below][channel] * (1.0 - between) + STOPS[below + 1][channel] * between).round() as u8
    })
}

impl Figure for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SCALE;
    use super::*;

    #[test]
    fn the_largest_field_is_the_darkest() {
        let map = HeatMap::new("", vec![vec![10.0, 20.0], vec![30.0, f64::NAN]])
            .rows("from", ["a", "b"])
            .columns("to", ["a", "b"]);
        let drawn = map.draw().unwrap();
        let left = MARGIN + width_of("from", 14.0) + 14;
        let corner = |row: i32, column: i32| {
            let (x, y) = (left + FIELD.0 * column + 6, TOP + FIELD.1 * row + 6);
            drawn.get_pixel(SCALE * x as u32, SCALE * y as u32).0
        };
        assert_eq!(corner(0, 0), [247, 251, 255]);
        assert_eq!(corner(0, 1), [107, 174, 214]);
        assert_eq!(corner(1, 0), [8, 48, 107]);
        assert_eq!(corner(1, 1), [235; 3]);
    }

    #[test]
    fn twelve_columns_keep_to_the_page() {
        let map = HeatMap::new("", vec![vec![1.0; 12]]).rows("", ["a"]).columns("", ["Scissors"; 12]);
        assert!(map.draw().unwrap().width() <= SCALE * 900);
    }

    #[test]
    fn names_that_do_not_fit_are_told() {
        let map = HeatMap::new("m", vec![vec![1.0, 2.0]]).rows("", ["a"]).columns("", ["b"]);
        let message = map.draw().unwrap_err().to_string();
        assert!(
            message.contains("the heat map 'm'") && message.contains("1 names for 2 values"),
            "{message}"
        );
    }
}
