//! Tests of `draw/signed_bars.rs`.

use toalign::draw::*;

#[test]
fn bars_have_the_colour_of_their_sign() {
    let drawn = SignedBars::new("", "channel", "weight", [1.0, -1.0]).draw().unwrap();
    // The plot spans x = 74 to 700 and y = 44 to 204 (260 - 8 - 48); 0 is in its middle.
    let at = |x: u32, y: u32| drawn.get_pixel(SCALE * x, SCALE * y).0;
    assert_eq!(at(74 + 150, 100), [0x1F, 0x6F, 0xB4]);
    assert_eq!(at(74 + 470, 150), [0xC2, 0x4A, 0x2C]);
    assert_eq!(at(74 + 470, 100), [255; 3]);
}

#[test]
fn what_is_no_number_is_told() {
    let message = SignedBars::new("b", "", "", [f64::INFINITY]).draw().unwrap_err().to_string();
    assert!(message.contains("the bars 'b': expected finite values"), "{message}");
}
