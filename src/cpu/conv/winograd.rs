//! Winograd's minimal filtering F(2×2, 3×3) (Lavin & Gray 2016): 16 products where a 3×3 kernel needs 36.
//!
//! A 4×4 patch of the input gives 2×2 outputs: `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`. Over all channels and patches, ⊙ is
//! sixteen matrix products. All factors are 0, ±1 and ±½, so the error in f32 is that of the plain sum.

// The indices are rows and columns of a patch, in several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::im2col::Source;
use super::shape::ConvShape;
use crate::cpu::element::Element;
use crate::cpu::lanes::Lanes;

/// Numbers of a transformed patch, and so matrix products.
pub const POINTS: usize = 16;

/// Channels come in multiples of the widest register.
pub const CHANNELS: usize = 16;

/// Whether the convolution can be computed this way, and is worth it: a map of 7×7 pixels would be padded to 8×8.
pub fn applies(shape: &ConvShape) -> bool {
    let even = |size: usize| size.next_multiple_of(2);
    let padded = even(shape.height) * even(shape.width);
    4 * padded <= 5 * shape.height * shape.width
        && shape.kernel_height == 3
        && shape.kernel_width == 3
        && shape.stride == 1
        && shape.padding == 1
        && shape.input_channels.is_multiple_of(CHANNELS)
        && shape.output_channels.is_multiple_of(CHANNELS)
}

/// A map cut into strips of two rows, and these into patches; with padding 1, input and output have the same size.
#[derive(Debug, Clone, Copy)]
pub struct Strips {
    pub height: usize,
    pub width: usize,
}

impl Strips {
    pub fn of(shape: &ConvShape) -> Self {
        Self { height: shape.height, width: shape.width }
    }

    /// Strips of a picture.
    pub fn per_picture(&self) -> usize {
        self.height.div_ceil(2)
    }

