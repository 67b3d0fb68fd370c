//! Smooth random fields: value noise, its octaves, brush strokes and displacements.

use rand::Rng;

use super::raster::{CANVAS, Colours, Raster, floor};
use crate::random::Generator;

/// How much weaker each octave is than the one before.
const GAIN: f32 = 0.55;

/// Value noise: a random grid in -1..1 of `cells` cells along each side, interpolated bilinearly.
pub(super) fn value_noise<const CHANNELS: usize>(random: &mut Generator, cells: usize) -> Raster<CHANNELS> {
    let grid = random_grid::<CHANNELS>(random, (cells + 1) * (cells + 1));
    let step = cells as f32 / CANVAS as f32;
    let mut row = vec![[0.0; CHANNELS]; cells + 1];
    let mut field = Raster::filled(CANVAS, [0.0; CHANNELS]);
    for (y, out) in field.pixels.chunks_exact_mut(CANVAS).enumerate() {
        let (top, share) = cell_and_share(y, step);
        for (column, value) in row.iter_mut().enumerate() {
            let (above, below) = (top * (cells + 1) + column, (top + 1) * (cells + 1) + column);
            *value = between(&grid[above], &grid[below], share);
        }
        for (x, pixel) in out.iter_mut().enumerate() {
            let (left, share) = cell_and_share(x, step);
            *pixel = between(&row[left], &row[left + 1], share);
        }
    }
    field
}

/// The cell that the centre of pixel `i` falls into, and how far into it.
fn cell_and_share(i: usize, step: f32) -> (usize, f32) {
    let position = (i as f32 + 0.5) * step;
    let cell = position as usize;
    (cell, position - cell as f32)
}

/// Fractal noise in -1..1: octaves of [`value_noise`], each twice as fine and [`GAIN`] times as strong.
pub(super) fn fractal_noise<const CHANNELS: usize>(
    random: &mut Generator,
    cells: usize,
    octaves: usize,
) -> Raster<CHANNELS> {
    let mut sum = value_noise::<CHANNELS>(random, cells);
    let (mut gain, mut total_gain) = (1.0, 1.0);
    for octave in 1..octaves {
        gain *= GAIN;
        total_gain += gain;
        let finer = value_noise::<CHANNELS>(random, cells << octave);
        for (total, value) in sum.pixels.as_flattened_mut().iter_mut().zip(finer.pixels.as_flattened()) {
            *total += gain * value;
        }
    }
    for value in sum.pixels.as_flattened_mut() {
        *value /= total_gain;
    }
    sum
}

/// Noise in -1..1, `across` cells fine across a direction (an angle in radians) and `along` cells along it.
pub(super) fn streaks<const CHANNELS: usize>(
    random: &mut Generator,
    angle: f32,
    across: f32,
    along: f32,
) -> Raster<CHANNELS> {
    const ROWS: usize = 40;
    const COLUMNS: usize = 8;
    let grid = random_grid::<CHANNELS>(random, ROWS * COLUMNS);
    let (sine, cosine) = angle.sin_cos();
    let cell = |u: f32, v: f32| {
        // The grid repeats, and is large enough not to be seen repeating within one picture.
        let (left, top) = (floor(u), floor(v));
        let (u, v) = (u - left as f32, v - top as f32);
        let column = |i: i32| i.rem_euclid(COLUMNS as i32) as usize;
        let row = |i: i32| i.rem_euclid(ROWS as i32) as usize;
        let at = |x: i32, y: i32| &grid[row(y) * COLUMNS + column(x)];
        let upper = between(at(left, top), at(left + 1, top), u);
        let lower = between(at(left, top + 1), at(left + 1, top + 1), u);
        between(&upper, &lower, v)
    };
    Raster::from_fn(CANVAS, |x, y| {
        let (x, y) = (x as f32 / CANVAS as f32, y as f32 / CANVAS as f32);
        cell(along * (cosine * x + sine * y), across * (cosine * y - sine * x))
    })
}

/// Coloured brush strokes in one random direction: [`streaks`] of 14 to 2.5 cells.
pub(super) fn brush_strokes(random: &mut Generator) -> Colours {
    let angle = random.random::<f32>() * std::f32::consts::TAU;
    streaks(random, angle, 14.0, 2.5)
}

/// A displacement of up to `reach` canvas sides in each direction, for [`Raster::displaced`].
pub(super) fn displacement(random: &mut Generator, cells: usize, reach: f32) -> Raster<2> {
    let mut field = value_noise::<2>(random, cells);
    for value in field.pixels.as_flattened_mut() {
        *value *= reach * CANVAS as f32;
    }
    field
}

fn random_grid<const CHANNELS: usize>(random: &mut Generator, len: usize) -> Vec<[f32; CHANNELS]> {
    let mut grid = vec![[0.0; CHANNELS]; len];
    for value in grid.as_flattened_mut() {
        *value = 2.0 * random.random::<f32>() - 1.0;
    }
    grid
}

fn between<const CHANNELS: usize>(a: &[f32; CHANNELS], b: &[f32; CHANNELS], share: f32) -> [f32; CHANNELS] {
    std::array::from_fn(|i| a[i] + share * (b[i] - a[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn value_noise_is_smooth_and_within_its_range() {
        let noise = value_noise::<1>(&mut generator(1, "test", 0, 0), 5);
        let steps = noise
            .pixels
            .chunks(CANVAS)
            .flat_map(|row| row.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()));
        // One cell is 16 pixels wide and its corners differ by 2 at most.
        assert!(steps.fold(0.0, f32::max) <= 2.0 / 16.0 + 1e-4);
        assert!(noise.pixels.iter().all(|pixel| pixel[0].abs() <= 1.0));
    }

    #[test]
    fn strokes_vary_more_across_than_along() {
        let streaks = streaks::<1>(&mut generator(1, "test", 0, 1), 0.0, 14.0, 2.5);
        let change = |dx: usize, dy: usize| -> f32 {
            (0..CANVAS - 1)
                .flat_map(|y| (0..CANVAS - 1).map(move |x| (x, y)))
                .map(|(x, y)| (streaks.at(x + dx, y + dy)[0] - streaks.at(x, y)[0]).abs())
                .sum()
        };
        assert!(change(0, 1) > 3.0 * change(1, 0));
    }
}
