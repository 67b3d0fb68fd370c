//! From a picture of any size to the numbers that the network sees: resize, crop, flip, normalise.

use std::borrow::Cow;

use image::{GrayImage, ImageBuffer, Pixel, RgbImage};
use rand::Rng;

use crate::data::resize::resize;
use crate::random::Generator;

/// Mean of ImageNet's pixels by channel (red, green, blue), in [0, 1].
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's pixels by channel.
pub const IMAGENET_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// What happens to a picture before it enters the network.
///
/// A picture that is smaller than `crop` is continued by its border pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Resize to this many pixels a side first, not keeping the aspect ratio; `None` leaves the size as it is.
    pub resize: Option<u32>,
    /// In training, continue the picture by this many copies of its border pixels on every side, so that a crop as
    /// large as the picture still shifts.
    pub pad: u32,
    /// Side of the square that the network sees, in pixels.
    pub crop: u32,
    /// In training, mirror every other picture, by chance.
    pub flip: bool,
}

/// The square of the resized picture that the network sees.
struct Window {
    top: i64,
    left: i64,
    mirrored: bool,
}

impl Transform {
    /// The published preprocessing: resize to 256×256, crop 224, flip.
    pub fn office_home() -> Self {
        Self { resize: Some(256), pad: 0, crop: 224, flip: true }
    }

    /// For the 40×40 pictures of Mini Office-Home: shift by up to 3 pixels, flip.
    pub fn mini() -> Self {
        Self { resize: None, pad: 3, crop: 40, flip: true }
    }

    /// A random crop, mirrored with probability 0.5, normalised: `[crop, crop, 3]` row by row.
    pub fn train(&self, picture: &RgbImage, generator: &mut Generator) -> Vec<f32> {
        let picture = self.resized(picture);
        let window = Window {
            top: self.random_start(picture.height(), generator),
            left: self.random_start(picture.width(), generator),
            mirrored: self.flip && generator.random_bool(0.5),
        };
        normalise(&cut(&picture, &window, self.crop))
    }

    /// The centre crop, normalised: `[crop, crop, 3]` row by row.
    pub fn test(&self, picture: &RgbImage) -> Vec<f32> {
        normalise(&self.test_picture(picture))
    }

    /// What [`Transform::test`] shows the network, as a `[crop, crop]` picture: the ground for an overlay.
    pub fn test_picture(&self, picture: &RgbImage) -> RgbImage {
        self.centre(&self.resized(picture))
    }

    /// The same part of an object mask as [`Transform::test_picture`] takes of its picture.
    pub fn test_mask(&self, mask: &GrayImage) -> GrayImage {
        self.centre(&self.resized(mask))
    }

    fn resized<'a, P>(&self, picture: &'a ImageBuffer<P, Vec<u8>>) -> Cow<'a, ImageBuffer<P, Vec<u8>>>
    where
        P: Pixel<Subpixel = u8>,
    {
        match self.resize {
            Some(side) if picture.dimensions() != (side, side) => Cow::Owned(resize(picture, side)),
            _ => Cow::Borrowed(picture),
        }
    }

    fn centre<P>(&self, picture: &ImageBuffer<P, Vec<u8>>) -> ImageBuffer<P, Vec<u8>>
    where
        P: Pixel<Subpixel = u8>,
    {
        let start = |length: u32| (i64::from(length) - i64::from(self.crop)).div_euclid(2);
        let window = Window { top: start(picture.height()), left: start(picture.width()), mirrored: false };
        cut(picture, &window, self.crop)
    }

    /// Where a random crop starts along one side of `length` pixels; negative inside the padding.
    fn random_start(&self, length: u32, generator: &mut Generator) -> i64 {
        let padded = length.saturating_add(self.pad.saturating_mul(2));
        let room = padded.saturating_sub(self.crop);
        i64::from(generator.random_range(0..=room)) - i64::from(self.pad)
    }
}

/// Cuts the window out; what lies outside the picture repeats its border.
fn cut<P>(picture: &ImageBuffer<P, Vec<u8>>, window: &Window, side: u32) -> ImageBuffer<P, Vec<u8>>
where
    P: Pixel<Subpixel = u8>,
{
    let inside = |at: i64, length: u32| at.clamp(0, i64::from(length) - 1) as u32;
    ImageBuffer::from_fn(side, side, |x, y| {
        let x = if window.mirrored { side - 1 - x } else { x };
        *picture.get_pixel(
            inside(window.left + i64::from(x), picture.width()),
            inside(window.top + i64::from(y), picture.height()),
        )
    })
}

/// (value/255 − mean) / deviation per channel, with ImageNet's constants: `[height, width, 3]` row by row.
///
/// ```
/// let grey = image::RgbImage::from_pixel(1, 1, image::Rgb([124, 116, 104]));
/// let numbers = toalign::data::transform::normalise(&grey);
/// assert!(numbers.iter().all(|number| number.abs() < 0.01));
/// ```
pub fn normalise(picture: &RgbImage) -> Vec<f32> {
    let (pixels, _) = picture.as_raw().as_chunks::<3>();
    pixels
        .iter()
        .flat_map(|pixel| {
            std::array::from_fn::<f32, 3, _>(|channel| {
                let value = f32::from(pixel[channel]) / 255.0;
                (value - IMAGENET_MEAN[channel]) / IMAGENET_DEVIATION[channel]
            })
        })
        .collect()
}
