//! The passes of batch norm over `[rows, channels]`: two forward, two backward.
//!
//! Rows are cut into fixed blocks whose sums are added in order, in f64: the result does not depend on the number of
//! threads, and the variance of a channel far from zero does not cancel.

use rayon::prelude::*;

use super::element::{Element, scratch, vectorised};

/// Mean and biased variance per channel.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Mean, `[channels]`.
    pub mean: Vec<f64>,
    /// Variance divided by the number of rows, `[channels]`.
    pub variance: Vec<f64>,
}

/// What the backward pass computes.
pub struct Gradients<T> {
    /// Of the input, `[rows, channels]`.
    pub x: Vec<T>,
    /// Of scale and shift, `[2, channels]`.
    pub affine: Vec<T>,
}

/// Elements of one block: small enough for the first-level cache to hold the running sums beside it.
const BLOCK: usize = 16 * 1024;

/// Rows whose sums are kept in the element type before they join the f64 total.
const ROWS_PER_SUM: usize = 32;

fn rows_per_block(channels: usize) -> usize {
    (BLOCK / channels).max(ROWS_PER_SUM)
}

/// Mean and variance of every channel of `x` `[rows, channels]`.
pub fn moments<T: Element>(x: &[T], channels: usize) -> Moments {
    let rows = (x.len() / channels) as f64;
    // The variance is that of x minus its first row, which is near the mean: nothing cancels.
    let origin = &x[..channels.min(x.len())];
    let block = rows_per_block(channels) * channels;
    let sums = ordered_sum(
        channels,
        x.par_chunks(block)
            .map(|x| {
                two_sums(channels, x.len(), |at, sum: &mut [T], square: &mut [T]| {
                    let x = &x[at..at + channels];
                    for channel in 0..channels {
                        let centred = x[channel] - origin[channel];
                        sum[channel] += centred;
                        square[channel] += centred * centred;
                    }
                })
            })
            .collect(),
    );
    let (first, second) = sums.split_at(channels);
    let mean = first
        .iter()
        .zip(origin)
        .map(|(sum, origin)| origin.to_f64() + sum / rows);
    let variance = first
        .iter()
        .zip(second)
        .map(|(sum, square)| (square / rows - (sum / rows).powi(2)).max(0.0));
    Moments {
        mean: mean.collect(),
        variance: variance.collect(),
    }
}

