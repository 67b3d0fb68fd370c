//! The four domains: their names in every spelling, and their renderers.

use std::fmt;
use std::str::FromStr;

use super::raster::Scene;
use super::{art, clipart, product, real_world};
use crate::data::names::letters;
use crate::error::{Error, complain, nearest};
use crate::random::Generator;

/// The style of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Oil paint, ink and wash.
    Art,
    /// Clean pictures on white or pastel.
    Clipart,
    /// Shaded objects in front of light grey.
    Product,
    /// Objects among clutter, seen by a mediocre camera.
    RealWorld,
}

/// The full and the short name of each.
const NAMES: [(&str, &str); 4] = [("Art", "Ar"), ("Clipart", "Cl"), ("Product", "Pr"), ("Real_World", "Rw")];

impl Style {
    /// All four, in Office-Home's order.
    pub const ALL: [Style; 4] = [Style::Art, Style::Clipart, Style::Product, Style::RealWorld];

    /// The full name, such as `Real_World`.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// The short name, such as `Rw`.
    pub fn short(self) -> &'static str {
        NAMES[self as usize].1
    }

    pub(super) fn draw(self, class: usize, hue: Option<f32>, random: &mut Generator) -> Scene {
        match self {
            Style::Art => art::draw(class, hue, random),
            Style::Clipart => clipart::draw(class, hue, random),
            Style::Product => product::draw(class, hue, random),
            Style::RealWorld => real_world::draw(class, hue, random),
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Style {
    type Err = Error;

    /// Accepts full and short names in any case; spaces, hyphens and underscores do not matter.
    fn from_str(written: &str) -> Result<Self, Error> {
        let known = |style: &Style| {
            [style.name(), style.short()].iter().any(|name| letters(name) == letters(written))
        };
        Style::ALL.into_iter().find(known).ok_or_else(|| {
            let listed = Style::ALL.map(|style| format!("{} ({})", style.name(), style.short()));
            let names = Style::ALL.into_iter().flat_map(|style| [style.name(), style.short()]);
            let advice = match nearest(written, names) {
                Some(name) => format!("did you mean '{name}'?"),
                None => "write one of these names".to_owned(),
            };
            complain(format!("a domain of Mini Office-Home: {}", listed.join(", ")), format!("'{written}'"))
                .advice(advice)
                .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_known_by_every_spelling() {
        for written in ["Rw", "rw", "Real_World", "real world", "REALWORLD", "Real-World"] {
            assert_eq!(written.parse::<Style>().unwrap(), Style::RealWorld);
        }
        for style in Style::ALL {
            assert_eq!(style.name().parse::<Style>().unwrap(), style);
            assert_eq!(style.short().parse::<Style>().unwrap(), style);
        }
    }

    #[test]
    fn an_unknown_domain_is_answered_with_the_list_and_a_guess() {
        let said = |written: &str| written.parse::<Style>().unwrap_err().to_string();
        assert_eq!(
            said("Clipert"),
            "expected a domain of Mini Office-Home: Art (Ar), Clipart (Cl), Product (Pr), Real_World (Rw), \
             found 'Clipert'\n  what to do: did you mean 'Clipart'?"
        );
        assert!(said("Photographs").ends_with("write one of these names"));
    }
}
