//! What a renderer hands over: a finished canvas, and where its object can be seen.

use image::{GrayImage, RgbImage};
use rand::Rng;

use super::raster::{Canvas, Plane};
use crate::random::Generator;

/// A finished canvas.
pub(super) struct Scene {
    /// Opaque everywhere.
    pub canvas: Canvas,
    /// Opacity of the visible part of the object.
    pub object: Plane,
}

/// A picture and the mask of its object (255 = object), both 40 x 40.
pub(super) struct Picture {
    pub picture: RgbImage,
    pub mask: GrayImage,
}

impl Scene {
    /// The canvas at half its size, in bytes.
    pub fn developed(&self) -> Picture {
        Picture { picture: self.canvas.halved().to_rgb(), mask: self.object.halved().to_gray() }
    }
}

/// One of several, each equally likely.
pub(super) fn pick<'a, T>(random: &mut Generator, several: &'a [T]) -> &'a T {
    &several[random.random_range(0..several.len())]
}
