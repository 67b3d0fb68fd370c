//! Tests of `explain/overlay.rs`.

use image::{Rgb, RgbImage};
use toalign::explain::overlay::*;

#[test]
fn a_row_of_two_becomes_four_as_in_pytorch() {
    // torch.nn.functional.interpolate([[0, 1]], size=(1, 4), mode='bilinear', align_corners=False)
    let row = upscale(&[0.0, 1.0], 1, 2, 1, 4).unwrap();
    assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
}

#[test]
fn a_square_becomes_three_by_three() {
    // Ratio 2/3: the places are max(0, -1/6) = 0, 1/2, 7/6 (clamped to the last).
    let square = upscale(&[0.0, 2.0, 4.0, 6.0], 2, 2, 3, 3).unwrap();
    let expected = [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0];
    for (got, want) in square.iter().zip(expected) {
        assert!((got - want).abs() < 1e-6, "{square:?}");
    }
}

#[test]
fn the_same_size_changes_nothing_and_a_wrong_one_is_told() {
    let map = [0.5, 1.0, 0.0, 0.25, 0.125, 2.0];
    assert_eq!(upscale(&map, 2, 3, 2, 3).unwrap(), map);
    let message = upscale(&map, 2, 2, 4, 4).unwrap_err().to_string();
    assert_eq!(message, "expected a heat map of 2×2 values, found 6 values");
}

#[test]
fn the_maximum_becomes_one_and_no_evidence_is_told() {
    assert_eq!(normalise(&[0.0, 2.0, 4.0]), Some(vec![0.0, 0.5, 1.0]));
    assert_eq!(normalise(&[0.0, 0.0]), None);
    assert_eq!(normalise(&[-1.0, f32::NAN]), None);
}

#[test]
fn brighter_means_more() {
    let lightness = |value: f32| {
        let [red, green, blue] = heat_colour(value).map(f32::from);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    for step in 0..100 {
        let value = step as f32 / 100.0;
        assert!(lightness(value) < lightness(value + 0.01), "{value}");
    }
    // Halfway between the first two of 17 entries: ([0, 0, 4] + [11, 7, 36]) / 2, rounded.
    assert_eq!(heat_colour(1.0 / 32.0), [6, 4, 20]);
    assert_eq!(heat_colour(f32::NAN), heat_colour(-3.0));
    assert_eq!(heat_colour(7.0), heat_colour(1.0));
}

#[test]
fn an_overlay_mixes_picture_and_colour() {
    let white = RgbImage::from_pixel(2, 1, Rgb([255, 255, 255]));
    let drawn = overlay(&white, &[0.0, 1.0], 1, 2, 2).unwrap();
    assert_eq!(drawn.dimensions(), (4, 2));
    // 255 + (0 - 255)/4 = 191.25; blue 255 + (4 - 255)/4 = 192.25
    assert_eq!(drawn.get_pixel(0, 1).0, [191, 191, 192]);
    // 255 + (252 - 255)·3/4 = 252.75; green 255; blue 255 + (164 - 255)·3/4 = 186.75
    assert_eq!(drawn.get_pixel(3, 0).0, [253, 255, 187]);
    assert!(overlay(&white, &[1.0], 1, 1, 0).is_err());
    // Red has luma 76.2: 76 + (0 - 76)/4 = 57; blue 76 + (4 - 76)/4 = 58.
    let red = RgbImage::from_pixel(1, 1, Rgb([255, 0, 0]));
    let drawn = overlay(&red, &[0.0], 1, 1, 1).unwrap();
    assert_eq!(drawn.get_pixel(0, 0).0, [57, 57, 58]);
}
