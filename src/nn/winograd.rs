//! Winograd's minimal filtering F(2×2, 3×3) (Lavin & Gray 2016): 16 products where a 3×3 kernel needs 36.
//!
//! A 4×4 patch of the input gives 2×2 outputs: `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`. Over all channels and patches, ⊙ is
//! sixteen matrix products. All factors are 0, ±1 and ±½, so the error in f32 is that of the plain sum.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::conv_shape::ConvShape;
use super::element::Element;
use super::gather::Source;
use super::lanes::Lanes;

/// Numbers of a transformed patch, and so matrix products.
pub const POINTS: usize = 16;

/// Channels come in multiples of the widest register.
const CHANNELS: usize = 16;

/// Whether the convolution can be computed this way.
pub fn applies(shape: &ConvShape) -> bool {
    shape.kernel_height == 3
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

/// `G g Gᵀ` of the 3×3 weights `g(row, column)`, row after row.
#[inline(always)]
pub fn transform_kernel<T: Element>(g: impl Fn(usize, usize) -> T) -> [T; POINTS] {
    let columns: [[T; 4]; 3] = std::array::from_fn(|x| of_kernel(std::array::from_fn(|y| g(y, x))));
    let rows: [[T; 4]; 4] = std::array::from_fn(|y| of_kernel(columns.map(|column| column[y])));
    std::array::from_fn(|point| rows[point / 4][point % 4])
}

/// `Gᵀ u G`: the gradient of the 3×3 weights, row after row, from that of their transform.
#[inline(always)]
pub fn transform_kernel_back<T: Element>(u: [T; POINTS]) -> [T; 9] {
    let columns: [[T; 3]; 4] = std::array::from_fn(|x| back_to_kernel(std::array::from_fn(|y| u[4 * y + x])));
    let rows: [[T; 3]; 3] = std::array::from_fn(|y| back_to_kernel(columns.map(|column| column[y])));
    std::array::from_fn(|tap| rows[tap / 3][tap % 3])
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

impl<T: Element> TransformInput<'_, '_, T> {
    /// Computes them.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
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
            let inside = |y: usize, x: usize| {
                let (y, x) = ((2 * row + y).wrapping_sub(1), (2 * column + x).wrapping_sub(1));
                (y < strips.height && x < strips.width).then(|| (y * strips.width + x) * channels)
            };
            let pixels: [[Option<usize>; 4]; 4] =
                std::array::from_fn(|y| std::array::from_fn(|x| inside(y, x)));
            for channel in (0..channels).step_by(lanes) {
                let load = |pixel: Option<usize>| {
                    let Some(pixel) = pixel else { return T::splat(simd, T::zero()) };
                    let x = T::load(simd, &map[pixel + channel..]);
                    match normalisation {
                        None => x,
                        Some(normalisation) => normalisation.activate_lanes(simd, channel, x),
                    }
                };
                let columns: [[_; 4]; 4] = std::array::from_fn(|x| {
                    of_input::<S, T>(simd, std::array::from_fn(|y| load(pixels[y][x])))
                });
                for y in 0..4 {
                    let values = of_input::<S, T>(simd, columns.map(|column| column[y]));
                    for (x, value) in values.into_iter().enumerate() {
                        let at = (4 * y + x) * points.between + patch * points.stride + channel;
                        T::store(simd, value, &mut points.elements[at..]);
                    }
                }
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
    pub points: &'a mut Points<'p, T>,
}

impl<T: Element> TransformGradient<'_, '_, T> {
    /// Computes them.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl<T: Element> WithSimd for TransformGradient<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { strips, chosen, gradient, channels, points } = self;
        let lanes = T::lanes::<S>();
        for (patch, (picture, row, column)) in strips.places(chosen).enumerate() {
            let inside = |y: usize, x: usize| {
                let (y, x) = (2 * row + y, 2 * column + x);
                (y < strips.height && x < strips.width)
                    .then(|| ((picture * strips.height + y) * strips.width + x) * channels)
            };
            let pixels: [[Option<usize>; 2]; 2] =
                std::array::from_fn(|y| std::array::from_fn(|x| inside(y, x)));
            for channel in (0..channels).step_by(lanes) {
                let load = |pixel: Option<usize>| match pixel {
                    Some(pixel) => T::load(simd, &gradient[pixel + channel..]),
                    None => T::splat(simd, T::zero()),
                };
                let columns: [[_; 4]; 2] = std::array::from_fn(|x| {
                    of_gradient::<S, T>(simd, std::array::from_fn(|y| load(pixels[y][x])))
                });
                for y in 0..4 {
                    let values = of_gradient::<S, T>(simd, columns.map(|column| column[y]));
                    for (x, value) in values.into_iter().enumerate() {
                        let at = (4 * y + x) * points.between + patch * points.stride + channel;
                        T::store(simd, value, &mut points.elements[at..]);
                    }
                }
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

impl<T: Element> TransformProduct<'_, '_, T> {
    /// Computes them.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
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
                let load = |point: usize| {
                    T::load(
                        simd,
                        &points.elements[point * points.between + patch * points.stride + channel..],
                    )
                };
                let columns: [[_; 2]; 4] = std::array::from_fn(|x| {
                    of_product::<S, T>(simd, std::array::from_fn(|y| load(4 * y + x)))
                });
                for y in 0..2 {
                    let values = of_product::<S, T>(simd, columns.map(|column| column[y]));
                    for (x, value) in values.into_iter().enumerate() {
                        let (y, x) = (2 * row + y, 2 * column + x);
                        if y < strips.height && x < strips.width {
                            let pixel = (picture * strips.height + y) * strips.width + x - first_pixel;
                            let to = &mut output[pixel * channels + channel..];
                            let value = if add { T::sum(simd, T::load(simd, to), value) } else { value };
                            T::store(simd, value, to);
                        }
                    }
                }
            }
        }
    }
}
