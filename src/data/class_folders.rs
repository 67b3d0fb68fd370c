//! The files of one domain on disk: `<domain>/<class>/<picture>`, or pictures whose class nobody knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::data::decode::EXTENSIONS;
use crate::data::names::letters;
use crate::data::spelling::is_junk;
use crate::error::{Error, Result, complain, file_error};

/// Folders of pictures without a class, by their letters.
const UNLABELLED: [&str; 4] = ["unlabelled", "unlabeled", "unlabelleddata", "unlabeleddata"];

/// What one folder contains, sorted by name, without hidden entries.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) pictures: Vec<PathBuf>,
    /// What is neither.
    pub(crate) others: Vec<PathBuf>,
    /// What programs and systems left behind; it is nowhere else.
    pub(crate) junk: Vec<String>,
}

/// Lists `folder`. A link to a folder counts as a folder; a broken link that is named like a picture as a picture, so
/// that it is complained about when its turn comes.
pub(crate) fn list(folder: &Path) -> Result<Listing> {
    let failed = |error| file_error("read", folder, error);
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        // Names of folders become names of domains and classes; a picture's may be any bytes.
        if entry.file_name().to_str().is_none() && path.is_dir() {
            return Err(complain("a folder's name in UTF-8", format!("'{}'", entry.file_name().display()))
                .at(folder.display())
                .advice(
                    "rename it: convmv -f latin1 -t utf8 --notest -r FOLDER does so for all of an archive",
                )
                .into());
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if is_junk(&name) {
            listing.junk.push(name);
        } else if name.starts_with('.') {
            continue;
        } else if path.is_dir() {
            listing.folders.push(name);
        } else if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
            listing.pictures.push(path);
        } else {
            listing.others.push(path);
        }
    }
    listing.folders.sort();
    listing.pictures.sort();
    listing.others.sort();
    Ok(listing)
}

/// The class folders of one domain.
pub(super) struct ClassFolders {
    /// The pictures by class name; none of the classes is empty.
    pub(super) classes: BTreeMap<String, Vec<PathBuf>>,
    /// Pictures without a class: all that lie in the domain's folder if it has no folders, or in one called `unlabelled`.
    pub(super) unlabelled: Vec<PathBuf>,
    /// What programs and systems left behind.
    pub(super) junk: BTreeSet<String>,
    /// How many files stand where no picture is expected, by extension, those inside folders too.
    pub(super) ignored: BTreeMap<String, usize>,
    /// Those of them that hold or are pictures, perhaps: pictures beside the class folders, and folders inside them.
    pub(super) misplaced: Vec<PathBuf>,
}

impl ClassFolders {
    /// Lists the domain in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be read, there is no class folder, or one has no picture.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let top = list(folder)?;
        let mut junk: BTreeSet<String> = top.junk.into_iter().collect();
        if top.folders.is_empty() {
            if top.pictures.is_empty() {
                return Err(complain("a folder for each class in this domain", "no subfolder")
                    .at(folder.display())
                    .advice(format!("put the pictures into {}", folder.join("<class>").display()))
                    .into());
            }
            return Ok(Self {
                classes: BTreeMap::new(),
                unlabelled: top.pictures,
                junk,
                ignored: by_extension(&top.others)?,
                misplaced: Vec::new(),
            });
        }
        let (mut classes, mut unlabelled) = (BTreeMap::new(), Vec::new());
        let mut strays = [&top.pictures[..], &top.others[..]].concat();
        let mut misplaced = top.pictures;
        for class in top.folders {
            let class_folder = folder.join(&class);
            let inside = list(&class_folder)?;
            junk.extend(inside.junk);
            let others = inside.others.len() + inside.folders.len();
            if inside.pictures.is_empty() {
                if let Some(deeper) = one_level_more(folder, &class_folder, &inside.folders)? {
                    return Err(deeper);
                }
                let found = match others {
                    0 => "an empty folder".to_owned(),
                    1 => "none, but 1 other file or folder".to_owned(),
                    _ => format!("none, but {others} other files or folders"),
                };
                return Err(complain(
                    format!("pictures ({}) of the class {class}", EXTENSIONS.join(", ")),
                    found,
                )
                .at(class_folder.display())
                .advice("put pictures there, or delete the folder: a class may be missing in one domain")
                .into());
            }
            let folders: Vec<PathBuf> = inside.folders.iter().map(|name| class_folder.join(name)).collect();
            strays.extend(inside.others.into_iter().chain(folders.clone()));
            misplaced.extend(folders);
            match UNLABELLED.contains(&letters(&class).as_str()) {
                true => unlabelled.extend(inside.pictures),
                false => drop(classes.insert(class, inside.pictures)),
            }
        }
        Ok(Self { classes, unlabelled, junk, ignored: by_extension(&strays)?, misplaced })
    }

    /// Why the domain in `folder` cannot be a source, if it cannot.
    pub(super) fn require_labels(&self, folder: &Path) -> Result<()> {
        if !self.classes.is_empty() {
            return Ok(());
        }
        let found = match self.unlabelled.len() {
            1 => "no subfolder, but 1 picture".to_owned(),
            pictures => format!("no subfolder, but {pictures} pictures"),
        };
        Err(complain("a folder for each class in this domain", found)
            .at(folder.display())
            .advice(format!(
                "put the pictures into {}; a target needs no classes",
                folder.join("<class>").display()
            ))
            .into())
    }

    /// Gives every class the name that it has in all domains.
    pub(super) fn respell(&mut self, names: &BTreeMap<String, String>) {
        let classes = std::mem::take(&mut self.classes);
        self.classes = classes.into_iter().map(|(name, files)| (names[&name].clone(), files)).collect();
    }
}

/// How many files there are of each extension, those inside folders too.
pub(super) fn by_extension(paths: &[PathBuf]) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            let inside = list(path)?;
            let folders = inside.folders.iter().map(|name| path.join(name));
            let deeper: Vec<PathBuf> =
                inside.pictures.into_iter().chain(inside.others).chain(folders).collect();
            for (extension, count) in by_extension(&deeper)? {
                *counts.entry(extension).or_default() += count;
            }
        } else {
            let extension =
                path.extension().map(|extension| format!(".{}", extension.to_string_lossy().to_lowercase()));
            *counts.entry(extension.unwrap_or_else(|| "without extension".to_owned())).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The complaint about `<domain>/train/<class>/<picture>`, if that is what a folder without pictures turns out to be.
fn one_level_more(domain: &Path, folder: &Path, inside: &[String]) -> Result<Option<Error>> {
    for name in inside {
        if list(&folder.join(name))?.pictures.is_empty() {
            continue;
        }
        let found = format!("one level more: {}", folder.join(name).join("<picture>").display());
        return Ok(Some(
            complain("<domain>/<class>/<picture>", found)
                .at(domain.display())
                .advice(
                    "move the folders of the classes up, or name the pictures in lists: one line 'path label' for each, in \
                     <domain>_train.txt and <domain>_test.txt, and --data lists:DIR",
                )
                .into(),
        ));
    }
    Ok(None)
}
