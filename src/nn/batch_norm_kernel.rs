//! The passes of batch norm over `[rows, channels]`: two forward, two backward.
//!
//! Rows are cut into fixed blocks whose sums are added in order, in f64: the result does not depend on the number of
//! threads, and the variance of a channel far from zero does not cancel.

use rayon::prelude::*;

use super::element::{Element, vectorised};
use super::profile::{Kind, timed};

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
    mean: Vec<T>,
    /// `scale / deviation`.
    slope: Vec<T>,
    shift: Vec<T>,
    inverse_deviation: Vec<f64>,
}

impl<T: Element> Normalisation<T> {
    /// From scale and shift `[2, channels]`; `epsilon` is added to the variance.
    pub fn new(affine: &[T], moments: &Moments, epsilon: f64) -> Self {
        let (scale, shift) = affine.split_at(affine.len() / 2);
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

    fn channels(&self) -> usize {
        self.mean.len()
    }
}

/// Where the ReLU behind the normalisation lets the gradient through.
#[derive(Clone, Copy)]
pub enum Open<'a, T> {
    /// There is no ReLU.
    Everywhere,
    /// Where this, its output, is positive.
    WherePositive(&'a [T]),
    /// Where the normalised input is positive: computed again rather than kept.
    WhereActive,
}

/// Elements of one block: small enough for the first-level cache to hold the running sums beside it.
const BLOCK: usize = 16 * 1024;

/// Rows whose sums are kept in the element type before they join the f64 total.
const ROWS_PER_SUM: usize = 32;

/// The length of a block of whole rows.
fn block(channels: usize) -> usize {
    (BLOCK / channels).max(ROWS_PER_SUM) * channels
}

/// Mean and variance of every channel of `x` `[rows, channels]`.
pub fn moments<T: Element>(x: &[T], channels: usize) -> Moments {
    timed(Kind::NormForward, || {
        let count = x.len() / channels;
        let rows = count as f64;
        // The variance is that of x minus its first row, which is near the mean: nothing cancels.
        let origin = &x[..channels.min(x.len())];
        let blocks: Vec<_> = x
            .par_chunks(block(channels))
            .map(|x| {
                two_sums(
                    channels,
                    x.len(),
                    #[inline(always)]
                    |at, sum: &mut [T], square: &mut [T]| {
                        let x = &x[at..at + channels];
                        for channel in 0..channels {
                            let centred = x[channel] - origin[channel];
                            sum[channel] += centred;
                            square[channel] += centred * centred;
                        }
                    },
                )
            })
            .collect();
        let sums = ordered_sum(channels, blocks);
        let (first, second) = sums.split_at(channels);
        let mean = first.iter().zip(origin).map(|(sum, origin)| origin.to_f64() + sum / rows);
        let variance =
            first.iter().zip(second).map(|(sum, square)| (square / rows - (sum / rows).powi(2)).max(0.0));
        Moments { mean: mean.collect(), variance: variance.collect(), rows: count }
    })
}

/// `relu?((x - mean) · slope + shift + shortcut?)`.
pub fn forward<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    shortcut: Option<&[T]>,
    relu: bool,
    output: &mut [T],
) {
    timed(Kind::NormForward, || {
        let block = block(normalisation.channels());
        output.par_chunks_mut(block).enumerate().for_each(|(number, output)| {
            let at = number * block..number * block + output.len();
            let shortcut = shortcut.map(|shortcut| &shortcut[at.clone()]);
            normalise(&x[at], normalisation, shortcut, relu, output);
        });
    })
}

fn normalise<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    shortcut: Option<&[T]>,
    relu: bool,
    output: &mut [T],
) {
    let channels = normalisation.channels();
    let mean = &normalisation.mean[..channels];
    let slope = &normalisation.slope[..channels];
    let shift = &normalisation.shift[..channels];
    vectorised(
        #[inline(always)]
        || {
            for (row, y) in output.chunks_exact_mut(channels).enumerate() {
                let at = row * channels;
                let x = &x[at..at + channels];
                let y = &mut y[..channels];
                for c in 0..channels {
                    y[c] = (x[c] - mean[c]) * slope[c] + shift[c];
                }
                if let Some(shortcut) = shortcut {
                    let shortcut = &shortcut[at..at + channels];
                    for c in 0..channels {
                        y[c] += shortcut[c];
                    }
                }
                if relu {
                    for y in y {
                        *y = y.at_least(T::zero());
                    }
                }
            }
        },
    );
}

