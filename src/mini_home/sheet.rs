//! A contact sheet: what the domains look like, side by side.

use image::RgbImage;
use image::imageops::{FilterType, replace, resize};

use super::pictures::SIDE;
use crate::data::dataset::Domain;
use crate::error::{Result, complain};

/// Rows are classes (`classes` of them, from label 0); every domain has `columns` pictures of each, side by side.
///
/// Every picture is shown `40 * scale` pixels high and wide; what is of another size is resized to that. The first
/// pictures of each class are taken; where there are fewer, the sheet stays white.
///
/// # Errors
/// If there is no domain, a number is 0, or `scale` or `columns` exceeds 32; or as
/// [`Pictures::decode`](crate::data::dataset::Pictures::decode).
pub fn contact_sheet(domains: &[Domain], classes: usize, columns: usize, scale: u32) -> Result<RgbImage> {
    let in_range = (1..=32).contains(&columns) && (1..=32).contains(&scale);
    if domains.is_empty() || !(1..=1000).contains(&classes) || !in_range {
        return Err(complain(
            "a domain at least, 1 to 1000 classes, 1 to 32 columns, a scale of 1 to 32",
            format!("{} domains, {classes} classes, {columns} columns, a scale of {scale}", domains.len()),
        )
        .at("contact sheet")
        .into());
    }
    let cell = SIDE * scale;
    let width = cell * (domains.len() * columns) as u32;
    let white = image::Rgb([255; 3]);
    let mut sheet = RgbImage::from_pixel(width, cell * classes as u32, white);
    for (block, domain) in domains.iter().enumerate() {
        let mut shown = vec![0; classes];
        for index in 0..domain.pictures.len() {
            let row = domain.pictures.label(index) as usize;
            if row >= classes || shown[row] == columns {
                continue;
            }
            let picture = domain.pictures.decode(index)?;
            let picture = resize(&picture, cell, cell, FilterType::Nearest);
            let column = (block * columns + shown[row]) as i64;
            let (x, y) = (column * i64::from(cell), row as i64 * i64::from(cell));
            replace(&mut sheet, &picture, x, y);
            shown[row] += 1;
        }
    }
    Ok(sheet)
}
