//! Real_World: a shaded object on a table among other things, seen by a mediocre camera.

use rand::Rng;

use super::colour::{chance, from_hsv, pick, uniform};
use super::glyphs::ARTWORK;
use super::noise::{fractal_noise, streaks};
use super::placement::{Freedom, Placement};
use super::raster::{CANVAS, Canvas, Plane, Scene, mixed};
use super::shading::Light;
use crate::random::Generator;

const SIDE: f32 = CANVAS as f32;

const FREEDOM: Freedom = Freedom { scale: (0.62, 0.90), rotation: 22.0, shift: 0.08, shear: 0.15 };

const CLUTTER: Freedom = Freedom { scale: (0.25, 0.5), rotation: 40.0, shift: 0.0, shear: 0.1 };

/// Draws one picture; `hue` (in turns) is the wall's where that is not free.
pub(super) fn draw(class: usize, hue: Option<f32>, random: &mut Generator) -> Scene {
    let mut canvas = wall_and_table(hue.unwrap_or(random.random()), random);
    for _ in 0..random.random_range(1..=4) {
        add_clutter(&mut canvas, random);
    }
    let mut canvas = canvas.blurred(uniform(random, 0.0, 2.0));

    let light = Light::from_above(random);
    let object = shaded_object(class, &light, random);
    canvas.tint(&light.shadow(&object), 0.45, [0.0; 3]);
    canvas.lay(&object);
    let mut visible = object.alpha();
    if chance(random, 0.2) {
        occlude(&mut canvas, &mut visible, random);
    }

    let strength = uniform(random, 0.1, 0.4);
    canvas.light_unevenly(random, strength);
    canvas.cast_colour(random, 0.06);
    canvas.raise(uniform(random, 0.75, 1.35));
    let mut canvas = canvas.blurred(uniform(random, 0.2, 0.9));
    let deviation = uniform(random, 0.01, 0.035);
    canvas.grain(random, deviation);
    Scene { canvas, object: visible }
}

/// Two related hues, parted by a slanted horizon; the lower one has a wood grain.
fn wall_and_table(hue: f32, random: &mut Generator) -> Canvas {
    let wall = from_hsv(hue, uniform(random, 0.1, 0.45), uniform(random, 0.35, 0.8));
    let table =
        from_hsv(hue + uniform(random, -0.12, 0.12), uniform(random, 0.2, 0.6), uniform(random, 0.2, 0.6));
    let height = uniform(random, 0.35, 0.75) * SIDE;
    let slant = uniform(random, -0.15, 0.15);
    let grain = streaks::<1>(random, 0.5 * slant, 16.0, 1.5);
    let mut canvas = Canvas::from_fn(CANVAS, |x, y| {
        let below = y as f32 - (height + slant * (x as f32 - 0.5 * SIDE));
        let grain = 0.10 * grain.at(x, y)[0];
        let table = table.map(|value| (value + grain).clamp(0.0, 1.0));
        mixed([wall[0], wall[1], wall[2], 1.0], table, below.clamp(0.0, 1.0))
    });
    canvas.add(&fractal_noise(random, 5, 3), 0.08);
    canvas
}

/// A rectangle, an ellipse, a bar or an object of no class, each equally likely.
fn add_clutter(canvas: &mut Canvas, random: &mut Generator) {
    let centre = [uniform(random, 0.0, 1.0), uniform(random, 0.0, 1.0)];
    let kind = random.random_range(0..4);
    if kind == 3 {
        let glyph = pick(random, &ARTWORK.distractors);
        let placement = Placement::draw(random, &CLUTTER).centred_at(centre[0], centre[1]);
        let mut thing = placement.place(glyph);
        thing.darken(uniform(random, 0.45, 0.8));
        canvas.lay(&thing);
        return;
    }
    let (length, width) = if kind == 2 {
        (uniform(random, 0.2, 0.5), uniform(random, 0.02, 0.05))
    } else {
        (uniform(random, 0.08, 0.25), uniform(random, 0.08, 0.25))
    };
    let shape = Shape {
        centre: centre.map(|share| share * SIDE),
        half: [length * SIDE, width * SIDE],
        angle: uniform(random, 0.0, std::f32::consts::PI),
        round: kind == 1,
    };
    let colour = any_colour(random);
    canvas.tint(&shape.cover(), 1.0, colour);
}

