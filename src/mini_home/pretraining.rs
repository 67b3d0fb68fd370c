//! What the small backbone is pretrained on, as ImageNet comes before Office-Home: 400 other emoji in no particular
//! style.
//!
//! The 400 were drawn at random (once) from the 933 single-code-point emoji from U+1F300 on that remain
//! when these are left out:
//! - flags (1F38C 1F3C1 1F3F3 1F3F4 1F6A9), skin tones (1F3FB–F), hair (1F9B0–3), clock faces (1F550–67);
//! - what differs from another by its colour or its size only: coloured discs, squares, diamonds, triangles, hearts,
//!   and the steps of brightness and volume;
//! - what is like a class of Office-Home (all 65, not only the twelve here):
//!   *Alarm_Clock* 1F570 · *Backpack* 1F392 1F9F3 · *Batteries* 1F50B 1FAAB · *Bed* 1F6CC 1F6CF ·
//!   *Bike* 1F6B2–5 1F6F4 1F6F5 · *Bottle* 1F376 1F37C 1F37E 1F9F4 1FAD9 · *Bucket* 1FAA3 · *Calculator* 1F9EE ·
//!   *Calendar* 1F4C5 1F4C6 1F5D3 · *Candles* 1F54E 1F56F · *Chair* 1F4BA 1F9BC 1F9BD 1FA91 · *Clipboards* 1F4C3 1F4C4
//!   1F4CB 1F4D1 · *Computer, Laptop, Monitor* 1F4BB 1F5A5 · *Couch* 1F6CB · *Desk_Lamp* 1F4A1 1FA94 · *Exit_Sign* 1F6AA
//!   · *Fan* 1FAAD · *File_Cabinet* 1F5C2–4 · *Flipflops* 1F461 1FA74 · *Flowers* 1F337–3C 1F3F5 1F490 1F4A0 1F4AE 1F940
//!   1FAB4 1FAB7 1FABB · *Folder* 1F4C1 1F4C2 · *Fork, Spoon* 1F374 1F37D 1F944 1F962 1F963 · *Glasses* 1F453 1F576 1F60E
//!   1F913 1F97D · *Hammer* 1F528 1F6E0 1FA93 · *Helmet* 1F3CD 1F477 1FA96 · *Kettle* 1FAD6 · *Knives* 1F52A 1F5E1 ·
//!   *Marker, Pen, Pencil* 1F4DD 1F50F 1F58A–D · *Mop* 1F9F9 · *Mouse* 1F5B1 1F5B2 · *Mug* 1F375 1F37A 1F37B 1F943 1F95B
//!   1F9C9 · *Notebook* 1F4D2–DA 1F4F0 1F5D2 · *Pan* 1F372 1F373 1F958 · *Paper_Clip* 1F4CE 1F587 · *Printer* 1F4E0 1F5A8 ·
//!   *Push_Pin* 1F4CC 1F4CD · *Radio* 1F4FB · *Ruler* 1F4CF 1F4D0 · *Screwdriver* 1F527 1FA9B · *Sink* 1F6B0 1F6B1 1F6BF ·
//!   *Sneakers* 1F45E 1F45F 1F6FC 1F97E 1F97F · *Soda* 1F964 1F9C3 1F9CB · *Speaker* 1F507–A · *Telephone* 1F4DE 1F4DF
//!   1F4F1–5 · *ToothBrush* 1FAA5 · *Toys* 1F9F8 1FA80 1FA85 1FA86 · *Trash_Can* 1F5D1 1F6AE 1F6AF · *TV* 1F4FA ·
//!   *Webcam* 1F3A5 1F4F7–9;
//! - the thirty things that lie about in Real_World.

use std::sync::{Arc, OnceLock};

use image::RgbImage;
use rand::Rng;
use twemoji_assets::png::PngTwemojiAsset;

use super::classes::emoji;
use super::colour::{chance, from_hsv, uniform};
use super::noise::fractal_noise;
use super::pictures::Split;
use super::placement::{Freedom, Placement};
use super::raster::{CANVAS, Canvas};
use crate::data::dataset::{Domain, Pictures};
use crate::error::{Result, complain};
use crate::random::{Generator, generator};

/// Pictures of each class to train on.
const TRAIN_PER_CLASS: usize = 50;
/// Pictures of each class to validate with.
const VALIDATION_PER_CLASS: usize = 10;

const FREEDOM: Freedom = Freedom { scale: (0.60, 0.95), rotation: 25.0, shift: 0.08, shear: 0.15 };

