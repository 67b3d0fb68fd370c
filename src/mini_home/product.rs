//! Product: a shaded object in front of a light grey studio wall.

use super::colour::{chance, from_hsv, pick, uniform};
use super::glyphs::ARTWORK;
use super::placement::{Freedom, Placement};
use super::raster::{CANVAS, Canvas, Scene};
use super::shading::Light;
use crate::random::Generator;

const FREEDOM: Freedom = Freedom { scale: (0.72, 0.92), rotation: 8.0, shift: 0.04, shear: 0.05 };

/// Draws one picture; with a `hue` (in turns) the studio wall is not grey.
pub(super) fn draw(class: usize, hue: Option<f32>, random: &mut Generator) -> Scene {
    let glyph = pick(random, &ARTWORK.emoji[class]);
    let mut object = Placement::draw(random, &FREEDOM).place(glyph);
    if chance(random, 0.6) {
        object.turn_hue(uniform(random, -180.0, 180.0));
    }
    object.saturate(uniform(random, 0.35, 0.9));
    let light = Light::from_above(random);
    light.shade(&mut object, 0.5, 0.4);

    let (above, below) = (uniform(random, 0.93, 1.0), uniform(random, 0.78, 0.95));
    let wall = hue.map_or([1.0; 3], |hue| from_hsv(hue, 0.2, 1.0));
    let mut canvas = Canvas::from_fn(CANVAS, |_, y| {
        let grey = above + (below - above) * y as f32 / CANVAS as f32;
        [wall[0] * grey, wall[1] * grey, wall[2] * grey, 1.0]
    });
    canvas.tint(&light.shadow(&object), 0.45, [0.0; 3]);
    canvas.lay(&object);
    let mut canvas = canvas.blurred(0.5);
    canvas.grain(random, 0.006);
    Scene { canvas, object: object.alpha() }
}