/// With `x̂` the normalised input and `g` the gradient behind ReLU:
/// `d scale = Σ g·x̂`, `d shift = Σ g`, and `dx = slope · (g - mean(g) - x̂·mean(g·x̂))`,
/// the two means being absent where mean and variance were given (`of_the_batch` is false).
///
/// `gradient` becomes `g`. `dx` goes to `result`, or over `gradient` if there is none. Returns `[d scale, d shift]`.
pub fn backward<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    open: Open<T>,
    of_the_batch: bool,
    gradient: &mut [T],
    result: Option<&mut [T]>,
) -> Vec<T> {
    timed(Kind::NormBackward, || {
        let channels = normalisation.channels();
        let sums = close_and_sum(x, normalisation, open, gradient);
        let (shift, product) = sums.split_at(channels);
        let rows = (x.len() / channels) as f64;
        // dx = slope·g + b·(x - mean) + d, with one b and d per channel.
        let (mut b, mut d) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
        for c in 0..channels {
            let inverse = normalisation.inverse_deviation[c];
            let through_statistics = if of_the_batch { -normalisation.slope[c].to_f64() / rows } else { 0.0 };
            b.push(T::from_f64(through_statistics * product[c] * inverse * inverse));
            d.push(T::from_f64(through_statistics * shift[c]));
        }
        let (b, d) = (&b[..], &d[..]);
        let block = block(channels);
        match result {
            Some(result) => {
                let pairs =
                    result.par_chunks_mut(block).zip(gradient.par_chunks(block)).zip(x.par_chunks(block));
                pairs.for_each(|((result, gradient), x)| {
                    result.copy_from_slice(gradient);
                    combine(x, normalisation, b, d, result);
                });
            }
            None => {
                let pairs = gradient.par_chunks_mut(block).zip(x.par_chunks(block));
                pairs.for_each(|(gradient, x)| combine(x, normalisation, b, d, gradient));
            }
        }
        let inverse = &normalisation.inverse_deviation;
        let scale_gradient =
            product.iter().zip(inverse).map(|(product, inverse)| T::from_f64(product * inverse));
        scale_gradient.chain(shift.iter().map(|&sum| T::from_f64(sum))).collect()
    })
}

/// Closes `gradient` where ReLU was closed; returns `Σ g` and `Σ g·(x - mean)` per channel.
fn close_and_sum<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    open: Open<T>,
    gradient: &mut [T],
) -> Vec<f64> {
    let channels = normalisation.channels();
    let (mean, slope, shift) =
        (&normalisation.mean[..channels], &normalisation.slope[..channels], &normalisation.shift[..channels]);
    let block = block(channels);
    let blocks: Vec<_> = gradient
        .par_chunks_mut(block)
        .zip(x.par_chunks(block))
        .enumerate()
        .map(|(number, (gradient, x))| {
            let start = number * block;
            two_sums(
                channels,
                x.len(),
                #[inline(always)]
                |at, sum: &mut [T], product: &mut [T]| {
                    let x = &x[at..at + channels];
                    let gradient = &mut gradient[at..at + channels];
                    match open {
                        Open::Everywhere => {}
                        Open::WherePositive(output) => {
                            let output = &output[start + at..start + at + channels];
                            for c in 0..channels {
                                gradient[c] = if output[c] > T::zero() { gradient[c] } else { T::zero() };
                            }
                        }
                        Open::WhereActive => {
                            for c in 0..channels {
                                let output = (x[c] - mean[c]) * slope[c] + shift[c];
                                gradient[c] = if output > T::zero() { gradient[c] } else { T::zero() };
                            }
                        }
                    }
                    for c in 0..channels {
                        sum[c] += gradient[c];
                        product[c] += gradient[c] * (x[c] - mean[c]);
                    }
                },
            )
        })
        .collect();
    ordered_sum(channels, blocks)
}

/// `gradient ← slope·gradient + b·(x - mean) + d`.
fn combine<T: Element>(x: &[T], normalisation: &Normalisation<T>, b: &[T], d: &[T], gradient: &mut [T]) {
    let channels = normalisation.channels();
    let (mean, slope) = (&normalisation.mean[..channels], &normalisation.slope[..channels]);
    let (b, d) = (&b[..channels], &d[..channels]);
    vectorised(
        #[inline(always)]
        || {
            for (row, gradient) in gradient.chunks_exact_mut(channels).enumerate() {
                let x = &x[row * channels..][..channels];
                let gradient = &mut gradient[..channels];
                for c in 0..channels {
                    gradient[c] = slope[c] * gradient[c] + b[c] * (x[c] - mean[c]) + d[c];
                }
            }
        },
    );
}

/// Two sums per channel over one block: `add` is called with the offset of every row and adds that row's terms.
#[inline(always)]
fn two_sums<T: Element>(
    channels: usize,
    length: usize,
    mut add: impl FnMut(usize, &mut [T], &mut [T]),
) -> Vec<f64> {
    let mut total = vec![0.0; 2 * channels];
    let mut partial = vec![T::zero(); 2 * channels];
    vectorised(
        #[inline(always)]
        || {
            let mut start = 0;
            while start < length {
                let end = length.min(start + ROWS_PER_SUM * channels);
                partial.fill(T::zero());
                let (first, second) = partial.split_at_mut(channels);
                let mut at = start;
                while at < end {
                    add(at, &mut first[..channels], &mut second[..channels]);
                    at += channels;
                }
                for (total, partial) in total.iter_mut().zip(&partial) {
                    *total += partial.to_f64();
                }
                start = end;
            }
        },
    );
    total
}

/// Adds the sums of the blocks in their order.
fn ordered_sum(channels: usize, blocks: Vec<Vec<f64>>) -> Vec<f64> {
    let mut total = vec![0.0; 2 * channels];
    for block in blocks {
        for (total, part) in total.iter_mut().zip(block) {
            *total += part;
        }
    }
    total
}
