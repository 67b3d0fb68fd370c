//! The loops of max-pooling 3×3 with stride 2 and padding 1, forwards and backwards.

use rayon::prelude::*;

use super::element::{Element, vectorised};
use crate::device::profile::timed;

pub(crate) const KERNEL: usize = 3;
pub(crate) const STRIDE: usize = 2;
pub(crate) const PADDING: usize = 1;

/// Height, width and channels of the input.
pub(crate) type Dims = (usize, usize, usize);

/// Rows or columns of the output.
pub(crate) fn pooled(size: usize) -> usize {
    size.div_ceil(STRIDE)
}

/// The input pixels under the window of an output row or column.
fn window(position: usize, size: usize) -> std::ops::Range<usize> {
    (position * STRIDE).saturating_sub(PADDING)..(position * STRIDE + KERNEL - PADDING).min(size)
}

/// Writes the maxima of `input` to `output`.
pub(crate) fn forward<T: Element>(input: &[T], (height, width, channels): Dims, output: &mut [T]) {
    timed("pooling", || {
        let (rows, columns) = (pooled(height), pooled(width));
        output.par_chunks_mut(columns * channels).enumerate().for_each(|(line, output)| {
            let picture = &input[line / rows * height * width * channels..][..height * width * channels];
            vectorised(
                #[inline(always)]
                || {
                    for (column, output) in output.chunks_exact_mut(channels).enumerate() {
                        let (ys, xs) = (window(line % rows, height), window(column, width));
                        output.copy_from_slice(
                            &picture[(ys.start * width + xs.start) * channels..][..channels],
                        );
                        for y in ys {
                            for x in xs.clone() {
                                let pixel = &picture[(y * width + x) * channels..][..channels];
                                for (largest, &value) in output.iter_mut().zip(pixel) {
                                    *largest = largest.at_least(value);
                                }
                            }
                        }
                    }
                },
            );
        });
    })
}

/// Writes the gradient of the input to `result`: each output's goes to the first pixel that has the maximum.
pub(crate) fn backward<T: Element>(
    input: &[T],
    output: &[T],
    gradient: &[T],
    (height, width, channels): Dims,
    result: &mut [T],
) {
    timed("pooling", || {
        let (rows, columns) = (pooled(height), pooled(width));
        let picture = height * width * channels;
        result.par_chunks_mut(picture).enumerate().for_each(|(n, result)| {
            let input = &input[n * picture..][..picture];
            let mut left = vec![T::zero(); channels];
            result.fill(T::zero());
            vectorised(
                #[inline(always)]
                || {
                    for row in 0..rows {
                        for column in 0..columns {
                            let at = ((n * rows + row) * columns + column) * channels;
                            let largest = &output[at..at + channels];
                            left.copy_from_slice(&gradient[at..at + channels]);
                            let left = &mut left[..channels];
                            for y in window(row, height) {
                                for x in window(column, width) {
                                    let pixel = (y * width + x) * channels;
                                    let values = &input[pixel..pixel + channels];
                                    let result = &mut result[pixel..pixel + channels];
                                    for channel in 0..channels {
                                        let here = values[channel] == largest[channel];
                                        result[channel] += if here { left[channel] } else { T::zero() };
                                        left[channel] = if here { T::zero() } else { left[channel] };
                                    }
                                }
                            }
                        }
                    }
                },
            );
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_has_its_maximum_and_gives_its_gradient_to_the_first() {
        let (batch, height, width, channels) = (2, 5, 8, 3);
        // Few different values, so that maxima tie.
        let input: Vec<f64> = (0..batch * height * width * channels).map(|i| (i * 7 % 5) as f64).collect();
        let (rows, columns) = (pooled(height), pooled(width));
        let gradient: Vec<f64> = (0..batch * rows * columns * channels).map(|i| (i as f64).sin()).collect();
        let (mut maxima, mut expected) = (vec![f64::MIN; gradient.len()], vec![0.0; input.len()]);
        for at in 0..gradient.len() {
            let (position, channel) = (at / channels, at % channels);
            let (n, y, x) = (position / (rows * columns), position / columns % rows, position % columns);
            let pixels = window(y, height).flat_map(|row| window(x, width).map(move |column| (row, column)));
            let mut first = None;
            for (row, column) in pixels {
                let pixel = ((n * height + row) * width + column) * channels + channel;
                if input[pixel] > maxima[at] {
                    (maxima[at], first) = (input[pixel], Some(pixel));
                }
            }
            expected[first.unwrap()] += gradient[at];
        }
        let (mut output, mut found) = (vec![f64::NAN; gradient.len()], vec![f64::NAN; input.len()]);
        forward(&input, (height, width, channels), &mut output);
        assert_eq!(output, maxima);
        backward(&input, &output, &gradient, (height, width, channels), &mut found);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() < 1e-12, "element {at}: expected {expected}, found {found}");
        }
    }
}
