//! Tests of `draw/curves.rs`.

use toalign::draw::style::Marker;
use toalign::draw::*;

fn chart(points: &[(f64, f64)]) -> Chart {
    Chart {
        title: "Target accuracy <b>".into(),
        x_title: "training steps".into(),
        y_title: "accuracy (%)".into(),
        curves: vec![Curve {
            label: "DANNP & co".into(),
            colour: [0xE6, 0x9F, 0x00],
            marker: Marker::Circle,
            points: points.to_vec(),
        }],
        ..Chart::default()
    }
}

#[test]
fn every_finite_point_has_a_marker_at_its_place() {
    let svg = chart(&[(0.0, 20.0), (100.0, f64::NAN), (200.0, 80.0)]).to_svg().unwrap();
    // Two points and the sample in the legend.
    assert_eq!(svg.matches("<circle").count(), 3);
    // The plotting area begins at x = 8 + 66 and y = 44 and ends 28 from the right and 52 from the bottom edge.
    assert!(svg.contains("cx=\"74\" cy=\"327\""), "{svg}");
    assert!(svg.contains("cx=\"691\" cy=\"44\""), "{svg}");
}

#[test]
fn words_are_escaped_and_fonts_are_large_enough() {
    let svg = chart(&[(0.0, 20.0), (200.0, 80.0)]).to_svg().unwrap();
    assert!(svg.contains("DANNP &amp; co"), "{svg}");
    assert!(svg.contains("Target accuracy &lt;b&gt;"), "{svg}");
    let sizes: Vec<f64> = svg
        .split("font-size=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(sizes.len() > 10);
    assert!(sizes.iter().all(|size| *size >= 12.9), "{sizes:?}");
}

#[test]
fn nothing_to_draw_is_said() {
    assert!(chart(&[]).to_svg().unwrap().contains("no data yet"));
    assert!(chart(&[(5.0, 5.0)]).to_svg().unwrap().contains("<circle"));
}
