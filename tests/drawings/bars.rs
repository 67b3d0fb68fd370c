//! Tests of `draw/bars.rs`.

use toalign::draw::*;

fn bars() -> Bars {
    let bar = |label: &str, value, error| Bar {
        label: label.into(),
        colour: [1, 2, 3],
        value,
        error,
        diamond: None,
    };
    Bars {
        title: "Accuracy".into(),
        value_title: "accuracy (%)".into(),
        decimals: 1,
        size: Size::Wide,
        bars: vec![
            bar("DANNP+ToAlign", 71.64, Some(0.42)),
            bar("HDA", 35.82, None),
            bar("lost", f64::NAN, None),
        ],
    }
}

/// Width and height of the rectangles in the colour of the bars.
fn drawn(svg: &str) -> Vec<(i32, i32)> {
    let number = |tag: &str, name: &str| -> i32 {
        let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    svg.split("<rect")
        .filter(|tag| tag.contains("#010203"))
        .map(|tag| (number(tag, "width"), number(tag, "height")))
        .collect()
}

#[test]
fn bars_are_as_long_as_their_values() {
    let svg = bars().to_svg().unwrap();
    let drawn = drawn(&svg);
    assert_eq!(drawn.len(), 2, "a bar that is not finite is left out");
    assert!((drawn[0].0 - 2 * drawn[1].0).abs() <= 2, "{drawn:?}");
    assert!(svg.contains("71.6 ± 0.4"), "{svg}");
    assert!(svg.contains("–"), "{svg}");
}

#[test]
fn a_diamond_is_told_from_its_bar() {
    let mut chart = bars();
    chart.bars[0].diamond = Some(72.96);
    chart.bars[1].value = 0.5;
    chart.bars[1].diamond = Some(9.0);
    let svg = chart.to_svg().unwrap();
    // Two numbers apart where the bar is long enough, one text where it is not.
    assert!(svg.contains("\n71.6 ± 0.4\n") && svg.contains("\n73.0\n"));
    assert!(svg.contains("\n0.5  ◇ 9.0\n"), "{svg}");
    assert_eq!(svg.matches("<polygon").count(), 2);
}

#[test]
fn no_bars_are_no_error() {
    let empty = Bars::default();
    assert!(empty.to_svg().unwrap().starts_with("<svg"));
}
