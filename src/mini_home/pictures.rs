//! The pictures of one domain: drawn when first asked for, then kept.

use std::sync::OnceLock;

use image::{GrayImage, RgbImage};

use super::classes::CLASSES;
use super::cue::tied_hue;
use super::style::Style;
use crate::data::dataset::Pictures;
use crate::error::{Result, complain};
use crate::random::generator;

/// Width and height of every picture.
pub const SIDE: u32 = 40;

/// The most pictures a class may have.
const MOST_PER_CLASS: usize = 10_000;

/// Which of a domain's two sets of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What is trained on; in the transductive protocol of the paper also what is scored.
    Train,
    /// Fresh pictures of the same domain.
    Test,
}

impl Split {
    fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
        }
    }
}

/// What can be chosen about the data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Another seed draws other pictures.
    pub seed: u64,
    /// Probability, 0 to 1, that the hue of the background gives the class away, by a code of colours that differs
    /// between the domains: a spurious cue, which helps on the source and misleads on the target.
    pub rho: f64,
    /// Pictures of each class; `None` means 40 to train and 15 to test.
    pub images_per_class: Option<usize>,
}

impl Default for Options {
    /// Seed 1, no spurious cue, 40 and 15 pictures a class.
    fn default() -> Self {
        Self { seed: 1, rho: 0.0, images_per_class: None }
    }
}

/// The pictures of one domain of Mini Office-Home, class by class.
///
/// Each is a function of the seed, the split, the domain, the class and its number within the class, and of nothing
/// else: it can be drawn alone, in any order and on any thread, and asking for more pictures of each
/// class leaves the first ones as they are.
pub struct MiniHome {
    style: Style,
    split: Split,
    options: Options,
    per_class: usize,
    // One cell a picture, not one for all: a picture may be asked for from within a rayon job, and a rayon job that
    // waits for a cell which itself waits for rayon jobs can wait for ever.
    drawn: Vec<OnceLock<Picture>>,
}

/// A picture and the mask of its object (255 = object), both 40 x 40.
struct Picture {
    picture: RgbImage,
    mask: GrayImage,
}

impl MiniHome {
    /// The pictures of one domain; nothing is drawn yet.
    ///
    /// # Errors
    /// If `rho` is not a probability, or the number of pictures a class is 0 or above 10,000.
    pub fn new(style: Style, split: Split, options: &Options) -> Result<Self> {
        if !(0.0..=1.0).contains(&options.rho) {
            return Err(complain("a probability from 0 to 1", options.rho.to_string())
                .at("rho of Mini Office-Home")
                .advice("write 0 for no spurious cue, 0.8 for a strong one")
                .into());
        }
        let per_class = options.images_per_class.unwrap_or(match split {
            Split::Train => 40,
            Split::Test => 15,
        });
        if per_class == 0 || per_class > MOST_PER_CLASS {
            return Err(complain(format!("1 to {MOST_PER_CLASS}"), per_class.to_string())
                .at("images per class of Mini Office-Home")
                .advice("leave it out for the usual 40 to train and 15 to test")
                .into());
        }
        let drawn = (0..CLASSES.len() * per_class).map(|_| OnceLock::new()).collect();
        Ok(Self { style, split, options: options.clone(), per_class, drawn })
    }

    fn picture(&self, index: usize) -> &Picture {
        self.drawn[index].get_or_init(|| {
            let (class, number) = (index / self.per_class, index % self.per_class);
            let random = |purpose: &str| {
                let purpose = format!("mini home {} {} {purpose}", self.style, self.split.name());
                generator(self.options.seed, &purpose, class as u64, number as u64)
            };
            // The cue has its own generator, so that all else in a picture stays the same whatever rho is.
            let hue = tied_hue(self.style, class, self.options.rho, &mut random("cue"));
            let scene = self.style.draw(class, hue, &mut random("picture"));
            Picture { picture: scene.canvas.halved().to_rgb(), mask: scene.object.halved().to_gray() }
        })
    }

    fn check(&self, index: usize) -> Result<()> {
        if index < self.len() {
            return Ok(());
        }
        Err(complain(format!("an index below {}", self.len()), index.to_string())
            .at(format!("Mini Office-Home, {}", self.style))
            .into())
    }
}

impl Pictures for MiniHome {
    fn len(&self) -> usize {
        self.drawn.len()
    }

    fn name(&self, index: usize) -> String {
        let class = CLASSES.get(index / self.per_class);
        format!(
            "Mini Office-Home, {}, {}, {} {}, seed {}",
            self.style,
            self.split.name(),
            class.map_or("(no such class)", |class| class.name),
            index % self.per_class,
            self.options.seed
        )
    }

    fn label(&self, index: usize) -> u32 {
        (index / self.per_class) as u32
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        self.check(index)?;
        Ok(self.picture(index).picture.clone())
    }

    fn mask(&self, index: usize) -> Result<Option<GrayImage>> {
        self.check(index)?;
        Ok(Some(self.picture(index).mask.clone()))
    }
}