/// `relu?((x - mean) · inverse deviation · scale + shift + shortcut?)`.
pub fn forward<T: Element>(
    x: &[T],
    affine: &[T],
    moments: &Moments,
    epsilon: f64,
    shortcut: Option<&[T]>,
    relu: bool,
) -> Vec<T> {
    let channels = affine.len() / 2;
    let (mut slope, mut mean) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for channel in 0..channels {
        let per_unit = affine[channel].to_f64() / (moments.variance[channel] + epsilon).sqrt();
        slope.push(T::from_f64(per_unit));
        mean.push(T::from_f64(moments.mean[channel]));
    }
    let mut output = scratch(x.len());
    let block = rows_per_block(channels) * channels;
    output
        .par_chunks_mut(block)
        .enumerate()
        .for_each(|(number, output)| {
            let start = number * block;
            let (slope, mean) = (&slope[..channels], &mean[..channels]);
            let shift = &affine[channels..][..channels];
            vectorised(
                #[inline(always)]
                || {
                    for (row, y) in output.chunks_exact_mut(channels).enumerate() {
                        let at = start + row * channels;
                        let x = &x[at..at + channels];
                        let y = &mut y[..channels];
                        match shortcut {
                            Some(shortcut) => {
                                let shortcut = &shortcut[at..at + channels];
                                for c in 0..channels {
                                    y[c] = (x[c] - mean[c]) * slope[c] + shift[c] + shortcut[c];
                                }
                            }
                            None => {
                                for c in 0..channels {
                                    y[c] = (x[c] - mean[c]) * slope[c] + shift[c];
                                }
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
        });
    output
}

/// The gradient before ReLU: `gradient` where the output is positive, else 0.
pub fn through_relu<T: Element>(y: &[T], gradient: &[T]) -> Vec<T> {
    let mut masked = scratch(gradient.len());
    masked
        .par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(number, masked)| {
            let at = number * BLOCK;
            let (y, gradient) = (&y[at..at + masked.len()], &gradient[at..at + masked.len()]);
            vectorised(
                #[inline(always)]
                || {
                    for ((masked, &y), &gradient) in masked.iter_mut().zip(y).zip(gradient) {
                        *masked = if y > T::zero() { gradient } else { T::zero() };
                    }
                },
            );
        });
    masked
}

/// With `x̂` the normalised input and `g` the gradient of the output:
/// `d scale = Σ g·x̂`, `d shift = Σ g`, and `dx = scale/deviation · (g - mean(g) - x̂·mean(g·x̂))`,
/// the two means being absent where mean and variance were given.
pub fn backward<T: Element>(
    x: &[T],
    affine: &[T],
    moments: &Moments,
    epsilon: f64,
    gradient: &[T],
    of_the_batch: bool,
) -> Gradients<T> {
    let channels = affine.len() / 2;
    let rows = (x.len() / channels) as f64;
    let inverse: Vec<f64> = moments
        .variance
        .iter()
        .map(|variance| 1.0 / (variance + epsilon).sqrt())
        .collect();
    let mean: Vec<T> = moments.mean.iter().map(|&mean| T::from_f64(mean)).collect();
    let block = rows_per_block(channels) * channels;
    let sums = ordered_sum(
        channels,
        x.par_chunks(block)
            .zip(gradient.par_chunks(block))
            .map(|(x, gradient)| {
                two_sums(channels, x.len(), |at, sum: &mut [T], product: &mut [T]| {
                    let (x, gradient) = (&x[at..at + channels], &gradient[at..at + channels]);
                    let mean = &mean[..channels];
                    for c in 0..channels {
                        sum[c] += gradient[c];
                        product[c] += gradient[c] * (x[c] - mean[c]);
                    }
                })
            })
            .collect(),
    );
    let (shift, product) = sums.split_at(channels);
    // dx = a·g + b·(x - mean) + d, with one a, b and d per channel.
    let [mut a, mut b, mut d] = [(); 3].map(|()| Vec::with_capacity(channels));
    for c in 0..channels {
        let slope = affine[c].to_f64() * inverse[c];
        let through_statistics = if of_the_batch { slope / rows } else { 0.0 };
        a.push(T::from_f64(slope));
        b.push(T::from_f64(
            -through_statistics * product[c] * inverse[c] * inverse[c],
        ));
        d.push(T::from_f64(-through_statistics * shift[c]));
    }
    let mut x_gradient = scratch(x.len());
    x_gradient
        .par_chunks_mut(block)
        .enumerate()
        .for_each(|(number, result)| {
            let start = number * block;
            let (a, b, d, mean) = (
                &a[..channels],
                &b[..channels],
                &d[..channels],
                &mean[..channels],
            );
            vectorised(
                #[inline(always)]
                || {
                    for (row, result) in result.chunks_exact_mut(channels).enumerate() {
                        let at = start + row * channels;
                        let (x, gradient) = (&x[at..at + channels], &gradient[at..at + channels]);
                        let result = &mut result[..channels];
                        for c in 0..channels {
                            result[c] = a[c] * gradient[c] + b[c] * (x[c] - mean[c]) + d[c];
                        }
                    }
                },
            );
        });
    let scale_gradient = product
        .iter()
        .zip(&inverse)
        .map(|(product, inverse)| T::from_f64(product * inverse));
    let shift_gradient = shift.iter().map(|&sum| T::from_f64(sum));
    Gradients {
        x: x_gradient,
        affine: scale_gradient.chain(shift_gradient).collect(),
    }
}

/// Two sums per channel over one block: `add` is called with the offset of every row and adds that row's terms.
#[inline(always)]
fn two_sums<T: Element>(
    channels: usize,
    length: usize,
    add: impl Fn(usize, &mut [T], &mut [T]),
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