/// The pretraining classes by label.
static CLASSES: &[PngTwemojiAsset] = emoji! {
    U_1F301 U_1F302 U_1F305 U_1F308 U_1F309 U_1F30A U_1F30C U_1F30E U_1F311 U_1F312 U_1F315 U_1F316
    U_1F318 U_1F31A U_1F31B U_1F31C U_1F31D U_1F31E U_1F31F U_1F321 U_1F325 U_1F326 U_1F328 U_1F32A
    U_1F32B U_1F32E U_1F330 U_1F333 U_1F343 U_1F348 U_1F34E U_1F350 U_1F356 U_1F357 U_1F359 U_1F35D
    U_1F362 U_1F364 U_1F365 U_1F367 U_1F36E U_1F371 U_1F378 U_1F380 U_1F382 U_1F384 U_1F385 U_1F386
    U_1F38B U_1F38D U_1F38E U_1F393 U_1F396 U_1F397 U_1F39A U_1F39F U_1F3A4 U_1F3AA U_1F3AB U_1F3AE
    U_1F3AF U_1F3B0 U_1F3BD U_1F3BE U_1F3CA U_1F3CC U_1F3CE U_1F3CF U_1F3D0 U_1F3D2 U_1F3D5 U_1F3D6
    U_1F3D7 U_1F3D8 U_1F3D9 U_1F3DA U_1F3DC U_1F3E1 U_1F3E5 U_1F3E9 U_1F3EA U_1F3EC U_1F3EE U_1F3F8
    U_1F403 U_1F404 U_1F409 U_1F40B U_1F40D U_1F410 U_1F411 U_1F415 U_1F416 U_1F418 U_1F419 U_1F41B
    U_1F41C U_1F41D U_1F41E U_1F421 U_1F424 U_1F425 U_1F426 U_1F427 U_1F428 U_1F42A U_1F42F U_1F432
    U_1F433 U_1F43B U_1F43E U_1F43F U_1F441 U_1F444 U_1F44C U_1F44D U_1F44E U_1F44F U_1F456 U_1F45A
    U_1F460 U_1F462 U_1F464 U_1F46A U_1F46B U_1F46C U_1F46F U_1F470 U_1F471 U_1F473 U_1F479 U_1F47C
    U_1F47E U_1F480 U_1F482 U_1F483 U_1F485 U_1F488 U_1F48A U_1F48B U_1F48C U_1F491 U_1F493 U_1F497
    U_1F498 U_1F4A4 U_1F4A5 U_1F4A6 U_1F4A7 U_1F4A9 U_1F4AA U_1F4AB U_1F4AC U_1F4AD U_1F4B4 U_1F4B8
    U_1F4C8 U_1F4CA U_1F4DB U_1F4E2 U_1F4E6 U_1F4EA U_1F4EB U_1F4EC U_1F4ED U_1F4EF U_1F4FD U_1F502
    U_1F503 U_1F50C U_1F50D U_1F50E U_1F512 U_1F514 U_1F517 U_1F519 U_1F51A U_1F51C U_1F523 U_1F524
    U_1F526 U_1F52E U_1F52F U_1F53D U_1F54B U_1F573 U_1F574 U_1F577 U_1F57A U_1F590 U_1F5E3 U_1F5FA
    U_1F5FB U_1F5FD U_1F5FF U_1F602 U_1F603 U_1F604 U_1F605 U_1F60F U_1F612 U_1F614 U_1F617 U_1F61A
    U_1F61B U_1F61F U_1F622 U_1F623 U_1F624 U_1F627 U_1F62A U_1F62B U_1F62E U_1F62F U_1F631 U_1F633
    U_1F634 U_1F635 U_1F636 U_1F637 U_1F638 U_1F639 U_1F63B U_1F63D U_1F63F U_1F642 U_1F644 U_1F647
    U_1F64B U_1F681 U_1F683 U_1F687 U_1F688 U_1F689 U_1F68A U_1F68D U_1F690 U_1F691 U_1F693 U_1F694
    U_1F696 U_1F698 U_1F69A U_1F69E U_1F6A0 U_1F6A3 U_1F6A5 U_1F6A8 U_1F6AB U_1F6AC U_1F6B8 U_1F6BA
    U_1F6BC U_1F6BD U_1F6C4 U_1F6CE U_1F6D1 U_1F6D2 U_1F6D5 U_1F6D7 U_1F6E2 U_1F6E3 U_1F6E5 U_1F6F0
    U_1F6F6 U_1F6F7 U_1F6F9 U_1F6FA U_1F6FB U_1F90C U_1F917 U_1F918 U_1F919 U_1F91A U_1F91E U_1F91F
    U_1F920 U_1F923 U_1F924 U_1F92B U_1F92D U_1F92E U_1F930 U_1F931 U_1F932 U_1F933 U_1F934 U_1F935
    U_1F937 U_1F93A U_1F93D U_1F93E U_1F945 U_1F947 U_1F948 U_1F94D U_1F94E U_1F950 U_1F951 U_1F953
    U_1F954 U_1F95C U_1F95F U_1F966 U_1F969 U_1F96A U_1F96C U_1F96F U_1F973 U_1F974 U_1F975 U_1F97B
    U_1F97C U_1F980 U_1F983 U_1F989 U_1F98A U_1F98D U_1F98F U_1F992 U_1F993 U_1F994 U_1F996 U_1F997
    U_1F999 U_1F99B U_1F99E U_1F9A0 U_1F9A1 U_1F9A2 U_1F9A7 U_1F9A8 U_1F9A9 U_1F9AB U_1F9AC U_1F9AD
    U_1F9B4 U_1F9B5 U_1F9B6 U_1F9B7 U_1F9B8 U_1F9BA U_1F9BF U_1F9C1 U_1F9C2 U_1F9C4 U_1F9C8 U_1F9CA
    U_1F9CE U_1F9D0 U_1F9D1 U_1F9D2 U_1F9D5 U_1F9D8 U_1F9E2 U_1F9E7 U_1F9E8 U_1F9E9 U_1F9EB U_1F9F6
    U_1F9F7 U_1F9FC U_1F9FD U_1FA79 U_1FA7B U_1FA81 U_1FA89 U_1FA90 U_1FA95 U_1FA99 U_1FA9A U_1FA9E
    U_1FA9F U_1FAA2 U_1FAA7 U_1FAAA U_1FAB6 U_1FAB9 U_1FABA U_1FAC3 U_1FAC4 U_1FAC5 U_1FACE U_1FAD1
    U_1FAD2 U_1FAD3 U_1FAD7 U_1FADA U_1FADB U_1FADC U_1FAE0 U_1FAE3 U_1FAE5 U_1FAE8 U_1FAE9 U_1FAF0
    U_1FAF2 U_1FAF4 U_1FAF5 U_1FAF7
};

