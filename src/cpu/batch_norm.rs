//! Batch norm over `[rows, channels]`, forwards: moments, then the normalisation.
//!
//! Rows are cut into fixed blocks whose sums are added in order, in f64: the result does not depend on the number of
//! threads, and the variance of a channel far from zero does not cancel.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::element::{Element, vectorised};
use crate::device::profile::timed;

/// The weight of a new batch in the running statistics, as in PyTorch.
pub const MOMENTUM: f64 = 0.1;

/// Added to the variance, as in PyTorch.
pub const EPSILON: f64 = 1e-5;

/// Mean and biased variance per channel.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Mean, `[channels]`.
    pub mean: Vec<f64>,
    /// Variance divided by the number of rows, `[channels]`.
    pub variance: Vec<f64>,
    /// The number of rows that they were taken over.
    pub rows: usize,
}

/// One normalisation with its scale and shift, ready to be applied.
pub struct Normalisation<T> {
    pub(crate) mean: Vec<T>,
    /// `scale / deviation`.
    pub(crate) slope: Vec<T>,
    pub(crate) shift: Vec<T>,
    pub(crate) inverse_deviation: Vec<f64>,
}

impl<T: Element> Normalisation<T> {
    /// From scale and shift, each `[channels]`; `epsilon` is added to the variance.
    pub fn new((scale, shift): (&[T], &[T]), moments: &Moments, epsilon: f64) -> Self {
        let inverse_deviation: Vec<f64> =
            moments.variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        let slope = scale.iter().zip(&inverse_deviation).map(|(scale, inverse)| scale.to_f64() * inverse);
        Self {
            slope: slope.map(T::from_f64).collect(),
            mean: moments.mean.iter().map(|&mean| T::from_f64(mean)).collect(),
            shift: shift.to_vec(),
            inverse_deviation,
        }
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// `relu(norm(x))` of as many channels as fit a register, from `channel` on.
    #[inline(always)]
    pub fn activate_lanes<S: Simd>(&self, simd: S, channel: usize, x: T::Vector<S>) -> T::Vector<S> {
        let constant = |of: &[T]| T::load(simd, &of[channel..]);
        let centred = T::difference(simd, x, constant(&self.mean));
        let normalised = T::multiply_add(simd, centred, constant(&self.slope), constant(&self.shift));
        T::positive_part(simd, normalised)
    }

    /// `relu(norm(x))` of some channels of one pixel.
    #[inline(always)]
    pub fn activate(&self, x: &[T], channels: std::ops::Range<usize>, active: &mut [T]) {
        let count = channels.len();
        let (mean, slope) = (&self.mean[channels.clone()], &self.slope[channels.clone()]);
        let (shift, x, active) = (&self.shift[channels], &x[..count], &mut active[..count]);
        for c in 0..count {
            active[c] = ((x[c] - mean[c]) * slope[c] + shift[c]).at_least(T::zero());
        }
    }
}

/// Elements of one block: small enough for the first-level cache to hold the running sums beside it.
const BLOCK: usize = 16 * 1024;

/// Rows whose sums are kept in the element type before they join the f64 total.
const ROWS_PER_SUM: usize = 32;

/// The length of a block of whole rows.
pub(crate) fn block(channels: usize) -> usize {
    (BLOCK / channels).max(ROWS_PER_SUM) * channels
}

/// Mean and variance of every channel of a few rows; they are to be joined by [`Moments::of_all`].
pub fn moments_of_tile<T: Element>(x: &[T], channels: usize) -> Moments {
    let count = x.len() / channels;
    let rows = count as f64;
    // The variance is that of x minus its first row, which is near the mean: nothing cancels.
    let origin = &x[..channels.min(x.len())];
    let sums = two_sums(channels, x.len(), AroundOrigin { x, origin });
    let (first, second) = sums.split_at(channels);
    let mean = first.iter().zip(origin).map(|(sum, origin)| origin.to_f64() + sum / rows);
    let variance =
        first.iter().zip(second).map(|(sum, square)| (square / rows - (sum / rows).powi(2)).max(0.0));
    Moments { mean: mean.collect(), variance: variance.collect(), rows: count }
}

/// `x - origin` and its square.
struct AroundOrigin<'a, T> {
    x: &'a [T],
    origin: &'a [T],
}

