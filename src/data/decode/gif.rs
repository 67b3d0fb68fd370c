//! The first picture of a GIF, as Pillow shows it.
//!
//! A GIF may store less than its canvas. Pillow fills the rest with the frame's transparent colour, or with the first colour
//! of its palette (not with the background colour that the file names, as browsers do not either), and makes the canvas larger
//! where the frame reaches beyond it.

use image::{Rgba, RgbaImage};

use super::no_picture;
use crate::error::Complaint;

/// Decodes the first frame of the GIF in `bytes` to `[height, width]` pixels with transparency.
pub(super) fn first_frame(bytes: &[u8]) -> Result<RgbaImage, Complaint> {
    let undecodable =
        |error: gif::DecodingError| no_picture(format!("a GIF that cannot be decoded ({error})"));
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut decoder = options.read_info(bytes).map_err(undecodable)?;
    let canvas = (u32::from(decoder.width()), u32::from(decoder.height()));
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(undecodable)?;
    let frame = frame.ok_or_else(|| no_picture("a GIF without any picture"))?;

    let palette = frame.palette.as_ref().or(global.as_ref());
    let colour = |index: u8| {
        let alpha = if frame.transparent == Some(index) { 0 } else { 255 };
        let entry = palette.map(|palette| palette.chunks_exact(3).nth(usize::from(index)).unwrap_or(&[0; 3]));
        let grey = [index; 3];
        let &[red, green, blue] = entry.unwrap_or(&grey) else { unreachable!("chunks of three") };
        Rgba([red, green, blue, alpha])
    };
    let [left, top, width, height] = [frame.left, frame.top, frame.width, frame.height].map(u32::from);
    let (across, down) = (canvas.0.max(left + width), canvas.1.max(top + height));
    super::check_size(across, down, 4)?;
    let mut picture = RgbaImage::from_pixel(across, down, colour(frame.transparent.unwrap_or(0)));
    for (row, pixels) in (top..).zip(frame.buffer.chunks_exact(frame.width.max(1).into())) {
        for (column, &index) in (left..).zip(pixels) {
            picture.put_pixel(column, row, colour(index));
        }
    }
    Ok(picture)
}
