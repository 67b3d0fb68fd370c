//! What a camera adds to a scene: uneven light, a colour cast, contrast, grain.

use rand::Rng;
use rand_distr::StandardNormal;

use super::raster::Canvas;
use crate::random::Generator;

impl Canvas {
    /// Lights one side more than the other: `1 ± strength / 2` at opposite borders, in a random direction.
    pub fn light_unevenly(&mut self, random: &mut Generator, strength: f32) {
        let angle = random.random::<f32>() * std::f32::consts::TAU;
        let (sine, cosine) = angle.sin_cos();
        let side = self.side as f32;
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (i % self.side, i / self.side);
            let place = cosine * (x as f32 / side - 0.5) + sine * (y as f32 / side - 0.5);
            let factor = 1.0 + strength * place;
            pixel[..3].iter_mut().for_each(|value| *value *= factor);
        }
    }

    /// Multiplies each channel by its own factor, normal around 1 with that deviation.
    pub fn cast_colour(&mut self, random: &mut Generator, deviation: f32) {
        let factors: [f32; 3] = [(); 3].map(|()| 1.0 + deviation * random.sample::<f32, _>(StandardNormal));
        for pixel in &mut self.pixels {
            for (value, factor) in pixel.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }

    /// Raises every colour to the power of `gamma`; above 1 darkens.
    pub fn raise(&mut self, gamma: f32) {
        // Interpolated in a table: a power costs more than the rest of a picture together.
        let table: [f32; 257] = std::array::from_fn(|i| (i as f32 / 256.0).powf(gamma));
        for pixel in &mut self.pixels {
            for value in &mut pixel[..3] {
                let position = value.clamp(0.0, 1.0) * 255.999;
                let (cell, share) = (position as usize, position.fract());
                *value = table[cell] + share * (table[cell + 1] - table[cell]);
            }
        }
    }

    /// Adds independent normal noise to every pixel and channel, and keeps colours in 0..1.
    pub fn grain(&mut self, random: &mut Generator, deviation: f32) {
        for pixel in &mut self.pixels {
            for value in &mut pixel[..3] {
                let noise: f32 = random.sample(StandardNormal);
                *value = (*value + deviation * noise).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn light_keeps_the_mean_and_grain_has_its_deviation() {
        let mut canvas = Canvas::opaque(80, [0.5; 3]);
        canvas.light_unevenly(&mut generator(1, "test", 0, 0), 0.4);
        assert!((canvas.sum() / 6400.0 - 0.5).abs() < 0.01, "{}", canvas.sum());
        let mut canvas = Canvas::opaque(80, [0.5; 3]);
        canvas.grain(&mut generator(1, "test", 0, 0), 0.03);
        let variance: f32 = canvas.pixels.iter().map(|pixel| (pixel[1] - 0.5).powi(2)).sum::<f32>() / 6400.0;
        assert!((variance.sqrt() - 0.03).abs() < 0.001, "{variance}");
    }

    #[test]
    fn the_table_of_powers_is_close_to_the_power() {
        for value in [0.0, 0.1, 0.37, 0.8, 1.0] {
            let mut canvas = Canvas::opaque(1, [value; 3]);
            canvas.raise(1.3);
            assert!((canvas.at(0, 0)[0] - value.powf(1.3)).abs() < 1e-3);
        }
    }
}
