//! Rectangles, ellipses and bars with soft edges: clutter and occluders.

use super::raster::{CANVAS, Plane};

/// A turned rectangle or the ellipse inside it, in canvas pixels.
pub(super) struct Shape {
    /// Middle.
    pub centre: [f32; 2],
    /// Half its length and half its width.
    pub half: [f32; 2],
    /// Direction of its length, in radians.
    pub angle: f32,
    /// Whether it is the ellipse.
    pub round: bool,
}

impl Shape {
    /// How far each canvas pixel is covered, 0 to 1; the edge is one pixel wide.
    pub fn cover(&self) -> Plane {
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

    #[test]
    fn shapes_have_the_area_of_geometry() {
        let area = |round| -> f32 {
            let shape = Shape { centre: [40.0, 41.0], half: [20.0, 10.0], angle: 0.7, round };
            shape.cover().pixels.iter().map(|pixel| pixel[0]).sum()
        };
        assert!((area(false) - 800.0).abs() < 8.0);
        assert!((area(true) - std::f32::consts::PI * 200.0).abs() < 8.0);
    }
}
