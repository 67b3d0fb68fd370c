//! From a picture of any size to the numbers that the network sees: resize, crop, flip, normalise.

use candle_core::{Device, Tensor};
use image::{GrayImage, ImageBuffer, Pixel, RgbImage};
use rand::Rng;

pub use crate::data::normalise::{IMAGENET_DEVIATION, IMAGENET_MEAN, normalise};

use crate::data::normalise::normalise_pixel;
use crate::data::resize::with_resized;
use crate::data::window::Window;
use crate::error::Result;
use crate::random::Generator;

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
        let mut numbers = Vec::with_capacity(self.numbers());
        self.train_into(picture, generator, &mut numbers);
        numbers
    }

    /// As [`Transform::train`], appended to `numbers`: a batch needs no copy of its pictures.
    pub fn train_into(&self, picture: &RgbImage, generator: &mut Generator, numbers: &mut Vec<f32>) {
        self.train_observed(picture, generator, numbers, || ());
    }

    /// As [`Transform::train_into`]; tells when the picture has its new size and only the window is left to cut.
    pub(crate) fn train_observed(
        &self,
        picture: &RgbImage,
        generator: &mut Generator,
        numbers: &mut Vec<f32>,
        resized: impl FnOnce(),
    ) {
        let (width, height) = self.resized(picture);
        let window = Window {
            top: self.random_start(height, generator),
            left: self.random_start(width, generator),
            side: self.crop,
            mirrored: self.flip && generator.random_bool(0.5),
        };
        self.see(picture, &window, |bytes| {
            resized();
            window.cut(bytes, width, normalise_pixel, numbers);
        });
    }

    /// The centre crop, normalised: `[crop, crop, 3]` row by row.
    pub fn test(&self, picture: &RgbImage) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(self.numbers());
        self.test_into(picture, &mut numbers);
        numbers
    }

    /// As [`Transform::test`], appended to `numbers`.
    pub fn test_into(&self, picture: &RgbImage, numbers: &mut Vec<f32>) {
        self.centre(picture, normalise_pixel, numbers);
    }

    /// What [`Transform::test`] shows the network, as a `[crop, crop]` picture: the ground for an overlay.
    pub fn test_picture(&self, picture: &RgbImage) -> RgbImage {
        let mut bytes = Vec::with_capacity(self.numbers());
        self.centre::<3, _, _>(picture, |pixel| pixel, &mut bytes);
        ImageBuffer::from_raw(self.crop, self.crop, bytes).expect("a window has its side's pixels")
    }

    /// The centre crop as the network sees it in a test, `[1, crop, crop, 3]`.
    pub fn test_image(&self, picture: &RgbImage, device: &Device) -> Result<Tensor> {
        let side = self.crop as usize;
        Ok(Tensor::from_vec(self.test(picture), (1, side, side, 3), device)?)
    }

    /// The same part of an object mask as [`Transform::test_picture`] takes of its picture.
    pub fn test_mask(&self, mask: &GrayImage) -> GrayImage {
        let mut bytes = Vec::with_capacity(self.numbers());
        self.centre::<1, _, _>(mask, |pixel| pixel, &mut bytes);
        ImageBuffer::from_raw(self.crop, self.crop, bytes).expect("a window has its side's pixels")
    }

    /// How many numbers a transformed picture has.
    pub(crate) fn numbers(&self) -> usize {
        self.crop as usize * self.crop as usize * 3
    }

    /// Width and height of the picture once it is resized.
    fn resized<P: Pixel<Subpixel = u8>>(&self, picture: &ImageBuffer<P, Vec<u8>>) -> (u32, u32) {
        self.resize.map_or(picture.dimensions(), |side| (side, side))
    }

    /// Hands the bytes of the resized picture to `cut`, at least those rows that are in the window.
    fn see<P, R>(&self, picture: &ImageBuffer<P, Vec<u8>>, window: &Window, cut: impl FnOnce(&[u8]) -> R) -> R
    where
        P: Pixel<Subpixel = u8>,
    {
        match self.resize {
            Some(side) if picture.dimensions() != (side, side) => {
                with_resized(picture, side, window.rows(side), cut)
            }
            _ => cut(picture.as_raw()),
        }
    }

    /// Appends the window in the middle.
    fn centre<const CHANNELS: usize, P, T>(
        &self,
        picture: &ImageBuffer<P, Vec<u8>>,
        convert: impl Fn([u8; CHANNELS]) -> [T; CHANNELS],
        output: &mut Vec<T>,
    ) where
        P: Pixel<Subpixel = u8>,
        T: Copy + Default,
    {
        let (width, height) = self.resized(picture);
        let start = |length: u32| (i64::from(length) - i64::from(self.crop)).div_euclid(2);
        let window = Window { top: start(height), left: start(width), side: self.crop, mirrored: false };
        self.see(picture, &window, |bytes| window.cut(bytes, width, convert, output));
    }

    /// Where a random crop starts along one side of `length` pixels; negative inside the padding.
    fn random_start(&self, length: u32, generator: &mut Generator) -> i64 {
        let padded = length.saturating_add(self.pad.saturating_mul(2));
        let room = padded.saturating_sub(self.crop);
        i64::from(generator.random_range(0..=room)) - i64::from(self.pad)
    }
}
