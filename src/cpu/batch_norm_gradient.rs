//! Batch norm over `[rows, channels]`, backwards: the sums over all rows, then the gradient.

use pulp::Simd;
use rayon::prelude::*;

use super::batch_norm::{Normalisation, Terms, block, ordered_sum, two_sums};
use super::element::{Element, vectorised};
use crate::device::profile::timed;

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

impl<'a, T> Open<'a, T> {
    /// The same for some of the elements.
    pub fn part(self, elements: std::ops::Range<usize>) -> Self {
        match self {
            Self::WherePositive(output) => Self::WherePositive(&output[elements]),
            other => other,
        }
    }
}

/// `Σ g` and `Σ g·(x - mean)` per channel, with `g` the gradient behind ReLU.
pub struct GradientSums(Vec<f64>);

impl GradientSums {
    /// The sum of those of all tiles, in their order.
    pub fn of_all(channels: usize, tiles: Vec<Self>) -> Self {
        Self(ordered_sum(channels, tiles.into_iter().map(|tile| tile.0).collect()))
    }

    /// Closes `gradient`, the gradient behind ReLU, where ReLU was closed, and takes the sums.
    pub fn close<T: Element>(
        x: &[T],
        normalisation: &Normalisation<T>,
        open: Open<T>,
        gradient: &mut [T],
    ) -> Self {
        timed("batch norm, backward", || {
            let channels = normalisation.channels();
            let block = block(channels);
            let blocks = gradient.par_chunks_mut(block).zip(x.par_chunks(block)).enumerate();
            let sums = blocks.map(|(number, (gradient, x))| {
                let open = open.part(number * block..number * block + x.len());
                Self::close_tile(x, normalisation, open, gradient)
            });
            Self::of_all(channels, sums.collect())
        })
    }

    /// The same for a few rows that are in the cache.
    pub fn close_tile<T: Element>(
        x: &[T],
        normalisation: &Normalisation<T>,
        open: Open<T>,
        gradient: &mut [T],
    ) -> Self {
        let length = x.len();
        assert_eq!(gradient.len(), length);
        Self(two_sums(normalisation.channels(), length, Closed { x, normalisation, open, gradient }))
    }

    /// With `x̂` the normalised input: `d scale = Σ g·x̂`, `d shift = Σ g`, as `[d scale, d shift]`.
    pub fn of_affine<T: Element>(
        &self,
        normalisation: &Normalisation<T>,
    ) -> impl Iterator<Item = T> + use<'_, T> {
        let (shift, product) = self.0.split_at(normalisation.channels());
        let inverse = normalisation.inverse_deviation.clone();
        let scale = product.iter().zip(inverse).map(|(product, inverse)| T::from_f64(product * inverse));
        scale.chain(shift.iter().map(|&sum| T::from_f64(sum)))
    }
}

/// `g` and `g·(x - mean)`; `g` is written to `gradient`.
struct Closed<'a, T> {
    x: &'a [T],
    normalisation: &'a Normalisation<T>,
    open: Open<'a, T>,
    gradient: &'a mut [T],
}

impl<T: Element> Terms<T> for Closed<'_, T> {
    #[inline(always)]
    fn of_lanes<S: Simd>(&mut self, simd: S, at: usize, channel: usize) -> [T::Vector<S>; 2] {
        let load = |of: &[T], at: usize| T::load(simd, &of[at..]);
        let centred = T::difference(simd, load(self.x, at), load(&self.normalisation.mean, channel));
        let mut gradient = load(self.gradient, at);
        match self.open {
            Open::Everywhere => {}
            Open::WherePositive(output) => {
                gradient = T::where_positive(simd, load(output, at), gradient);
            }
            Open::WhereActive => {
                let slope = load(&self.normalisation.slope, channel);
                let shift = load(&self.normalisation.shift, channel);
                let output = T::multiply_add(simd, centred, slope, shift);
                gradient = T::where_positive(simd, output, gradient);
            }
        }
        T::store(simd, gradient, &mut self.gradient[at..]);
        [gradient, T::product(simd, gradient, centred)]
    }

    #[inline(always)]
    fn of_one(&mut self, at: usize, channel: usize) -> [T; 2] {
        let Normalisation { mean, slope, shift, .. } = self.normalisation;
        let centred = self.x[at] - mean[channel];
        let is_open = match self.open {
            Open::Everywhere => true,
            Open::WherePositive(output) => output[at] > T::zero(),
            Open::WhereActive => centred * slope[channel] + shift[channel] > T::zero(),
        };
        if !is_open {
            self.gradient[at] = T::zero();
        }
        let gradient = self.gradient[at];
        [gradient, gradient * centred]
    }
}

/// `dx = slope · (g - mean(g) - x̂·mean(g·x̂))`, the two means being absent where mean and variance were given
/// (`of_the_batch` is false).
///
/// `gradient` is `g`; `dx` goes to `result`, or over `gradient` if there is none.
pub fn backward<T: Element>(
    x: &[T],
    normalisation: &Normalisation<T>,
    sums: &GradientSums,
    of_the_batch: bool,
    gradient: &mut [T],
    result: Option<&mut [T]>,
) {
    timed("batch norm, backward", || {
        let channels = normalisation.channels();
        let (shift, product) = sums.0.split_at(channels);
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
    })
}

/// `dx = slope · g` in place, where mean and variance were given and nothing else is wanted.
pub fn backward_given<T: Element>(gradient: &mut [T], normalisation: &Normalisation<T>) {
    let channels = normalisation.channels();
    gradient.par_chunks_mut(block(channels)).for_each(|rows| {
        for row in rows.chunks_exact_mut(channels) {
            for (gradient, &slope) in row.iter_mut().zip(&normalisation.slope) {
                *gradient *= slope;
            }
        }
    });
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
