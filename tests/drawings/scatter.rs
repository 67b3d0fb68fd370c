//! Tests of `draw/scatter.rs`.

use toalign::draw::*;

#[test]
fn a_point_is_at_its_place_in_its_colour() {
    let plane = Scatter::new("", "x", "y").group("Art", Dot::Full, [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)]);
    let drawn = plane.draw().unwrap();
    // The plot begins at x = 8 + 62 and y = 44, and ends 20 from the right and 60 above 420.
    let (x, y) = ((70 + 700) / 2, (44 + 360) / 2);
    let [red, green, blue] = drawn.get_pixel(SCALE * x, SCALE * y).0;
    assert!(red > 180 && green < 120 && blue < 120, "{red} {green} {blue}");
}

#[test]
fn no_numbers_are_no_points() {
    let message = |points: &[(f64, f64)]| {
        let plane = Scatter::new("p", "x", "y").group("a", Dot::Ring, points.iter().copied());
        plane.draw().unwrap_err().to_string()
    };
    assert!(message(&[(f64::NAN, 0.0)]).contains("the plane 'p': expected finite points"));
    assert!(message(&[]).contains("expected finite points"));
}