    /// Patches of a strip.
    pub fn patches(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// The first pixel of a strip, counted through all pictures; of the strip behind the last, the end.
    pub fn pixel(&self, strip: usize) -> usize {
        let (picture, strip) = (strip / self.per_picture(), strip % self.per_picture());
        (picture * self.height + 2 * strip) * self.width
    }

    /// For every patch of some strips: its picture, and its place in units of two pixels.
    fn places(self, strips: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        strips.flat_map(move |strip| {
            let (picture, row) = (strip / self.per_picture(), strip % self.per_picture());
            (0..self.patches()).map(move |column| (picture, row, column))
        })
    }

    /// Where the pixels of the patch at a place begin in its picture; none outside. The patch is `before` pixels ahead.
    #[inline(always)]
    fn pixels<const SIDE: usize>(
        self,
        [row, column]: [usize; 2],
        before: usize,
        channels: usize,
    ) -> [[Option<usize>; SIDE]; SIDE] {
        let mut pixels = [[None; SIDE]; SIDE];
        for (y, pixels) in pixels.iter_mut().enumerate() {
            for (x, pixel) in pixels.iter_mut().enumerate() {
                let (y, x) = ((2 * row + y).wrapping_sub(before), (2 * column + x).wrapping_sub(before));
                let inside = y < self.height && x < self.width;
                *pixel = inside.then(|| (y * self.width + x) * channels);
            }
        }
        pixels
    }
}

/// `[a - c, b + c, c - b, b - d]`: one side of `Bᵀ d B`.
#[inline(always)]
fn of_input<S: Simd, T: Lanes>(simd: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 4] {
    [T::difference(simd, a, c), T::sum(simd, b, c), T::difference(simd, c, b), T::difference(simd, b, d)]
}

/// `[a + b + c, b - c - d]`: one side of `Aᵀ m A`.
#[inline(always)]
fn of_product<S: Simd, T: Lanes>(simd: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
    let second = T::difference(simd, b, c);
    [T::sum(simd, T::sum(simd, a, b), c), T::difference(simd, second, d)]
}

/// `[a, a + b, a - b, -b]`: one side of `A y Aᵀ`, the way back through [`of_product`].
#[inline(always)]
fn of_gradient<S: Simd, T: Lanes>(simd: S, [a, b]: [T::Vector<S>; 2]) -> [T::Vector<S>; 4] {
    let zero = T::splat(simd, T::default());
    [a, T::sum(simd, a, b), T::difference(simd, a, b), T::difference(simd, zero, b)]
}

/// Both sides of `Bᵀ d B`.
#[inline(always)]
fn input_points<S: Simd, T: Lanes>(simd: S, d: [[T::Vector<S>; 4]; 4]) -> [[T::Vector<S>; 4]; 4] {
    let mut columns = d;
    for x in 0..4 {
        columns[x] = of_input::<S, T>(simd, [d[0][x], d[1][x], d[2][x], d[3][x]]);
    }
    let mut points = d;
    for y in 0..4 {
        points[y] = of_input::<S, T>(simd, [columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
    }
    points
}

/// Both sides of `A y Aᵀ`.
#[inline(always)]
fn gradient_points<S: Simd, T: Lanes>(simd: S, g: [[T::Vector<S>; 2]; 2]) -> [[T::Vector<S>; 4]; 4] {
    let left = of_gradient::<S, T>(simd, [g[0][0], g[1][0]]);
    let right = of_gradient::<S, T>(simd, [g[0][1], g[1][1]]);
    let mut points = [[left[0]; 4]; 4];
    for y in 0..4 {
        points[y] = of_gradient::<S, T>(simd, [left[y], right[y]]);
    }
    points
}

/// Both sides of `Aᵀ m A`.
#[inline(always)]
fn outputs<S: Simd, T: Lanes>(simd: S, m: [[T::Vector<S>; 4]; 4]) -> [[T::Vector<S>; 2]; 2] {
    let mut columns = [[m[0][0]; 2]; 4];
    for x in 0..4 {
        columns[x] = of_product::<S, T>(simd, [m[0][x], m[1][x], m[2][x], m[3][x]]);
    }
    let [a, b, c, d] = columns;
    [of_product::<S, T>(simd, [a[0], b[0], c[0], d[0]]), of_product::<S, T>(simd, [a[1], b[1], c[1], d[1]])]
}

/// `[a, (a + b + c)/2, (a - b + c)/2, c]`: one side of `G g Gᵀ`.
#[inline(always)]
fn of_kernel<T: Element>([a, b, c]: [T; 3]) -> [T; 4] {
    let half = T::from_f64(0.5);
    [a, (a + b + c) * half, (a - b + c) * half, c]
}

/// `[a + (b + c)/2, (b - c)/2, (b + c)/2 + d]`: one side of `Gᵀ u G`, the way back through [`of_kernel`].
#[inline(always)]
fn back_to_kernel<T: Element>([a, b, c, d]: [T; 4]) -> [T; 3] {
    let half = T::from_f64(0.5);
    [a + (b + c) * half, (b - c) * half, (b + c) * half + d]
}

/// `G g Gᵀ` of 3×3 weights, row after row.
#[inline(always)]
pub fn transform_kernel<T: Element>(g: [T; 9]) -> [T; POINTS] {
    let left = of_kernel([g[0], g[3], g[6]]);
    let middle = of_kernel([g[1], g[4], g[7]]);
    let right = of_kernel([g[2], g[5], g[8]]);
    let mut points = [T::zero(); POINTS];
    for y in 0..4 {
        let row = of_kernel([left[y], middle[y], right[y]]);
        points[4 * y..4 * y + 4].copy_from_slice(&row);
    }
    points
}

/// `Gᵀ u G`: the gradient of the 3×3 weights, row after row, from that of their transform.
#[inline(always)]
pub fn transform_kernel_back<T: Element>(u: [T; POINTS]) -> [T; 9] {
    let mut columns = [[T::zero(); 3]; 4];
    for (x, column) in columns.iter_mut().enumerate() {
        *column = back_to_kernel([u[x], u[4 + x], u[8 + x], u[12 + x]]);
    }
    let mut weights = [T::zero(); 9];
    for y in 0..3 {
        let row = back_to_kernel([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
        weights[3 * y..3 * y + 3].copy_from_slice(&row);
    }
    weights
}

/// Transformed patches: for each point a matrix `[patches, channels]`.
pub struct Points<'a, T> {
    pub elements: &'a mut [T],
    /// Elements from one patch to the next.
    pub stride: usize,
    /// Elements from one point to the next.
    pub between: usize,
}

impl<'a, T> Points<'a, T> {
    /// How many elements the points of some patches take.
    pub fn length(patches: usize, channels: usize) -> usize {
        POINTS * patches * Self::stride(channels) + 2 * CHANNELS
    }

    /// Rows are longer than the channels, so that points and rows use different lines of the cache.
    fn stride(channels: usize) -> usize {
        channels + CHANNELS
    }

    /// Room for some patches in elements of [`Points::length`].
    pub fn new(elements: &'a mut [T], patches: usize, channels: usize) -> Self {
        assert!(elements.len() >= Self::length(patches, channels));
        let stride = Self::stride(channels);
        Self { elements, stride, between: patches * stride }
    }

    /// Writes all points of one patch and as many channels as fit a register.
    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, patch: usize, channel: usize, values: [[T::Vector<S>; 4]; 4])
    where
        T: Lanes,
    {
        for y in 0..4 {
            for x in 0..4 {
                let at = (4 * y + x) * self.between + patch * self.stride + channel;
                T::store(simd, values[y][x], &mut self.elements[at..]);
            }
        }
    }

    /// The matrix of one point.
    pub fn point(&self, point: usize) -> &[T] {
        &self.elements[point * self.between..]
    }
}

/// `Bᵀ d B` of every patch of some strips.
pub struct TransformInput<'a, 'p, T: Element> {
    pub strips: Strips,
    pub chosen: Range<usize>,
    pub source: Source<'a, T>,
    pub domain: usize,
    pub channels: usize,
    pub points: &'a mut Points<'p, T>,
}

impl<T: Element> WithSimd for TransformInput<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { strips, chosen, source, domain, channels, points } = self;
        let lanes = T::lanes::<S>();
        let (map, normalisation) = match source {
            Source::Map(map) => (map, None),
            Source::Active(map, normalisations) => (map, Some(&normalisations[domain])),
        };
        let picture_length = strips.height * strips.width * channels;
        for (patch, (picture, row, column)) in strips.places(chosen).enumerate() {
            let map = &map[picture * picture_length..][..picture_length];
            // The patch begins one pixel before its outputs; what lies outside is zero.
            let pixels: [[_; 4]; 4] = strips.pixels([row, column], 1, channels);
            for channel in (0..channels).step_by(lanes) {
                let mut values = [[T::splat(simd, T::zero()); 4]; 4];
                for y in 0..4 {
                    for x in 0..4 {
                        if let Some(pixel) = pixels[y][x] {
                            let value = T::load(simd, &map[pixel + channel..]);
                            values[y][x] = match normalisation {
                                None => value,
                                Some(normalisation) => normalisation.activate_lanes(simd, channel, value),
                            };
                        }
                    }
                }
                let values = input_points::<S, T>(simd, values);
                points.store(simd, patch, channel, values);
            }
        }
    }
}

/// `A y Aᵀ` of every patch of some strips: the way back through [`TransformProduct`].
pub struct TransformGradient<'a, 'p, T: Element> {
    pub strips: Strips,
    pub chosen: Range<usize>,
    pub gradient: &'a [T],
    pub channels: usize,
    /// The channels that are transformed.
    pub chosen_channels: Range<usize>,
    pub points: &'a mut Points<'p, T>,
}

impl<T: Element> WithSimd for TransformGradient<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { strips, chosen, gradient, channels, chosen_channels, points } = self;
        let lanes = T::lanes::<S>();
        let picture_length = strips.height * strips.width * channels;
        for (patch, (picture, row, column)) in strips.places(chosen).enumerate() {
            let gradient = &gradient[picture * picture_length..][..picture_length];
            let pixels: [[_; 2]; 2] = strips.pixels([row, column], 0, channels);
            for channel in chosen_channels.clone().step_by(lanes) {
                let mut values = [[T::splat(simd, T::zero()); 2]; 2];
                for y in 0..2 {
                    for x in 0..2 {
                        if let Some(pixel) = pixels[y][x] {
                            values[y][x] = T::load(simd, &gradient[pixel + channel..]);
                        }
                    }
                }
                let values = gradient_points::<S, T>(simd, values);
                points.store(simd, patch, channel - chosen_channels.start, values);
            }
        }
    }
}

