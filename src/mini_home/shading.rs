//! Light on a flat glyph: it is treated as a relief, lit from above, and throws a soft shadow.

use super::colour::uniform;
use super::raster::{CANVAS, Canvas, Plane};
use crate::random::Generator;

/// Blur of the opacity that serves as the relief, in canvas sides.
const ROUNDNESS: f32 = 0.035;
/// Height of the relief, in canvas sides.
const HEIGHT: f32 = 0.12;
/// Exponent of the highlight.
const SHININESS: i32 = 24;

/// Direction of the light: to the right, downwards, towards the viewer; length 1.
pub(super) struct Light([f32; 3]);

impl Light {
    /// A light from above, a little from the left or the right.
    pub fn from_above(random: &mut Generator) -> Self {
        normalised([uniform(random, -0.5, 0.5), -0.7, 0.8])
    }

    /// Shades the object: Lambert's law over an ambient share, and a highlight (Blinn and Phong).
    ///
    /// The diffuse share is 1 for what faces the viewer, so that shading does not darken the domain as a whole.
    pub fn shade(&self, object: &mut Canvas, ambient: f32, specular: f32) {
        let relief = object.alpha().blurred(ROUNDNESS * CANVAS as f32);
        let [right, down, front] = self.0;
        let half_way = normalised([right, down, front + 1.0]).0;
        let side = object.side;
        for y in 0..side {
            for x in 0..side {
                let alpha = object.at(x, y)[3];
                if alpha == 0.0 {
                    continue;
                }
                let height = |x: usize, y: usize| relief.at(x.min(side - 1), y.min(side - 1))[0];
                let slope_x = 0.5 * (height(x + 1, y) - height(x.saturating_sub(1), y));
                let slope_y = 0.5 * (height(x, y + 1) - height(x, y.saturating_sub(1)));
                let steepness = HEIGHT * CANVAS as f32;
                let normal = normalised([-steepness * slope_x, -steepness * slope_y, 1.0]).0;
                let diffuse = dot(normal, self.0).max(0.0) / front;
                let highlight = dot(normal, half_way).max(0.0).powi(SHININESS);
                let factor = ambient + (1.0 - ambient) * diffuse;
                let gloss = specular * highlight * alpha;
                for value in &mut object.pixels[y * side + x][..3] {
                    *value = (*value * factor + gloss).clamp(0.0, alpha);
                }
            }
        }
    }

    /// The soft shadow of an object on what lies behind it, as an opacity.
    pub fn shadow(&self, object: &Canvas) -> Plane {
        let reach = 0.05 * CANVAS as f32;
        let [right, down, _] = self.0;
        let length = right.hypot(down);
        let (dx, dy) = (reach * right / length, reach * down / length);
        let alpha = object.alpha();
        let moved = Plane::from_fn(CANVAS, |x, y| alpha.sample(x as f32 + 0.5 + dx, y as f32 + 0.5 + dy));
        moved.blurred(0.04 * CANVAS as f32)
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn normalised(vector: [f32; 3]) -> Light {
    let length = dot(vector, vector).sqrt();
    Light(vector.map(|value| value / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc() -> Canvas {
        Canvas::from_fn(CANVAS, |x, y| {
            let inside = (x as f32 - 39.5).hypot(y as f32 - 39.5) < 25.0;
            if inside { [0.5, 0.5, 0.5, 1.0] } else { [0.0; 4] }
        })
    }

    #[test]
    fn the_upper_rim_is_brighter_than_the_middle_and_the_lower_darker() {
        let light = normalised([0.0, -0.7, 0.8]);
        let mut matt = disc();
        light.shade(&mut matt, 0.5, 0.0);
        assert!(matt.at(40, 16)[0] > 0.55, "{:?}", matt.at(40, 16));
        assert!(matt.at(40, 63)[0] < 0.4, "{:?}", matt.at(40, 63));
        assert!((matt.at(40, 40)[0] - 0.5).abs() < 0.01);
        assert_eq!(matt.at(2, 2), [0.0; 4]);

        let mut glossy = disc();
        light.shade(&mut glossy, 0.5, 0.4);
        let gloss = |y: usize| glossy.at(40, y)[0] - matt.at(40, y)[0];
        assert!(gloss(19) > gloss(40) && gloss(40) > gloss(63));
    }

    #[test]
    fn the_shadow_falls_below() {
        let light = normalised([0.0, -0.7, 0.8]);
        let shadow = light.shadow(&disc());
        assert!(shadow.at(40, 66)[0] > 2.0 * shadow.at(40, 13)[0]);
    }
}