impl<T: Element> Terms<T> for AroundOrigin<'_, T> {
    #[inline(always)]
    fn of_lanes<S: Simd>(&mut self, simd: S, at: usize, channel: usize) -> [T::Vector<S>; 2] {
        let origin = T::load(simd, &self.origin[channel..]);
        let centred = T::difference(simd, T::load(simd, &self.x[at..]), origin);
        [centred, T::product(simd, centred, centred)]
    }

    #[inline(always)]
    fn of_one(&mut self, at: usize, channel: usize) -> [T; 2] {
        let centred = self.x[at] - self.origin[channel];
        [centred, centred * centred]
    }
}

impl Moments {
    /// The moments of all rows from those of parts, in their order (Chan et al. 1983).
    pub fn of_all(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or(Self { mean: Vec::new(), variance: Vec::new(), rows: 0 });
        for part in parts {
            let rows = all.rows + part.rows;
            let weight = part.rows as f64 / rows as f64;
            for channel in 0..all.mean.len() {
                let difference = part.mean[channel] - all.mean[channel];
                let variance = all.variance[channel];
                all.mean[channel] += weight * difference;
                all.variance[channel] +=
                    weight * (part.variance[channel] - variance + (1.0 - weight) * difference * difference);
            }
            all.rows = rows;
        }
        all
    }
}

/// `relu?((x - mean) · slope + shift + shortcut?)`.
pub fn forward<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    shortcut: Option<&[T]>,
    relu: bool,
    output: &mut [T],
) {
    timed("batch norm, forward", || {
        let block = block(normalisation.channels());
        output.par_chunks_mut(block).enumerate().for_each(|(number, output)| {
            let at = number * block..number * block + output.len();
            let shortcut = shortcut.map(|shortcut| &shortcut[at.clone()]);
            output.copy_from_slice(&x[at]);
            normalise_tile(output, normalisation, shortcut, relu);
        });
    })
}

/// The same in place, for a few rows that are in the cache.
pub fn normalise_tile<T: Element>(
    x: &mut [T],
    normalisation: &Normalisation<T>,
    shortcut: Option<&[T]>,
    relu: bool,
) {
    let channels = normalisation.channels();
    let mean = &normalisation.mean[..channels];
    let slope = &normalisation.slope[..channels];
    let shift = &normalisation.shift[..channels];
    vectorised(
        #[inline(always)]
        || {
            for (row, x) in x.chunks_exact_mut(channels).enumerate() {
                for c in 0..channels {
                    x[c] = (x[c] - mean[c]) * slope[c] + shift[c];
                }
                if let Some(shortcut) = shortcut {
                    let shortcut = &shortcut[row * channels..][..channels];
                    for c in 0..channels {
                        x[c] += shortcut[c];
                    }
                }
                if relu {
                    for x in x {
                        *x = x.at_least(T::zero());
                    }
                }
            }
        },
    );
}

/// The terms of two sums per channel, for as many channels as fit a register and for one.
pub(crate) trait Terms<T: Element> {
    /// The terms of the element at `at` and those behind it, which belong to `channel` and those behind it.
    fn of_lanes<S: Simd>(&mut self, simd: S, at: usize, channel: usize) -> [T::Vector<S>; 2];
    /// The terms of the element at `at`, which belongs to `channel`.
    fn of_one(&mut self, at: usize, channel: usize) -> [T; 2];
}