/// `Aᵀ m A` of every patch of some strips, written or added to those strips' pixels.
pub struct TransformProduct<'a, 'p, T: Element> {
    pub strips: Strips,
    pub chosen: Range<usize>,
    pub points: &'a Points<'p, T>,
    pub channels: usize,
    /// The pixels of the chosen strips alone.
    pub output: &'a mut [T],
    pub add: bool,
}

impl<T: Element> WithSimd for TransformProduct<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { strips, chosen, points, channels, output, add } = self;
        let lanes = T::lanes::<S>();
        let first_pixel = strips.pixel(chosen.start);
        for (patch, (picture, row, column)) in strips.places(chosen).enumerate() {
            for channel in (0..channels).step_by(lanes) {
                let mut values = [[T::splat(simd, T::zero()); 4]; 4];
                for y in 0..4 {
                    for x in 0..4 {
                        let at = (4 * y + x) * points.between + patch * points.stride + channel;
                        values[y][x] = T::load(simd, &points.elements[at..]);
                    }
                }
                let values = outputs::<S, T>(simd, values);
                for y in 0..2 {
                    for x in 0..2 {
                        let (row, column) = (2 * row + y, 2 * column + x);
                        if row < strips.height && column < strips.width {
                            let pixel = (picture * strips.height + row) * strips.width + column - first_pixel;
                            let to = &mut output[pixel * channels + channel..];
                            let value = values[y][x];
                            let value = if add { T::sum(simd, T::load(simd, to), value) } else { value };
                            T::store(simd, value, to);
                        }
                    }
                }
            }
        }
    }
}
