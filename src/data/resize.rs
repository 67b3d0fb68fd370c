//! The antialiased bilinear resize of Pillow, which the published code uses, on 8-bit channels.

use std::cell::RefCell;
use std::ops::Range;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{ImageBuffer, Pixel};

/// Resizes to `side`×`side` pixels; the aspect ratio is not kept.
///
/// When shrinking, the triangle filter is widened by the scale, so every pixel counts (`Image.resize(…, BILINEAR)` of
/// Pillow, which torchvision's `Resize` calls for a Pillow picture). Works on 1 channel (a mask) or 3 (a picture).
///
/// ```
/// let black_and_white = image::RgbImage::from_fn(2, 1, |x, _| image::Rgb([255 * x as u8; 3]));
/// assert_eq!(toalign::data::resize::resize(&black_and_white, 1).get_pixel(0, 0).0, [128; 3]);
/// ```
pub fn resize<P>(picture: &ImageBuffer<P, Vec<u8>>, side: u32) -> ImageBuffer<P, Vec<u8>>
where
    P: Pixel<Subpixel = u8>,
{
    let bytes = with_resized(picture, side, 0..side, <[u8]>::to_vec);
    ImageBuffer::from_raw(side, side, bytes).expect("the buffer was made for this size")
}

/// Hands the bytes of `picture` at `side`×`side` pixels to `see`. Of the result, only `rows` are right; the others
/// hold anything.
///
/// The bytes stand in a buffer of this thread, which the next picture overwrites.
pub(super) fn with_resized<P, R>(
    picture: &ImageBuffer<P, Vec<u8>>,
    side: u32,
    rows: Range<u32>,
    see: impl FnOnce(&[u8]) -> R,
) -> R
where
    P: Pixel<Subpixel = u8>,
{
    WORKPLACE.with_borrow_mut(|workplace| {
        workplace.resize(picture, side, rows);
        see(&workplace.resized)
    })
}

thread_local! {
    static WORKPLACE: RefCell<Workplace> = RefCell::default();
}

/// What one thread keeps from picture to picture, so that it need not be allocated and cleared each time.
#[derive(Default)]
struct Workplace {
    resizer: Resizer,
    /// The picture at its new width and its old height.
    narrowed: Vec<u8>,
    resized: Vec<u8>,
}

impl Workplace {
    fn resize<P>(&mut self, picture: &ImageBuffer<P, Vec<u8>>, side: u32, rows: Range<u32>)
    where
        P: Pixel<Subpixel = u8>,
    {
        let pixel_type = match P::CHANNEL_COUNT {
            1 => PixelType::U8,
            3 => PixelType::U8x3,
            other => unreachable!("pictures have 3 channels and masks 1, not {other}"),
        };
        let (width, height) = picture.dimensions();
        let row_bytes = |width: u32| width as usize * usize::from(P::CHANNEL_COUNT);
        self.narrowed.resize(row_bytes(side) * height as usize, 0);
        self.resized.resize(row_bytes(side) * side as usize, 0);

        // Pillow rounds to 8 bits between the two passes and does the rows first; one call here would do the columns
        // first. Rows do not depend on each other, so those that the second pass will not need can be left out.
        let needed = source_rows(height, side, rows);
        let part =
            |width: u32| row_bytes(width) * needed.start as usize..row_bytes(width) * needed.end as usize;
        let needed_rows = needed.end - needed.start;
        let source = &picture.as_raw()[part(width)];
        let target = &mut self.narrowed[part(side)];
        convolve(&mut self.resizer, (source, width, needed_rows), (target, side, needed_rows), pixel_type);
        let target = &mut self.resized[..];
        convolve(&mut self.resizer, (&self.narrowed, side, height), (target, side, side), pixel_type);
    }
}

/// A picture's bytes, width and height to another's.
fn convolve(
    resizer: &mut Resizer,
    (source, width, height): (&[u8], u32, u32),
    (target, new_width, new_height): (&mut [u8], u32, u32),
    pixel_type: PixelType,
) {
    let source = ImageRef::new(width, height, source, pixel_type).expect("a buffer holds exactly its pixels");
    let mut target = Image::from_slice_u8(new_width, new_height, target, pixel_type)
        .expect("a buffer was made for exactly its pixels");
    let bilinear = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize(&source, &mut target, &bilinear).expect("both have the same pixel type");
}

/// The rows of a picture of `height` rows that weigh in `rows` of the one resized to `side` rows, and a few more.
fn source_rows(height: u32, side: u32, rows: Range<u32>) -> Range<u32> {
    let scale = f64::from(height) / f64::from(side);
    // The triangle reaches one pixel of the coarser picture to both sides; one more makes up for any rounding.
    let reach = scale.max(1.0) + 1.0;
    let first = (f64::from(rows.start) + 0.5) * scale - reach;
    let last = (f64::from(rows.end) - 0.5) * scale + reach;
    (first.floor().max(0.0) as u32).min(height)..(last.ceil() as u32).min(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rows_are_those_of_the_whole() {
        for (width, height) in [(61, 500), (30, 31), (64, 64), (7, 3), (64, 200), (100, 64), (1, 1)] {
            let picture = image::RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([x * 37 + y * 101, x * x + 3 * y, x * y].map(|value| (value % 256) as u8))
            });
            let side = 64;
            let whole = resize(&picture, side);
            for rows in [0..64, 0..1, 63..64, 5..61, 30..34] {
                let row = side as usize * 3;
                let read = row * rows.start as usize..row * rows.end as usize;
                let same = |bytes: &[u8]| bytes[read.clone()] == whole.as_raw()[read.clone()];
                // A picture of noise before it, so that nothing right is left over from the call before.
                with_resized(
                    &image::RgbImage::from_fn(width, height, |_, _| image::Rgb([255; 3])),
                    side,
                    0..side,
                    |_| (),
                );
                assert!(with_resized(&picture, side, rows.clone(), same), "{width}×{height}, rows {rows:?}");
            }
        }
    }
}
