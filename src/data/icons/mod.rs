//! Office-Home's classes as icons: four styles by some fifty artists, from open sets, made by `toalign data fetch icons`.
//!
//! | domain | what it looks like |
//! | --- | --- |
//! | Line | black outlines |
//! | Solid | black shapes |
//! | Flat | few colours, or one colour and its tints |
//! | Emoji | full colour, shaded |
//!
//! The sets, their versions and licences stand in `data_maps/icon_sets.csv`; what icons of a class are called stands in
//! `data_maps/icons.csv`. No picture is part of this project. A picture is 96 × 96 on white; its alpha is the mask of the
//! object, as Mini Office-Home has one for every picture.

mod attribution;
mod drawing;
mod fetch;
mod npm;
mod patterns;
mod pictures;
mod store;
mod tables;

use std::collections::BTreeSet;
use std::path::Path;

pub use drawing::SIDE;
pub use fetch::{Fetched, fetch};
pub use tables::{ClassNames, DOMAINS, Fit, IconSet, classes, sets};

use crate::data::check::DomainCheck;
use crate::data::class_folders::ClassFolders;
use crate::data::dataset::{Domain, Task};
use crate::data::folder;
use crate::data::joined::join;
use crate::data::listed::some_of;
use crate::data::names::{find_task, task_name};
use crate::data::picture_files::{Options, PictureFiles};
use crate::error::{Result, complain};

/// The names of the four domains.
pub fn domains() -> Vec<String> {
    DOMAINS.map(str::to_owned).to_vec()
}

/// The task `SOURCE-TARGET`, such as `Li-So`, on the icons in `folder`.
///
/// Its classes are those that all of its domains have, sorted by name; [`Task::remarks`] names the others.
///
/// # Errors
/// If `folder` does not hold a domain of the task, a class folder is empty, or the domains share no class; or if, with
/// `skip_bad_images`, no picture of a domain is left.
pub fn task(folder: &Path, source_target: &str, options: &Options) -> Result<Task> {
    let names = domains();
    let (sources, target) = find_task(source_target, &names)?;
    let read = |index: usize| -> Result<(&str, ClassFolders)> {
        let place = folder.join(&names[index]);
        if !place.is_dir() {
            return Err(complain(format!("the domain {} of the icons", names[index]), "no such folder")
                .at(place.display())
                .advice(format!("make it with toalign data fetch icons --out {}", folder.display()))
                .into());
        }
        Ok((&names[index], ClassFolders::read(&place)?))
    };
    let found = sources.iter().chain([&target]).map(|&index| read(index)).collect::<Result<Vec<_>>>()?;
    let all: BTreeSet<String> = found.iter().flat_map(|(_, domain)| domain.classes.keys().cloned()).collect();
    let in_all = |class: &String| found.iter().all(|(_, domain)| domain.classes.contains_key(class));
    let (classes, others): (Vec<String>, Vec<String>) = all.into_iter().partition(in_all);
    let name = task_name(&sources, target, &names);
    if classes.is_empty() {
        return Err(complain(format!("a class that all domains of {name} have"), "none")
            .at(folder.display())
            .advice(format!("make them with toalign data fetch icons --out {}", folder.display()))
            .into());
    }
    let mut remarks = Vec::new();
    if !others.is_empty() {
        remarks.push(format!(
            "{name} has the {} classes that all of its domains have, and not {}",
            classes.len(),
            some_of(&others)
        ));
    }
    let mut load = |(name, mut domain): (&str, ClassFolders)| -> Result<Domain> {
        let of_class = |(label, class)| {
            let files = domain.classes.remove(class).unwrap_or_default();
            files.into_iter().map(move |file| (file, label)).collect::<Vec<_>>()
        };
        let files = (0u32..).zip(&classes).flat_map(of_class).collect();
        let files = PictureFiles { files, background: options.background };
        pictures::domain(name, files, options, &mut remarks)
    };
    let mut loaded = found.into_iter().map(&mut load).collect::<Result<Vec<Domain>>>()?;
    let target = loaded.split_off(sources.len());
    Ok(Task::tested_on_training_pictures(name, join(loaded), join(target), classes, remarks))
}

/// How many pictures a domain in `folder` has on average.
///
/// # Errors
/// As [`folder::pictures_per_domain`].
pub fn pictures_per_domain(folder: &Path) -> Result<usize> {
    folder::pictures_per_domain(folder)
}

/// Counts and decodes every picture in `folder`.
///
/// # Errors
/// As [`folder::check_all`].
pub fn check(folder: &Path) -> Result<Vec<DomainCheck>> {
    folder::check_all(folder)
}
