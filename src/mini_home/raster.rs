//! Square pictures of floating-point pixels: what is drawn on, and the few operations that drawing needs.

use image::{GrayImage, RgbImage};

/// The side of the canvas that is drawn on; pictures are twice as small.
pub(super) const CANVAS: usize = 80;

/// A square picture with `CHANNELS` numbers a pixel, row by row.
#[derive(Clone)]
pub(super) struct Raster<const CHANNELS: usize> {
    /// Pixels along each side.
    pub side: usize,
    /// `side * side` pixels.
    pub pixels: Vec<[f32; CHANNELS]>,
}

/// Red, green, blue and opacity in 0..1, colours *premultiplied* by opacity.
///
/// With premultiplied colours, resampling and blurring never mix in the colour of what is transparent.
pub(super) type Canvas = Raster<4>;

/// Three numbers a pixel: colour noise.
pub(super) type Colours = Raster<3>;

/// One number a pixel: a mask, a height.
pub(super) type Plane = Raster<1>;

/// What a renderer hands over.
pub(super) struct Scene {
    /// Opaque everywhere.
    pub canvas: Canvas,
    /// Opacity of the visible part of the object.
    pub object: Plane,
}

impl<const CHANNELS: usize> Raster<CHANNELS> {
    pub fn filled(side: usize, pixel: [f32; CHANNELS]) -> Self {
        let pixels = vec![pixel; side * side];
        Self { side, pixels }
    }

    /// Asks `pixel_at(x, y)` for every pixel.
    pub fn from_fn(side: usize, mut pixel_at: impl FnMut(usize, usize) -> [f32; CHANNELS]) -> Self {
        let mut pixels = vec![[0.0; CHANNELS]; side * side];
        for (y, row) in pixels.chunks_exact_mut(side).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = pixel_at(x, y);
            }
        }
        Self { side, pixels }
    }

    /// The sum of the first channel.
    #[cfg(test)]
    pub fn sum(&self) -> f32 {
        self.pixels.iter().map(|pixel| pixel[0]).sum()
    }

    pub fn at(&self, x: usize, y: usize) -> [f32; CHANNELS] {
        self.pixels[y * self.side + x]
    }

    /// The bilinear value at a position in pixels (pixel centres lie at .5); zero outside.
    pub fn sample(&self, x: f32, y: f32) -> [f32; CHANNELS] {
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (floor(x), floor(y));
        let (right_share, bottom_share) = (x - left as f32, y - top as f32);
        let weights = [
            (1.0 - right_share) * (1.0 - bottom_share),
            right_share * (1.0 - bottom_share),
            (1.0 - right_share) * bottom_share,
            right_share * bottom_share,
        ];
        let mut sum = [0.0; CHANNELS];
        let mut add = |pixel: &[f32; CHANNELS], weight: f32| {
            for (total, value) in sum.iter_mut().zip(pixel) {
                *total += weight * value;
            }
        };
        let (side, last) = (self.side as i32, self.side as i32 - 1);
        if (0..last).contains(&left) && (0..last).contains(&top) {
            let place = (top * side + left) as usize;
            let upper = &self.pixels[place..place + 2];
            let lower = &self.pixels[place + self.side..place + self.side + 2];
            for (pixel, weight) in upper.iter().chain(lower).zip(weights) {
                add(pixel, weight);
            }
        } else {
            for ((dx, dy), weight) in [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().zip(weights) {
                let (column, row) = (left + dx, top + dy);
                if (0..side).contains(&column) && (0..side).contains(&row) {
                    add(&self.pixels[(row * side + column) as usize], weight);
                }
            }
        }
        sum
    }

    /// Gaussian blur with a standard deviation in pixels; the border is repeated outwards.
    pub fn blurred(&self, deviation: f32) -> Self {
        let radius = (3.0 * deviation).ceil() as usize;
        if deviation < 0.1 || radius == 0 {
            return self.clone();
        }
        let mut taps: Vec<f32> = (0..=2 * radius)
            .map(|i| (-0.5 * ((i as f32 - radius as f32) / deviation).powi(2)).exp())
            .collect();
        let total: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= total);
        self.blurred_along_columns(&taps).transposed().blurred_along_columns(&taps).transposed()
    }

    fn blurred_along_columns(&self, taps: &[f32]) -> Self {
        let (side, radius) = (self.side, taps.len() / 2);
        let mut result = Self::filled(side, [0.0; CHANNELS]);
        for (y, out) in result.pixels.chunks_exact_mut(side).enumerate() {
            for (i, tap) in taps.iter().enumerate() {
                let row = (y + i).saturating_sub(radius).min(side - 1);
                let source = &self.pixels[row * side..(row + 1) * side];
                for (total, value) in out.as_flattened_mut().iter_mut().zip(source.as_flattened()) {
                    *total += tap * value;
                }
            }
        }
        result
    }

    fn transposed(&self) -> Self {
        Self::from_fn(self.side, |x, y| self.at(y, x))
    }

    /// The picture at half its size: each pixel is the mean of 2 x 2.
    pub fn halved(&self) -> Self {
        Self::from_fn(self.side / 2, |x, y| {
            let mut sum = [0.0; CHANNELS];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let pixel = self.at(2 * x + dx, 2 * y + dy);
                for (total, value) in sum.iter_mut().zip(pixel) {
                    *total += 0.25 * value;
                }
            }
            sum
        })
    }

    /// Moves every pixel's place of origin by the displacement in pixels found at that pixel.
    pub fn displaced(&self, by: &Raster<2>) -> Self {
        Self::from_fn(self.side, |x, y| {
            let [dx, dy] = by.at(x, y);
            self.sample(x as f32 + 0.5 + dx, y as f32 + 0.5 + dy)
        })
    }
}

