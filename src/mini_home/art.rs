//! Art: oil paint or ink and wash, on broad coloured brush strokes.

use rand::Rng;

use super::colour::{chance, from_hsv, pick, uniform};
use super::glyphs::ARTWORK;
use super::noise::{brush_strokes, displacement, fractal_noise};
use super::placement::{Freedom, Placement};
use super::raster::{CANVAS, Canvas, Scene};
use crate::random::Generator;

const FREEDOM: Freedom = Freedom { scale: (0.65, 0.92), rotation: 18.0, shift: 0.05, shear: 0.05 };

/// Draws one picture; `hue` (in turns) is the background's where that is not free.
pub(super) fn draw(class: usize, hue: Option<f32>, random: &mut Generator) -> Scene {
    let ground =
        from_hsv(hue.unwrap_or(random.random()), uniform(random, 0.15, 0.55), uniform(random, 0.65, 0.95));
    let mut canvas = Canvas::opaque(CANVAS, ground);
    canvas.add(&brush_strokes(random), 0.16);
    canvas.add(&fractal_noise(random, 3, 3), 0.05);

    let in_ink = chance(random, 0.3);
    let object = if in_ink { ink_and_wash(class, random) } else { oil(class, random) };
    canvas.lay(&object);
    weave(&mut canvas);
    canvas.grain(random, 0.015);
    Scene { canvas, object: object.alpha() }
}

/// A line drawing in dark ink over a light wash of the opposite hue.
fn ink_and_wash(class: usize, random: &mut Generator) -> Canvas {
    let drawing = pick(random, &ARTWORK.ink[class]);
    let placement = Placement::draw(random, &FREEDOM);
    let hand = displacement(random, 8, 0.012);
    let silhouette = placement.place(&drawing.silhouette).displaced(&hand);
    let ink = placement.place(&drawing.ink).displaced(&hand);

    let hue: f32 = random.random();
    let wash = from_hsv(hue, uniform(random, 0.3, 0.8), uniform(random, 0.7, 1.0));
    let dark = from_hsv(hue + 0.5, uniform(random, 0.2, 0.5), uniform(random, 0.14, 0.3));
    let mut object = Canvas::filled(CANVAS, [0.0; 4]);
    object.tint(&silhouette, 1.0, wash);
    object.add(&fractal_noise(random, 4, 3), 0.18);
    object.tint(&ink, 1.0, dark);
    object
}

/// A colour picture in other colours, with visible strokes, few shades and unsteady outlines.
fn oil(class: usize, random: &mut Generator) -> Canvas {
    let glyph = pick(random, &ARTWORK.emoji[class]);
    let mut object = Placement::draw(random, &FREEDOM).place(glyph);
    object.turn_hue(uniform(random, -180.0, 180.0));
    object.saturate(uniform(random, 0.6, 1.4));
    object.add(&brush_strokes(random), 0.14);
    object.add(&fractal_noise(random, 6, 3), 0.06);
    object.posterise(random.random_range(4..=6));
    object.displaced(&displacement(random, 10, 0.025))
}

/// The relief of the cloth: threads two canvas pixels wide, ± 0.02; a quarter of that is left after halving.
fn weave(canvas: &mut Canvas) {
    let thread: Vec<f32> = (0..CANVAS).map(|i| (i as f32 * std::f32::consts::TAU / 4.0).sin()).collect();
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let relief = 0.02 * thread[i % CANVAS] * thread[i / CANVAS];
        pixel[..3].iter_mut().for_each(|value| *value += relief);
    }
}
