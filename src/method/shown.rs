//! What stands for the source in the alignment: its feature, ToAlign's part of it, or a control in ToAlign's place.

use std::fmt;

use crate::model::DiscriminatorInput;

/// What the adversary is shown of a source picture. All but the first two are controls of our own: each leaves one thing of
/// ToAlign out, to see whether it was that thing which counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// The feature `f`.
    Feature,
    /// ToAlign's task-relevant part `f_p = s·w⊙f`.
    TaskRelevant,
    /// `f_p` without any gradient into `f`: the source feature is not moved by the adversary.
    Detached,
    /// `f_p` with `s = 1`, without the energy of `f`.
    Unit,
    /// The softmax of `C(f_p)/T` in place of that of `C(f_p)`.
    Temperature(f64),
    /// The true label, one-hot, in place of the softmax of `C(f_p)`: no feature at all.
    Labels,
}

impl Shown {
    /// The controls, with what each does; the temperature stands for all.
    pub const CONTROLS: [(Self, &str); 4] = [
        (Self::Labels, "the true label, one-hot, in place of f_p's softmax"),
        (Self::Detached, "f_p without a gradient into f"),
        (Self::Unit, "f_p with s = 1"),
        (Self::Temperature(10.0), "the softmax of f_p at temperature 10, or another number"),
    ];

    /// That of a word such as `toalign` or `temperature10`, if it is one.
    ///
    /// ```
    /// use toalign::method::shown::Shown;
    /// assert_eq!(Shown::of_word("temperature2.5"), Some(Shown::Temperature(2.5)));
    /// assert_eq!((Shown::of_word("labels"), Shown::of_word("temperature0")), (Some(Shown::Labels), None));
    /// ```
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "toalign" => Some(Self::TaskRelevant),
            "detached" => Some(Self::Detached),
            "unit" => Some(Self::Unit),
            "labels" => Some(Self::Labels),
            _ => {
                let temperature: f64 = word.strip_prefix("temperature")?.parse().ok()?;
                (temperature.is_finite() && temperature > 0.0).then_some(Self::Temperature(temperature))
            }
        }
    }

    /// Whether it can stand for the source where the discriminator sees `input`.
    pub fn fits(self, input: DiscriminatorInput) -> bool {
        input == DiscriminatorInput::Probabilities || !matches!(self, Self::Labels | Self::Temperature(_))
    }

    /// Whether it is a control, which nobody has published.
    pub fn is_control(self) -> bool {
        !matches!(self, Self::Feature | Self::TaskRelevant)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Feature => f.write_str("feature"),
            Self::TaskRelevant => f.write_str("toalign"),
            Self::Detached => f.write_str("detached"),
            Self::Unit => f.write_str("unit"),
            Self::Temperature(temperature) => write!(f, "temperature{temperature}"),
            Self::Labels => f.write_str("labels"),
        }
    }
}

/// How a method deals with the source: what it shows the adversary, and how often batch norm counts it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// What stands for the source in the alignment.
    pub shown: Shown,
    /// Whether a source batch moves batch norm's running statistics once, although something else than its feature is
    /// shown; as published it then moves them twice, see
    /// [`PUBLISHED_STATISTICS_UPDATES`](super::alignment::PUBLISHED_STATISTICS_UPDATES).
    pub once: bool,
}

impl Variant {
    /// The method itself.
    pub const PLAIN: Self = Self { shown: Shown::Feature, once: false };
    /// With ToAlign, as published.
    pub const TOALIGN: Self = Self { shown: Shown::TaskRelevant, once: false };

    /// Whether this is the method itself.
    pub fn is_plain(self) -> bool {
        self.shown == Shown::Feature
    }

    /// What stands behind a method's key, such as `+toalign` or `+labels+once`; nothing for the method itself.
    pub fn suffix(self) -> String {
        match self {
            Self { shown: Shown::Feature, .. } => String::new(),
            Self { shown, once: false } => format!("+{shown}"),
            Self { shown, once: true } => format!("+{shown}+once"),
        }
    }

    /// The key before the suffix, and the variant; without a known suffix all of `name` is the key.
    ///
    /// ```
    /// use toalign::method::shown::{Shown, Variant};
    /// assert_eq!(Variant::split("hda+toalign"), ("hda", Variant::TOALIGN));
    /// assert_eq!(Variant::split("dannp+labels+once"), ("dannp", Variant { shown: Shown::Labels, once: true }));
    /// assert_eq!(Variant::split("hda+other"), ("hda+other", Variant::PLAIN));
    /// ```
    pub fn split(name: &str) -> (&str, Self) {
        let (rest, once) = name.strip_suffix("+once").map_or((name, false), |rest| (rest, true));
        let parts = rest.rsplit_once('+').and_then(|(key, word)| Some((key, Shown::of_word(word)?)));
        parts.map_or((name, Self::PLAIN), |(key, shown)| (key, Self { shown, once }))
    }
}