impl Canvas {
    pub fn opaque(side: usize, [red, green, blue]: [f32; 3]) -> Self {
        Self::filled(side, [red, green, blue, 1.0])
    }

    pub fn alpha(&self) -> Plane {
        let pixels = self.pixels.iter().map(|pixel| [pixel[3]]).collect();
        Plane { side: self.side, pixels }
    }

    /// Lays `top` over this canvas (Porter and Duff's *over*, premultiplied).
    pub fn lay(&mut self, top: &Canvas) {
        for (below, above) in self.pixels.iter_mut().zip(&top.pixels) {
            for (value, cover) in below.iter_mut().zip(above) {
                *value = cover + *value * (1.0 - above[3]);
            }
        }
    }

    /// Lays one colour over this canvas with the opacity of `cover`, times `strength`.
    pub fn tint(&mut self, cover: &Plane, strength: f32, colour: [f32; 3]) {
        for (pixel, [opacity]) in self.pixels.iter_mut().zip(&cover.pixels) {
            *pixel = mixed(*pixel, colour, strength * opacity);
        }
    }

    /// Adds colour noise, as far as the canvas is opaque.
    pub fn add(&mut self, noise: &Colours, strength: f32) {
        for (pixel, noise) in self.pixels.iter_mut().zip(&noise.pixels) {
            for channel in 0..3 {
                let value = pixel[channel] + strength * noise[channel] * pixel[3];
                pixel[channel] = value.clamp(0.0, pixel[3]);
            }
        }
    }

    /// Multiplies the colours by one factor.
    pub fn darken(&mut self, factor: f32) {
        for pixel in &mut self.pixels {
            pixel[..3].iter_mut().for_each(|value| *value *= factor);
        }
    }

    pub fn to_rgb(&self) -> RgbImage {
        let side = self.side as u32;
        RgbImage::from_fn(side, side, |x, y| {
            let [red, green, blue, _] = self.at(x as usize, y as usize);
            image::Rgb([red, green, blue].map(to_byte))
        })
    }
}

impl Plane {
    /// 1 where `inside(x, y)`, else 0.
    #[cfg(test)]
    pub fn of(side: usize, inside: impl Fn(usize, usize) -> bool) -> Self {
        Self::from_fn(side, |x, y| [f32::from(u8::from(inside(x, y)))])
    }

    pub fn to_gray(&self) -> GrayImage {
        let side = self.side as u32;
        GrayImage::from_fn(side, side, |x, y| image::Luma(self.at(x as usize, y as usize).map(to_byte)))
    }
}

/// `colour` over `pixel` with that opacity.
pub(super) fn mixed(pixel: [f32; 4], colour: [f32; 3], opacity: f32) -> [f32; 4] {
    let [red, green, blue] = colour;
    let mut above = [red, green, blue, 1.0];
    for (value, below) in above.iter_mut().zip(pixel) {
        *value = *value * opacity + below * (1.0 - opacity);
    }
    above
}

/// The largest whole number not above `value`. (`f32::floor` is a call into the mathematics library where the
/// processor's baseline has no instruction for it, and this is the inner loop of everything.)
pub(super) fn floor(value: f32) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from(towards_zero as f32 > value)
}

fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_is_bilinear_and_zero_outside_and_halving_takes_the_mean() {
        let plane = Plane { side: 2, pixels: vec![[0.0], [1.0], [2.0], [3.0]] };
        for ([x, y], expected) in
            [([1.5, 0.5], 1.0), ([1.0, 1.0], 1.5), ([2.0, 1.5], 1.5), ([-3.0, 1.0], 0.0)]
        {
            assert_eq!(plane.sample(x, y), [expected], "{x} {y}");
        }
        assert_eq!(plane.halved().pixels, [[1.5]]);
    }

    #[test]
    fn blur_keeps_the_total_and_has_the_right_width() {
        let blurred = Plane::of(41, |x, y| x == 20 && y == 20).blurred(3.0);
        let variance = Plane::from_fn(41, |x, y| [blurred.at(x, y)[0] * (x as f32 - 20.0).powi(2)]).sum();
        assert!((blurred.sum() - 1.0).abs() < 1e-4, "{}", blurred.sum());
        assert!((variance.sqrt() - 3.0).abs() < 0.06, "{variance}");
    }

    #[test]
    fn laying_half_red_over_blue_mixes_them() {
        let mut canvas = Canvas::opaque(1, [0.0, 0.0, 1.0]);
        canvas.lay(&Canvas::filled(1, [0.5, 0.0, 0.0, 0.5]));
        assert_eq!(canvas.at(0, 0), [0.5, 0.0, 0.5, 1.0]);
        assert_eq!(canvas.to_rgb().get_pixel(0, 0).0, [128, 0, 128]);
    }
}
