//! Random draws and colours: from hue to RGB, and turning the hue or the saturation of what is drawn.

use rand::Rng;

use super::raster::Canvas;
use crate::random::Generator;

/// A number drawn evenly between two bounds; `U(low, high)` in the description of the renderers.
pub(super) fn uniform(random: &mut Generator, low: f32, high: f32) -> f32 {
    low + (high - low) * random.random::<f32>()
}

/// Whether something of that probability happens.
pub(super) fn chance(random: &mut Generator, probability: f32) -> bool {
    random.random::<f32>() < probability
}

/// One of several, each equally likely.
pub(super) fn pick<'a, T>(random: &mut Generator, several: &'a [T]) -> &'a T {
    &several[random.random_range(0..several.len())]
}

/// RGB in 0..1 of a hue (in turns, any real number), a saturation and a value in 0..1.
pub(super) fn from_hsv(hue: f32, saturation: f32, value: f32) -> [f32; 3] {
    [5.0, 3.0, 1.0].map(|offset| {
        let k = (offset + 6.0 * hue).rem_euclid(6.0);
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}

/// Luma after Rec. 601, the Y of YIQ.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl Canvas {
    /// Turns the hue by an angle in degrees: a rotation of the I-Q plane of YIQ, which keeps the luma.
    pub fn turn_hue(&mut self, degrees: f32) {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        self.map_colours(|[red, green, blue], luma| {
            let i = 0.595_716 * red - 0.274_453 * green - 0.321_263 * blue;
            let q = 0.211_456 * red - 0.522_591 * green + 0.311_135 * blue;
            let (i, q) = (cosine * i - sine * q, sine * i + cosine * q);
            [
                luma + 0.956_295_7 * i + 0.621_024_4 * q,
                luma - 0.272_122_1 * i - 0.647_380_6 * q,
                luma - 1.106_989 * i + 1.704_615 * q,
            ]
        });
    }

    /// Moves every colour away from its grey (factor above 1) or towards it.
    pub fn saturate(&mut self, factor: f32) {
        self.map_colours(|colour, luma| colour.map(|value| luma + factor * (value - luma)));
    }

    /// Rounds every colour to that many levels a channel.
    pub fn posterise(&mut self, levels: u32) {
        let steps = levels as f32 - 1.0;
        for pixel in &mut self.pixels {
            let alpha = pixel[3];
            if alpha > 0.0 {
                for value in &mut pixel[..3] {
                    *value = (*value / alpha * steps + 0.5) as i32 as f32 / steps * alpha;
                }
            }
        }
    }

    /// Both maps are linear, so they may be applied to premultiplied colours as they are.
    fn map_colours(&mut self, map: impl Fn([f32; 3], f32) -> [f32; 3]) {
        for pixel in &mut self.pixels {
            let [red, green, blue, alpha] = *pixel;
            let luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue;
            let [red, green, blue] = map([red, green, blue], luma).map(|value| value.clamp(0.0, alpha));
            *pixel = [red, green, blue, alpha];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsv_has_its_corners() {
        assert_eq!(from_hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(from_hsv(-2.0 / 3.0, 1.0, 0.5)[1], 0.5);
        assert_eq!(from_hsv(0.3, 0.0, 0.7), [0.7; 3]);
    }

    #[test]
    fn a_turned_hue_comes_back_no_saturation_is_grey_and_posterised_colours_are_steps() {
        type Change = fn(&mut Canvas);
        let cases: [([f32; 4], Change, [f32; 4]); 4] = [
            ([0.3, 0.2, 0.1, 0.5], |canvas| canvas.turn_hue(360.0), [0.3, 0.2, 0.1, 0.5]),
            ([0.4, 0.4, 0.4, 1.0], |canvas| canvas.turn_hue(77.0), [0.4, 0.4, 0.4, 1.0]),
            ([1.0, 0.0, 0.0, 1.0], |canvas| canvas.saturate(0.0), [0.299, 0.299, 0.299, 1.0]),
            (
                [0.299, 0.299, 0.299, 1.0],
                |canvas| canvas.posterise(4),
                [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0],
            ),
        ];
        for (colour, change, expected) in cases {
            let mut canvas = Canvas::filled(1, colour);
            change(&mut canvas);
            let found = canvas.at(0, 0);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} {expected:?}");
        }
    }
}
