//! Mini Office-Home: the data set that is always there. Twelve of Office-Home's classes in its four domains,
//! drawn at 40 x 40 when they are needed, with a mask of the object for every picture.
//!
//! ```
//! use toalign::mini_home::{Options, task};
//! let task = task("Cl-Rw", &Options::default())?;
//! assert_eq!(task.classes.len(), 12);
//! assert_eq!(task.source.pictures.len(), 480);
//! assert_eq!(task.target.pictures.decode(7)?.dimensions(), (40, 40));
//! # Ok::<(), toalign::Error>(())
//! ```
//!
//! It is for teaching and for tests: a run takes a minute, needs no download, and can be repeated to the bit on the same machine.
//! Its numbers are its own and say nothing about the paper's.
//!
//! | domain | what it looks like |
//! | --- | --- |
//! | Art | oil paint, or ink and wash, on broad brush strokes |
//! | Clipart | clean pictures on white or pastel, half of them with a black contour |
//! | Product | shaded objects in front of light grey |
//! | Real_World | objects on a table among clutter, some half hidden, seen by a mediocre camera |
//!
//! A renderer draws on 80 x 80 with premultiplied colours and takes the mean of 2 x 2. Numbers such as "scale 0.65 to
//! 0.92" stand at the top of each renderer's file and in the order in which they are used.
//!
//! # Credits
//! No picture is stored in this project; they come compiled in from two published packages.
//! - The objects: Twemoji, © Twitter, Inc and other contributors, <https://github.com/jdecked/twemoji>, licensed under
//!   CC-BY 4.0 (<https://creativecommons.org/licenses/by/4.0/>), from the package `twemoji-assets`. They are modified:
//!   placed, recoloured, shaded, painted over and reduced.
//! - The ink drawings of Art: the font Noto Emoji, © Google Inc., licensed under the SIL Open Font License 1.1
//!   (<https://openfontlicense.org>), from the package `epaint_default_fonts`, which carries the font and its licence.

mod art;
mod camera;
mod classes;
mod clipart;
mod colour;
mod cue;
mod glyphs;
mod noise;
mod pictures;
mod placement;
pub mod pretraining;
mod product;
mod raster;
mod real_world;
mod shading;
mod style;

use std::sync::Arc;

pub use pictures::{MiniHome, Options, SIDE, Split};
pub use style::Style;

use crate::data::dataset::{Domain, Task};
use crate::data::joined::join;
use crate::data::names::{all_tasks, twice};
use crate::error::{Result, complain};

/// The names of the twelve classes by label.
pub fn class_names() -> Vec<String> {
    classes::CLASSES.iter().map(|class| class.name.to_owned()).collect()
}

/// One domain by its name: `Art`, `Clipart`, `Product`, `Real_World`, or `Ar`, `Cl`, `Pr`, `Rw`, in any case.
///
/// # Errors
/// If there is no such domain, or as [`MiniHome::new`].
pub fn domain(name: &str, split: Split, options: &Options) -> Result<Domain> {
    let style: Style = name.parse()?;
    Ok(Domain { name: style.name().to_owned(), pictures: Arc::new(MiniHome::new(style, split, options)?) })
}

/// One task by its name, such as `Cl-Rw`, `Clipart-Real_World` or `Ar+Cl-Rw`: the training pictures of all domains.
///
/// That is the transductive protocol of the paper: the target's pictures are adapted to without their labels,
/// and scored. For fresh pictures of the target ask [`domain`] for its [`Split::Test`].
///
/// # Errors
/// If the name is not that of two different domains, or as [`MiniHome::new`].
pub fn task(name: &str, options: &Options) -> Result<Task> {
    let Some((source, target)) = name.split_once('-') else {
        return Err(complain("a task as SOURCE-TARGET", format!("'{name}'"))
            .advice("write Cl-Rw for Clipart to Real_World; the domains are Ar, Cl, Pr, Rw")
            .into());
    };
    let mut sources = source.split('+').map(str::parse).collect::<Result<Vec<Style>>>()?;
    let target: Style = target.parse()?;
    sources.sort_by_key(|source| Style::ALL.iter().position(|style| style == source));
    let named = [&sources[..], &[target]].concat();
    if let Some(twice) = twice(&named) {
        let expected = if named.len() == 2 { "a task of two different domains" } else { "different domains" };
        return Err(complain(expected, format!("'{name}', which is {twice} twice"))
            .advice("write Cl-Rw for Clipart to Real_World; the domains are Ar, Cl, Pr, Rw")
            .into());
    }
    let load = |style: &Style| domain(style.name(), Split::Train, options);
    let source = join(sources.iter().map(load).collect::<Result<_>>()?);
    let target_pictures = load(&target)?;
    let short: Vec<&str> = sources.iter().map(|source| source.short()).collect();
    let name = format!("{}-{}", short.join("+"), target.short());
    Ok(Task::tested_on_training_pictures(name, source, target_pictures, class_names(), Vec::new()))
}

/// The short names of all twelve tasks, source by source.
pub fn task_names() -> Vec<String> {
    all_tasks(&domain_names())
}

/// The full names of the four domains.
pub fn domain_names() -> Vec<String> {
    Style::ALL.map(|style| style.name().to_owned()).to_vec()
}
