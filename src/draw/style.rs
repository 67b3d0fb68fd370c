//! How a method is called and coloured, the same in every table and chart.

use crate::method::table::{self, Look, TargetUse};

/// A colour as red, green, blue.
pub type Colour = [u8; 3];

/// The shape that marks the points of a curve, so that colour is never the only difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A triangle.
    Triangle,
    /// A square.
    Square,
}

/// What stands for a method that is not in the list.
const UNKNOWN: Colour = [0x1B, 0x7A, 0x50];

/// The domains of Office-Home, and the two sides of a task. They meet the methods' colours in no chart.
const DOMAINS: [(&str, Look); 6] = [
    ("Art", Look { name: "Art", colour: [0xC4, 0x3C, 0x39] }),
    ("Clipart", Look { name: "Clipart", colour: [0x2F, 0x6D, 0xB5] }),
    ("Product", Look { name: "Product", colour: [0x3F, 0x8F, 0x4F] }),
    ("Real_World", Look { name: "Real World", colour: [0x8A, 0x62, 0xB0] }),
    ("source", Look { name: "source", colour: [0x2F, 0x6D, 0xB5] }),
    ("target", Look { name: "target", colour: [0xD8, 0x7A, 0x16] }),
];

/// For what has no colour of its own, by its place.
const PALETTE: [Colour; 8] = [
    [0x1F, 0x5F, 0x99],
    [0xD0, 0x6A, 0x12],
    [0x2E, 0x8B, 0x57],
    [0xA8, 0x32, 0x5E],
    [0x6A, 0x51, 0xA3],
    [0x7A, 0x5C, 0x2E],
    [0x20, 0x8E, 0x9E],
    [0x66, 0x66, 0x66],
];

/// The colour of a method or a domain, the same everywhere; of anything else, that of its place in the chart.
pub fn colour_of(label: &str, place: usize) -> Colour {
    known_colour(label).unwrap_or(PALETTE[place % PALETTE.len()])
}

/// The name to show: `dannp+toalign` is "DANNP+ToAlign", `Real_World` "Real World". An unknown name is shown as it is.
pub fn display_name(name: &str) -> String {
    match table::find(name) {
        Some((entry, variant)) => entry.display_name(variant),
        None => domain(name).map_or(name, |look| look.name).to_owned(),
    }
}

/// The colour of a method, the same everywhere.
pub fn method_colour(name: &str) -> Colour {
    known_colour(name).unwrap_or(UNKNOWN)
}

/// The marker of a method: triangles for ToAlign and its controls, squares for what does not adapt to the target, discs for
/// the rest.
pub fn method_marker(name: &str) -> Marker {
    match table::find(name) {
        Some((_, variant)) if !variant.is_plain() => Marker::Triangle,
        Some((entry, _)) if entry.target != TargetUse::Loss => Marker::Square,
        _ => Marker::Circle,
    }
}

fn known_colour(name: &str) -> Option<Colour> {
    let method = table::find(name).map(|(entry, variant)| entry.colour(variant));
    method.or_else(|| domain(name).map(|look| look.colour))
}

fn domain(name: &str) -> Option<&'static Look> {
    DOMAINS.iter().find(|(known, _)| *known == name).map(|(_, look)| look)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How red-blind (protanope) and green-blind (deuteranope) eyes see linear RGB: Machado, Oliveira and Fernandes,
    /// A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009, severity 1.
    const EYES: [[[f64; 3]; 3]; 3] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ];

    fn product(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| (0..3).map(|i| row[i] * vector[i]).sum())
    }

    fn linear(channel: u8) -> f64 {
        (f64::from(channel) / 255.0).powf(2.2)
    }

    /// OKLab (B. Ottosson, 2020), in which distances follow the eye.
    fn lab(rgb: [f64; 3]) -> [f64; 3] {
        let cones = product(
            &[
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ],
            rgb.map(|value| value.max(0.0)),
        );
        product(
            &[
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ],
            cones.map(f64::cbrt),
        )
    }

    #[test]
    fn every_two_methods_stay_apart_for_every_eye() {
        let looks: Vec<Look> =
            table::ALL.iter().flat_map(|row| [Some(row.look), row.with_toalign]).flatten().collect();
        for (eye, matrix) in EYES.iter().enumerate() {
            for (i, Look { name: first, colour: one }) in looks.iter().enumerate() {
                for Look { name: second, colour: other } in &looks[..i] {
                    let a = lab(product(matrix, one.map(linear)));
                    let b = lab(product(matrix, other.map(linear)));
                    let distance = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
                    // 0.02 is just noticeable.
                    assert!(distance > 0.07, "{first} and {second} for eye {eye}: {distance:.3}");
                }
            }
        }
    }

    #[test]
    fn names_are_shown_as_the_field_writes_them() {
        assert_eq!(display_name("source-only"), "Source only");
        assert_eq!(display_name("target-bn-only"), "Target BN only");
        assert_eq!(display_name("dannp+toalign"), "DANNP+ToAlign");
        assert_eq!(display_name("Real_World"), "Real World");
        assert_eq!(display_name("something new"), "something new");
        assert_eq!(method_colour("something new"), UNKNOWN);
        assert_eq!(method_marker("hda+toalign"), Marker::Triangle);
        assert_eq!(method_marker("hda"), Marker::Circle);
    }
}
