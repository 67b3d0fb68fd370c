//! What was fetched from npm, until the pictures are made and for the next time: the icons that are of a class, by set.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::drawing::Drawings;
use super::npm;
use super::tables::{self, ClassNames, IconSet};
use crate::error::{Result, complain, file_error};
use crate::files::write_atomically;

/// What the names of all such folders begin with; hidden, so that none is taken for a domain.
const NAME: &str = ".icon-sets-";

/// The folder of fetched sets.
pub(super) struct Store {
    /// The folder of the pictures.
    parent: PathBuf,
    folder: PathBuf,
}

impl Store {
    /// The one inside the folder of the pictures; another table of classes or sets has another.
    pub(super) fn below(parent: &Path) -> Self {
        let folder = parent.join(format!("{NAME}{:016x}", tables::fingerprint()));
        Self { parent: parent.to_owned(), folder }
    }

    fn file(&self, set: &IconSet) -> PathBuf {
        self.folder.join(format!("{}@{}.json", set.name, set.version))
    }

    /// Makes sure that npm is there if a set is not.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn require_npm(&self, sets: &[IconSet]) -> Result<()> {
        if sets.iter().all(|set| self.file(set).is_file()) { Ok(()) } else { npm::require() }
    }

    /// The icons of a set that are of a class: those that an earlier call kept, or from npm; `None` if npm does not have
    /// the set any more.
    ///
    /// # Errors
    /// If npm fails, what it brings is not in Iconify's form, or a file cannot be written.
    pub(super) fn icons_of(&self, set: &IconSet, classes: &[ClassNames]) -> Result<Option<Drawings>> {
        let file = self.file(set);
        let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(drawings) = kept {
            return Ok(Some(drawings));
        }
        let package = self.folder.join(format!("{}.partial", set.name));
        let Some(inside) = npm::install(set, &package)? else {
            return remove(&package).map(|()| None);
        };
        let icons = inside.join("icons.json");
        let bytes = std::fs::read(&icons).map_err(|error| file_error("read", &icons, error))?;
        let mut drawings: Drawings = serde_json::from_slice(&bytes).map_err(|error| {
            complain("a set of icons in Iconify's form", error.to_string())
                .at(icons.display())
                .advice("give the same command again; if this comes back, the package is not what it was")
        })?;
        let of_a_class =
            |name: &str, base: &str| classes.iter().any(|class| class.fit(&set.name, name, base).is_some());
        drawings.icons.retain(|name, icon| {
            let meant = set.style(name).is_some_and(|(_, base)| of_a_class(name, base));
            // The same emoji in other skins is no other picture of the object.
            meant && !icon.hidden && !name.contains("skin-tone")
        });
        let bytes =
            serde_json::to_vec(&drawings).map_err(|error| file_error("write", &file, error.into()))?;
        write_atomically(&file, &bytes)?;
        remove(&package).map(|()| Some(drawings))
    }

    /// Removes what calls with another table kept.
    ///
    /// # Errors
    /// If the folder cannot be read or written to.
    pub(super) fn forget_others(&self) -> Result<()> {
        let parent = &self.parent;
        for entry in std::fs::read_dir(parent).map_err(|error| file_error("read", parent, error))?.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with(NAME) && path != self.folder {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Removes a file or a folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error("remove", path, error)),
        _ => Ok(()),
    }
}
