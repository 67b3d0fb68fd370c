//! The files of one domain on disk: `<domain>/<class>/<picture>`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::data::decode::EXTENSIONS;
use crate::error::{Result, complain, file_error};

/// What one folder contains, sorted by name, without hidden entries.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) pictures: Vec<PathBuf>,
    /// What is neither.
    pub(crate) others: Vec<PathBuf>,
}

/// Lists `folder`. A link to a folder counts as a folder; a broken link that is named like a picture as a picture, so
/// that it is complained about when its turn comes.
pub(crate) fn list(folder: &Path) -> Result<Listing> {
    let failed = |error| file_error("read", folder, error);
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if name.starts_with('.') {
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
    /// How many files and folders stand where no picture is expected.
    pub(super) ignored: usize,
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
        if top.folders.is_empty() {
            let found = match top.pictures.len() {
                0 => "no subfolder".to_owned(),
                1 => "no subfolder, but 1 picture".to_owned(),
                pictures => format!("no subfolder, but {pictures} pictures"),
            };
            return Err(complain("a folder for each class in this domain", found)
                .at(folder.display())
                .advice(format!("put the pictures into {}", folder.join("<class>").display()))
                .into());
        }
        let mut classes = BTreeMap::new();
        let mut ignored = top.pictures.len() + top.others.len();
        let mut misplaced = top.pictures;
        for class in top.folders {
            let class_folder = folder.join(&class);
            let inside = list(&class_folder)?;
            let others = inside.others.len() + inside.folders.len();
            if inside.pictures.is_empty() {
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
            ignored += others;
            misplaced.extend(inside.folders.iter().map(|name| class_folder.join(name)));
            classes.insert(class, inside.pictures);
        }
        Ok(Self { classes, ignored, misplaced })
    }
}