/// Two sums per channel over a block of whole rows with `length` elements.
pub(crate) fn two_sums<T: Element>(channels: usize, length: usize, terms: impl Terms<T>) -> Vec<f64> {
    struct Run<T, A> {
        channels: usize,
        length: usize,
        terms: A,
        element: std::marker::PhantomData<T>,
    }
    impl<T: Element, A: Terms<T>> WithSimd for Run<T, A> {
        type Output = Vec<f64>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f64> {
            let (channels, lanes) = (self.channels, T::lanes::<S>());
            let mut total = vec![0.0; 2 * channels];
            let mut partial = vec![T::zero(); 2 * channels];
            let whole = channels / lanes * lanes;
            let mut start = 0;
            while start < self.length {
                let end = self.length.min(start + ROWS_PER_SUM * channels);
                partial.fill(T::zero());
                let (first, second) = partial.split_at_mut(channels);
                while start < end {
                    for channel in (0..whole).step_by(lanes) {
                        let [a, b] = self.terms.of_lanes(simd, start + channel, channel);
                        let (first, second) = (&mut first[channel..], &mut second[channel..]);
                        T::store(simd, T::sum(simd, T::load(simd, first), a), first);
                        T::store(simd, T::sum(simd, T::load(simd, second), b), second);
                    }
                    for channel in whole..channels {
                        let [a, b] = self.terms.of_one(start + channel, channel);
                        first[channel] += a;
                        second[channel] += b;
                    }
                    start += channels;
                }
                for (total, partial) in total.iter_mut().zip(&partial) {
                    *total += partial.to_f64();
                }
            }
            total
        }
    }
    Arch::new().dispatch(Run { channels, length, terms, element: std::marker::PhantomData })
}

/// Adds the sums of the blocks in their order.
pub(crate) fn ordered_sum(channels: usize, blocks: Vec<Vec<f64>>) -> Vec<f64> {
    let mut total = vec![0.0; 2 * channels];
    for block in blocks {
        for (total, part) in total.iter_mut().zip(block) {
            *total += part;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::batch_norm_gradient::{GradientSums, Open, backward};

    /// 700 rows are several blocks; a mean of 1000 would cancel in a sum of squares.
    #[test]
    fn blocks_of_rows_are_normalised_as_one() {
        let (rows, channels) = (700, 19);
        let x: Vec<f64> = (0..rows * channels).map(|i| 1000.0 + (0.37 * i as f64).sin()).collect();
        let of = |c: usize| x.iter().skip(c).step_by(channels);
        let mean: Vec<f64> = (0..channels).map(|c| of(c).sum::<f64>() / rows as f64).collect();
        let variance: Vec<f64> =
            (0..channels).map(|c| of(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / rows as f64).collect();
        let tiles = x.chunks(block(channels)).map(|tile| moments_of_tile(tile, channels));
        let found = Moments::of_all(tiles.collect());
        for c in 0..channels {
            assert!((found.mean[c] - mean[c]).abs() < 1e-9, "mean of channel {c}: {}", found.mean[c]);
            assert!((found.variance[c] - variance[c]).abs() < 1e-9, "variance of channel {c}");
        }

        let (scale, shift) = (vec![1.5; channels], vec![-0.2; channels]);
        let normalisation = Normalisation::new((&scale, &shift), &found, EPSILON);
        let mut output = vec![f64::NAN; x.len()];
        forward(&x, &normalisation, None, true, &mut output);
        let hat = |at: usize| (x[at] - mean[at % channels]) / (variance[at % channels] + EPSILON).sqrt();
        for (at, found) in output.iter().enumerate() {
            let expected = (1.5 * hat(at) - 0.2).max(0.0);
            assert!((found - expected).abs() < 1e-6, "element {at}: expected {expected}, found {found}");
        }

        let mut gradient: Vec<f64> = (0..x.len()).map(|i| (0.11 * i as f64).cos()).collect();
        let open: Vec<f64> =
            gradient.iter().zip(&output).map(|(g, y)| if *y > 0.0 { *g } else { 0.0 }).collect();
        let sums = GradientSums::close(&x, &normalisation, Open::WhereActive, &mut gradient);
        assert_eq!(gradient, open);
        backward(&x, &normalisation, &sums, true, &mut gradient, None);
        for (c, spread) in variance.iter().enumerate() {
            let at = |row: usize| row * channels + c;
            let means = [
                (0..rows).map(|row| open[at(row)]).sum::<f64>() / rows as f64,
                (0..rows).map(|row| open[at(row)] * hat(at(row))).sum::<f64>() / rows as f64,
            ];
            let slope = 1.5 / (spread + EPSILON).sqrt();
            for at in (0..rows).map(at) {
                let expected = slope * (open[at] - means[0] - hat(at) * means[1]);
                assert!((gradient[at] - expected).abs() < 1e-6, "element {at}: {expected}, {}", gradient[at]);
            }
        }
    }
}
