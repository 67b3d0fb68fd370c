//! The antialiased bilinear resize of Pillow, which the published code uses, on 8-bit channels.

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
    // Pillow rounds to 8 bits between the two passes and does the rows first; one call here would do the columns first.
    let rows_done = convolve(picture, side, picture.height());
    convolve(&rows_done, side, side)
}

fn convolve<P>(picture: &ImageBuffer<P, Vec<u8>>, width: u32, height: u32) -> ImageBuffer<P, Vec<u8>>
where
    P: Pixel<Subpixel = u8>,
{
    let pixel_type = match P::CHANNEL_COUNT {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        other => unreachable!("pictures have 3 channels and masks 1, not {other}"),
    };
    let from = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), pixel_type)
        .expect("a buffer holds exactly its pixels");
    let mut to = Image::new(width, height, pixel_type);
    let bilinear = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&from, &mut to, &bilinear).expect("both have the same pixel type");
    ImageBuffer::from_raw(width, height, to.into_vec()).expect("the buffer was made for this size")
}
