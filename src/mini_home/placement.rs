//! Where an object stands in the picture: one affine map, applied backwards.

use rand::Rng;

use super::colour::{chance, uniform};
use super::raster::{CANVAS, Raster};
use crate::random::Generator;

/// The bounds between which a [`Placement`] is drawn.
pub(super) struct Freedom {
    /// Side of the glyph as a share of the canvas, from and to.
    pub scale: (f32, f32),
    /// Largest rotation, in degrees.
    pub rotation: f32,
    /// Largest shift in each direction, as a share of the canvas.
    pub shift: f32,
    /// Largest shear.
    pub shear: f32,
}

/// One affine map.
pub(super) struct Placement {
    scale: f32,
    rotation: f32,
    shear: f32,
    flipped: bool,
    centre: [f32; 2],
}

impl Placement {
    pub fn draw(random: &mut Generator, freedom: &Freedom) -> Self {
        let either_way = |random: &mut Generator, bound: f32| bound * (2.0 * random.random::<f32>() - 1.0);
        Self {
            scale: uniform(random, freedom.scale.0, freedom.scale.1),
            rotation: either_way(random, freedom.rotation).to_radians(),
            shear: either_way(random, freedom.shear),
            flipped: chance(random, 0.5),
            centre: [(); 2].map(|()| CANVAS as f32 * (0.5 + either_way(random, freedom.shift))),
        }
    }

    /// The same map with its centre elsewhere, in shares of the canvas.
    pub fn centred_at(mut self, x: f32, y: f32) -> Self {
        self.centre = [x, y].map(|share| share * CANVAS as f32);
        self
    }

    /// Draws a glyph on an empty canvas: each canvas pixel looks up its place of origin in the glyph.
    pub fn place<const CHANNELS: usize>(&self, glyph: &Raster<CHANNELS>) -> Raster<CHANNELS> {
        let zoom = glyph.side as f32 / (self.scale * CANVAS as f32);
        let middle = 0.5 * glyph.side as f32;
        let (sine, cosine) = self.rotation.sin_cos();
        let mirror = if self.flipped { -1.0 } else { 1.0 };
        Raster::from_fn(CANVAS, |x, y| {
            let dx = x as f32 + 0.5 - self.centre[0];
            let dy = y as f32 + 0.5 - self.centre[1];
            let u = cosine * dx + sine * dy;
            let v = cosine * dy - sine * dx;
            let u = mirror * (u - self.shear * v);
            glyph.sample(middle + zoom * u, middle + zoom * v)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mini_home::raster::Plane;
    use crate::random::generator;

    #[test]
    fn a_placed_square_keeps_its_share_of_the_canvas() {
        let glyph = Plane::filled(72, [1.0]);
        let freedom = Freedom { scale: (0.5, 0.5), rotation: 30.0, shift: 0.05, shear: 0.2 };
        for index in 0..5 {
            let placement = Placement::draw(&mut generator(1, "test", index, 0), &freedom);
            let area = placement.place(&glyph).sum();
            // Rotation and shear keep areas; the scale is half a side.
            assert!((area / (CANVAS * CANVAS) as f32 - 0.25).abs() < 0.01, "{area}");
        }
    }
}
