//! Tests of `draw/grouped_bars.rs`.

use toalign::draw::*;

#[test]
fn bars_are_as_high_as_their_values_and_what_is_missing_is_left_out() {
    let mut bars = GroupedBars::new("t", "y", ["a", "b"]);
    for (colour, values) in [
        ([1, 2, 3], vec![(80.0, Some(5.0)), (f64::NAN, None)]),
        ([4, 5, 6], vec![(40.0, None), (20.0, None)]),
    ] {
        bars.series.push(Series { label: "s".into(), colour, values });
    }
    let svg = bars.to_svg().unwrap();
    let heights = |colour: &str| -> Vec<i32> {
        let fill = format!("fill=\"{colour}\"");
        let tags = svg.split("<rect").filter_map(|rest| rest.split('>').next());
        // The samples in the legend are 8 pixels wide.
        let bars = tags.filter(|tag| tag.contains(&fill) && !tag.contains("width=\"8\""));
        bars.map(|tag| tag.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect()
    };
    let (first, second) = (heights("#010203"), heights("#040506"));
    assert_eq!((first.len(), second.len()), (1, 2), "{svg}");
    assert!((first[0] - 2 * second[0]).abs() <= 2 && (second[0] - 2 * second[1]).abs() <= 2);
}

#[test]
fn no_groups_are_no_error() {
    assert!(GroupedBars::default().to_svg().unwrap().starts_with("<svg"));
}