/// The pretraining pictures; each is drawn anew whenever it is asked for.
pub struct PretrainingPictures {
    split: Split,
    seed: u64,
    per_class: usize,
    glyphs: Vec<OnceLock<Canvas>>,
}

/// The names of the 400 pretraining classes by label.
pub fn class_names() -> Vec<String> {
    CLASSES.iter().map(|asset| asset.label.unwrap_or(asset.emoji).to_owned()).collect()
}

/// The pretraining pictures as a domain: 400 x 50 to train, 400 x 10 others ([`Split::Test`]) to validate.
pub fn domain(split: Split, seed: u64) -> Domain {
    Domain { name: "other emoji".to_owned(), pictures: Arc::new(PretrainingPictures::new(split, seed)) }
}

impl PretrainingPictures {
    /// The pictures of one split; nothing is drawn yet.
    pub fn new(split: Split, seed: u64) -> Self {
        Self {
            split,
            seed,
            per_class: match split {
                Split::Train => TRAIN_PER_CLASS,
                Split::Test => VALIDATION_PER_CLASS,
            },
            glyphs: CLASSES.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Pictures for PretrainingPictures {
    fn len(&self) -> usize {
        CLASSES.len() * self.per_class
    }

    fn name(&self, index: usize) -> String {
        let class = CLASSES.get(index / self.per_class);
        format!(
            "pretraining picture {index} ({:?}, {}), seed {}",
            self.split,
            class.and_then(|asset| asset.label).unwrap_or("no name"),
            self.seed
        )
    }

    fn label(&self, index: usize) -> u32 {
        (index / self.per_class) as u32
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        let (class, number) = (index / self.per_class, index % self.per_class);
        let Some(cell) = self.glyphs.get(class) else {
            return Err(complain(format!("an index below {}", self.len()), index.to_string())
                .at("pretraining pictures")
                .into());
        };
        let glyph = cell.get_or_init(|| super::glyphs::emoji(&CLASSES[class]));
        let purpose = match self.split {
            Split::Train => "pretraining train",
            Split::Test => "pretraining validation",
        };
        let random = &mut generator(self.seed, purpose, class as u64, number as u64);
        Ok(draw(glyph, random).halved().to_rgb())
    }
}

/// A glyph on a flat or cloudy background: no contour, relief, clutter, strokes or few shades, which belong to
/// the four domains.
fn draw(glyph: &Canvas, random: &mut Generator) -> Canvas {
    let ground = from_hsv(random.random(), uniform(random, 0.0, 0.6), uniform(random, 0.2, 1.0));
    let mut canvas = Canvas::opaque(CANVAS, ground);
    if chance(random, 0.5) {
        let cells = random.random_range(2..=8);
        let strength = uniform(random, 0.05, 0.25);
        canvas.add(&fractal_noise(random, cells, 2), strength);
    }
    let mut object = Placement::draw(random, &FREEDOM).place(glyph);
    object.turn_hue(uniform(random, -40.0, 40.0));
    object.saturate(uniform(random, 0.5, 1.3));
    canvas.lay(&object);

    let strength = uniform(random, 0.0, 0.3);
    canvas.light_unevenly(random, strength);
    let mut canvas = canvas.blurred(uniform(random, 0.0, 0.8));
    let deviation = uniform(random, 0.0, 0.03);
    canvas.grain(random, deviation);
    canvas
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::mini_home::classes;

    #[test]
    fn the_400_are_different_and_none_is_seen_again_in_the_domains() {
        let pretrained: HashSet<&str> = CLASSES.iter().map(|asset| asset.emoji).collect();
        assert_eq!(pretrained.len(), 400);
        let seen_again = classes::CLASSES.iter().flat_map(|class| class.emoji);
        for asset in seen_again.chain(classes::DISTRACTORS) {
            assert!(!pretrained.contains(asset.emoji), "{}", asset.emoji);
        }
        let names: HashSet<String> = class_names().into_iter().collect();
        assert_eq!(names.len(), 400);
    }
}
