//! The icons from npm's packages into folders of pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::create_dir_all;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbaImage};
use rayon::prelude::*;

use super::attribution;
use super::drawing::{Drawings, Thumb};
use super::store::{Store, remove};
use super::tables::{self, ClassNames, DOMAINS, Fit, IconSet};
use crate::data::class_folders::list;
use crate::data::hub::{Event, Watch};
use crate::error::{Result, complain, file_error};
use crate::files::write_atomically;

/// Pictures that one set may have in one class and style, so that no artist makes half of it.
const MOST_OF_A_SET: usize = 5;
/// Icons that are drawn for that; some are nearly the same.
const MOST_DRAWN_OF_A_SET: usize = 9;
/// Pictures that one class may have in one style.
const MOST_OF_A_CLASS: usize = 60;
/// With fewer pictures a style lacks the class.
const FEWEST_OF_A_CLASS: usize = 5;
/// A class that more styles lack is left out.
const MOST_LACKING: usize = 1;
/// What has no colour of its own is drawn in this.
const INK: &str = "#111111";

/// What is in the folder after a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The classes with their pictures in each of [`DOMAINS`]; 0 where a style lacks the class.
    pub classes: Vec<(String, [usize; DOMAINS.len()])>,
    /// How many sets there are pictures of, perhaps.
    pub sets: usize,
    /// Sets that npm does not have any more, with their versions.
    pub gone: Vec<String>,
    /// Classes with too few pictures in more than one style.
    pub left_out: Vec<String>,
    /// Icons that could not be drawn, as `set/icon`.
    pub not_drawn: Vec<String>,
}

impl Fetched {
    /// Pictures in each of [`DOMAINS`].
    pub fn pictures(&self) -> [usize; DOMAINS.len()] {
        let mut sums = [0; DOMAINS.len()];
        for (_, counts) in &self.classes {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        sums
    }
}

/// Fetches the sets and writes their icons to `folder/<style>/<class>/<set>--<icon>.png`, the attributions beside them.
///
/// What was fetched stays in a hidden folder, so that an interrupted call goes on where it stopped; pictures that are
/// there already stay, and pictures of these sets that do not belong there any more are removed. A set that npm
/// does not have any more is left out and named in [`Fetched::gone`].
///
/// # Errors
/// If npm is absent or fails, all sets are gone, a set is not in Iconify's form, or a file cannot be written.
pub fn fetch(folder: &Path, watch: Watch) -> Result<Fetched> {
    let (sets, classes) = (tables::sets()?, tables::classes()?);
    create_dir_all(folder).map_err(|error| file_error("create", folder, error))?;
    let store = Store::below(folder);
    store.require_npm(&sets)?;
    let (mut gone, mut here) = (Vec::new(), Vec::new());
    for (done, set) in sets.iter().enumerate() {
        watch(Event::Sets { set: &set.name, done, all: sets.len() });
        match store.icons_of(set, &classes)? {
            Some(drawings) => here.push((set, drawings)),
            None => gone.push(format!("{}@{}", set.package(), set.version)),
        }
    }
    if here.is_empty() {
        return Err(complain("sets of icons from npm", "that it has none of them")
            .at(folder.display())
            .advice("look where npm fetches from: npm config get registry")
            .into());
    }
    let mut fetched =
        Fetched { classes: vec![], sets: here.len(), gone, left_out: vec![], not_drawn: vec![] };
    let mut of_sets: BTreeMap<&str, usize> = BTreeMap::new();
    let found = candidates(&here, &classes);
    let mut done = 0;
    let all = found.iter().flatten().map(Vec::len).sum();
    for (names, found) in classes.iter().zip(&found) {
        let mut kept: Vec<Vec<Picture>> = Vec::new();
        for icons in found {
            let (chosen, not_drawn) = draw(icons);
            kept.push(chosen);
            fetched.not_drawn.extend(not_drawn);
            done += icons.len();
            watch(Event::Pictures { done, all });
        }
        let few = |pictures: &&mut Vec<Picture>| pictures.len() < FEWEST_OF_A_CLASS;
        let lacking = kept.iter_mut().filter(few).map(|pictures| pictures.clear()).count();
        if lacking > MOST_LACKING {
            kept.iter_mut().for_each(Vec::clear);
            fetched.left_out.push(names.class.clone());
        }
        for (domain, pictures) in DOMAINS.iter().zip(&kept) {
            write(&folder.join(domain).join(&names.class), pictures, &sets)?;
            pictures.iter().for_each(|picture| *of_sets.entry(picture.set).or_default() += 1);
        }
        let counts: Vec<usize> = kept.iter().map(Vec::len).collect();
        if let (true, Ok(counts)) = (lacking <= MOST_LACKING, counts.try_into()) {
            fetched.classes.push((names.class.clone(), counts));
        }
    }
    write_atomically(&folder.join("ATTRIBUTION.md"), attribution::text(&sets, &of_sets).as_bytes())?;
    store.forget_others()?;
    Ok(fetched)
}

/// An icon that may become a picture; plain ones and short names sort before others.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    order: (Fit, usize, &'a str, &'a str),
    drawings: &'a Drawings,
    set: &'a IconSet,
    icon: &'a str,
}