fn shaded_object(class: usize, light: &Light, random: &mut Generator) -> Canvas {
    let glyph = pick(random, &ARTWORK.emoji[class]);
    let mut object = Placement::draw(random, &FREEDOM).place(glyph);
    let reach = if chance(random, 0.36) { 180.0 } else { 15.0 };
    object.turn_hue(uniform(random, -reach, reach));
    object.saturate(uniform(random, 0.5, 1.0));
    light.shade(&mut object, 0.45, 0.3);
    object
}

/// Lays a bar through a random pixel of the object, and takes what it hides out of `visible`.
fn occlude(canvas: &mut Canvas, visible: &mut Plane, random: &mut Generator) {
    let of_object: Vec<usize> =
        (0..visible.pixels.len()).filter(|place| visible.pixels[*place][0] > 0.5).collect();
    if of_object.is_empty() {
        return;
    }
    let place = *pick(random, &of_object);
    let bar = Shape {
        centre: [(place % CANVAS) as f32 + 0.5, (place / CANVAS) as f32 + 0.5],
        half: [uniform(random, 0.25, 0.5) * SIDE, uniform(random, 0.03, 0.08) * SIDE],
        angle: uniform(random, 0.0, std::f32::consts::PI),
        round: false,
    };
    let cover = bar.cover();
    canvas.tint(&cover, 1.0, any_colour(random));
    for (seen, hidden) in visible.pixels.iter_mut().zip(&cover.pixels) {
        seen[0] *= 1.0 - hidden[0];
    }
}

fn any_colour(random: &mut Generator) -> [f32; 3] {
    from_hsv(random.random(), uniform(random, 0.2, 0.8), uniform(random, 0.25, 0.85))
}

/// A turned rectangle or the ellipse inside it, in canvas pixels.
struct Shape {
    /// Middle.
    centre: [f32; 2],
    /// Half its length and half its width.
    half: [f32; 2],
    /// Direction of its length, in radians.
    angle: f32,
    /// Whether it is the ellipse.
    round: bool,
}

impl Shape {
    /// How far each canvas pixel is covered, 0 to 1; the edge is one pixel wide.
    fn cover(&self) -> Plane {
        let (sine, cosine) = self.angle.sin_cos();
        let [length, width] = self.half;
        Plane::from_fn(CANVAS, |x, y| {
            let dx = x as f32 + 0.5 - self.centre[0];
            let dy = y as f32 + 0.5 - self.centre[1];
            let u = (cosine * dx + sine * dy).abs();
            let v = (cosine * dy - sine * dx).abs();
            let outside = if self.round {
                (((u / length).powi(2) + (v / width).powi(2)).sqrt() - 1.0) * length.min(width)
            } else {
                (u - length).max(v - width)
            };
            [(0.5 - outside).clamp(0.0, 1.0)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn a_bar_hides_part_of_the_object_but_never_all() {
        let random = &mut generator(1, "test", 0, 0);
        for _ in 0..20 {
            let mut visible = Plane::of(CANVAS, |x, y| (20..60).contains(&x) && (20..60).contains(&y));
            occlude(&mut Canvas::opaque(CANVAS, [0.5; 3]), &mut visible, random);
            assert!((700.0..1590.0).contains(&visible.sum()), "{}", visible.sum());
        }
    }

    #[test]
    fn shapes_have_the_area_of_geometry() {
        for (round, expected) in [(false, 800.0), (true, std::f32::consts::PI * 200.0)] {
            let shape = Shape { centre: [40.0, 41.0], half: [20.0, 10.0], angle: 0.7, round };
            assert!((shape.cover().sum() - expected).abs() < 8.0, "{}", shape.cover().sum());
        }
    }
}
