//! The twelve classes with their artwork, and what lies about in the background.

use twemoji_assets::png::{PngTwemojiAsset, codes};

/// One class.
pub(super) struct Class {
    /// Office-Home's name for it.
    pub name: &'static str,
    /// Its Twemoji pictures.
    pub emoji: &'static [PngTwemojiAsset],
    /// Its line drawings in Noto Emoji.
    pub ink: &'static [char],
}

macro_rules! classes {
    ($($name:ident: $($emoji:ident)* | $($ink:literal)*;)*) => {
        &[$(Class {
            name: stringify!($name),
            emoji: &[$(codes::$emoji),*],
            ink: &[$($ink),*],
        }),*]
    };
}

/// The classes by label.
pub(super) static CLASSES: &[Class] = classes! {
    Alarm_Clock: U_23F0 U_1F570 U_23F1 | '⏰';
    Backpack: U_1F392 | '🎒';
    Bike: U_1F6B2 | '🚲';
    Bottle: U_1F37C U_1F37E | '🍼';
    Chair: U_1FA91 U_1F4BA | '💺';
    Computer: U_1F4BB U_1F5A5 | '💻';
    Flowers: U_1F33B U_1F337 U_1F339 U_1F33C | '🌻' '🌷' '🌹' '🌼';
    Glasses: U_1F453 U_1F576 | '👓';
    Hammer: U_1F528 | '🔨';
    Mug: U_2615 U_1F37A | '☕' '🍺';
    Scissors: U_2702 | '✂';
    Sneakers: U_1F45F | '👟';
};

/// A list of Twemoji's pictures by code point; only what is named gets linked.
macro_rules! emoji {
    ($($code:ident)*) => { &[$(twemoji_assets::png::codes::$code),*] };
}
pub(super) use emoji;

/// Objects for the background of Real_World: like none of Office-Home's 65 classes, and not among the
/// pretraining classes either.
pub(super) static DISTRACTORS: &[PngTwemojiAsset] = emoji! {
    U_1F345 U_1F34C U_1F349 U_1F352 U_1F36A U_1F369 U_1F344 U_1F335 U_1F332 U_1F414
    U_1F41F U_1F422 U_1F431 U_1F436 U_1F98B U_1F697 U_1F69C U_1F6A2 U_1F680 U_1F3E0
    U_1F3A8 U_1F3B8 U_1F3C0 U_1F3B2 U_1F381 U_1F388 U_1F451 U_1F455 U_1F511 U_1F9F2
};
