//! Clipart: a clean colour picture on white or pastel, often with a black contour.

use rand::Rng;

use super::colour::{chance, from_hsv, pick, uniform};
use super::glyphs::ARTWORK;
use super::placement::{Freedom, Placement};
use super::raster::{CANVAS, Canvas, Plane, Scene};
use crate::random::Generator;

const FREEDOM: Freedom = Freedom { scale: (0.70, 0.95), rotation: 12.0, shift: 0.05, shear: 0.05 };

/// Draws one picture; `hue` (in turns) is the background's where that is not free.
pub(super) fn draw(class: usize, hue: Option<f32>, random: &mut Generator) -> Scene {
    let glyph = pick(random, &ARTWORK.emoji[class]);
    let mut object = Placement::draw(random, &FREEDOM).place(glyph);
    object.turn_hue(uniform(random, -12.0, 12.0));
    object.saturate(uniform(random, 1.0, 1.3));

    let pastel = from_hsv(hue.unwrap_or(random.random()), uniform(random, 0.12, 0.3), 1.0);
    let white = chance(random, 0.75) && hue.is_none();
    let mut canvas = Canvas::opaque(CANVAS, if white { [1.0; 3] } else { pastel });
    if chance(random, 0.5) {
        let thickness = uniform(random, 0.015, 0.027) * CANVAS as f32;
        let contour = dilated(&object.alpha(), thickness).blurred(0.6);
        canvas.tint(&contour, 1.0, [0.0; 3]);
    }
    canvas.lay(&object);
    Scene { canvas, object: object.alpha() }
}

/// Grows a shape by `radius` pixels in every direction.
fn dilated(plane: &Plane, radius: f32) -> Plane {
    let reach = radius as isize + 1;
    let side = plane.side as isize;
    let mut grown = plane.clone();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let weight = (radius + 1.0 - (dx as f32).hypot(dy as f32)).clamp(0.0, 1.0);
            if weight == 0.0 {
                continue;
            }
            for y in dy.max(0)..side.min(side + dy) {
                for x in dx.max(0)..side.min(side + dx) {
                    let from = ((y - dy) * side + x - dx) as usize;
                    let value = &mut grown.pixels[(y * side + x) as usize][0];
                    *value = value.max(weight * plane.pixels[from][0]);
                }
            }
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dilation_grows_a_disc_by_the_radius() {
        let disc = Plane::of(80, |x, y| (x as f32 - 40.0).hypot(y as f32 - 40.0) < 20.0);
        let area = dilated(&disc, 1.5).sum();
        let expected = std::f32::consts::PI * 21.5_f32.powi(2);
        assert!((area / expected - 1.0).abs() < 0.03, "{area} {expected}");
    }
}
