//! Ranges and tick labels of the axes.

use std::ops::Range;

/// The smallest range that holds all finite `values` and ends on round numbers; 0 to 1 if there are none.
pub(crate) fn round_range(values: impl IntoIterator<Item = f64>, from_zero: bool) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return 0.0..1.0;
    }
    if from_zero {
        low = low.min(0.0);
        high = high.max(0.0);
    }
    if low == high {
        let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        (low, high) = (low - if from_zero { 0.0 } else { room }, high + room);
    }
    let step = round_step(high - low);
    (low / step).floor() * step..(high / step).ceil() * step
}

/// 1, 2 or 5 times a power of ten, of which about five fit into `length`.
fn round_step(length: f64) -> f64 {
    let power = 10f64.powf((length / 5.0).log10().floor());
    let candidates = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    candidates.into_iter().find(|step| length / step <= 6.0).unwrap_or(10.0 * power)
}

/// A tick label without the dust of binary fractions: 0.30000000000000004 is "0.3".
pub(crate) fn label(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_on_round_numbers() {
        assert_eq!(round_range([23.4, 71.6], false), 20.0..80.0);
        assert_eq!(round_range([23.4, 71.6], true), 0.0..80.0);
        assert_eq!(round_range([0.0, 300.0], false), 0.0..300.0);
        let losses = round_range([0.12, 2.48, f64::NAN, f64::INFINITY], true);
        assert_eq!(losses, 0.0..2.5);
    }

    #[test]
    fn nothing_and_a_single_value_have_a_range() {
        assert_eq!(round_range([], true), 0.0..1.0);
        assert_eq!(round_range([0.0], true), 0.0..1.0);
        assert_eq!(round_range([50.0], false), 44.0..56.0);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(label(0.1 + 0.2), "0.3");
        assert_eq!(label(-0.0), "0");
        assert_eq!(label(8000.0), "8000");
        assert_eq!(label(1e-5), "1.0e-5");
    }
}