/// The icons to draw of each class in each of [`DOMAINS`], in order.
fn candidates<'a>(
    sets: &'a [(&IconSet, Drawings)],
    classes: &[ClassNames],
) -> Vec<[Vec<Candidate<'a>>; DOMAINS.len()]> {
    let mut found: Vec<[Vec<Candidate>; DOMAINS.len()]> =
        classes.iter().map(|_| Default::default()).collect();
    for (set, drawings) in sets {
        for icon in drawings.icons.keys() {
            let Some((domain, base)) = set.style(icon) else { continue };
            // An icon is of the first class that it fits.
            let class = (0..)
                .zip(classes)
                .find_map(|(class, names)| Some((class, names.fit(&set.name, icon, base)?)));
            if let Some((class, fit)) = class {
                let order = (fit, icon.len(), set.name.as_str(), icon.as_str());
                let place: &mut [Vec<Candidate>; DOMAINS.len()] = &mut found[class];
                place[domain].push(Candidate { order, drawings, set, icon });
            }
        }
    }
    for icons in found.iter_mut().flatten() {
        icons.sort_by_key(|icon| icon.order);
        let mut of_sets: BTreeMap<&str, usize> = BTreeMap::new();
        icons.retain(|icon| {
            let count = of_sets.entry(&icon.set.name).or_default();
            *count += 1;
            *count <= MOST_DRAWN_OF_A_SET
        });
    }
    found
}

/// A picture that is kept.
struct Picture<'a> {
    set: &'a str,
    icon: &'a str,
    drawn: RgbaImage,
}

/// Draws the icons of one class in one style; the pictures to keep, and the icons that could not be drawn.
fn draw<'a>(icons: &[Candidate<'a>]) -> (Vec<Picture<'a>>, Vec<String>) {
    // A set with a hue has it in its flat icons alone; its solid ones are black as all others.
    let colour = |icon: &Candidate<'a>| -> &'a str {
        let flat = icon.set.style(icon.icon).is_some_and(|(domain, _)| DOMAINS[domain] == "Flat");
        icon.set.hue.as_deref().filter(|_| flat).unwrap_or(INK)
    };
    let drawn: Vec<Option<(RgbaImage, Thumb)>> = icons
        .par_iter()
        .map(|icon| {
            let picture = icon.drawings.draw(icon.icon, colour(icon))?;
            let thumb = Thumb::of(&picture);
            Some((picture, thumb))
        })
        .collect();
    let (mut kept, mut thumbs, mut not_drawn) = (Vec::new(), Vec::<Thumb>::new(), Vec::new());
    let mut of_sets: BTreeMap<&str, usize> = BTreeMap::new();
    for (icon, drawn) in icons.iter().zip(drawn) {
        let Some((drawn, thumb)) = drawn else {
            not_drawn.push(format!("{}/{}", icon.set.name, icon.icon));
            continue;
        };
        let count = of_sets.entry(&icon.set.name).or_default();
        let enough = *count >= MOST_OF_A_SET || kept.len() >= MOST_OF_A_CLASS;
        if enough || thumb.is_empty() || thumbs.iter().any(|other| thumb.is_like(other)) {
            continue;
        }
        *count += 1;
        thumbs.push(thumb);
        kept.push(Picture { set: &icon.set.name, icon: icon.icon, drawn });
    }
    (kept, not_drawn)
}

/// Makes `folder` hold these pictures and no other of the `sets`; a folder that is left empty goes.
fn write(folder: &Path, pictures: &[Picture], sets: &[IconSet]) -> Result<()> {
    let mut wanted = BTreeSet::new();
    if !pictures.is_empty() {
        create_dir_all(folder).map_err(|error| file_error("create", folder, error))?;
    }
    for picture in pictures {
        let file = folder.join(format!("{}--{}.png", picture.set, picture.icon));
        let mut bytes = Cursor::new(Vec::new());
        let encoded = picture.drawn.write_to(&mut bytes, ImageFormat::Png);
        encoded.map_err(|error| file_error("write", &file, std::io::Error::other(error)))?;
        let bytes = bytes.into_inner();
        // Written by an earlier call, perhaps.
        if std::fs::read(&file).ok().is_none_or(|there| there != bytes) {
            write_atomically(&file, &bytes)?;
        }
        wanted.insert(file);
    }
    if !folder.is_dir() {
        return Ok(());
    }
    for file in list(folder)?.pictures {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = name.split_once("--").is_some_and(|(set, _)| sets.iter().any(|known| known.name == set));
        if ours && !wanted.contains(&file) {
            remove(&file)?;
        }
    }
    if pictures.is_empty() && std::fs::read_dir(folder).is_ok_and(|mut inside| inside.next().is_none()) {
        remove(folder)?;
    }
    Ok(())
}
