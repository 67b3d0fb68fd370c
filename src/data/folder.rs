//! Any folder of pictures: `FOLDER/<domain>/<class>/*.{jpg,jpeg,png,webp,bmp,gif}`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;
use rayon::prelude::*;

use crate::data::class_folders::{ClassFolders, list};
use crate::data::dataset::{Domain, Pictures, Task};
use crate::data::decode::decode_file;
use crate::data::names::{find_task, task_name};
use crate::error::{Error, Result, complain};

/// At most this many names are listed in one remark or message.
const MOST_LISTED: usize = 20;

/// How to read a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Decode every picture once at the start, and leave out those that cannot be decoded, named and counted in
    /// [`Task::remarks`]. Otherwise such a picture is an error when its turn comes.
    pub skip_bad_images: bool,
    /// The colour to put under transparent pictures; `None` as in [`crate::data::decode::decode`].
    pub background: Option<[u8; 3]>,
}

/// The pictures of one domain on disk; nothing is decoded before it is asked for.
#[derive(Clone, Debug)]
pub struct FolderPictures {
    files: Vec<(PathBuf, u32)>,
    background: Option<[u8; 3]>,
}

impl Pictures for FolderPictures {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn name(&self, index: usize) -> String {
        self.files[index].0.display().to_string()
    }

    fn label(&self, index: usize) -> u32 {
        self.files[index].1
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        decode_file(&self.files[index].0, self.background).map_err(|error| match error {
            Error::Input(complaint) => complaint
                .advice("replace or delete this file, or add --skip-bad-images to leave such files out")
                .into(),
            other => other,
        })
    }
}

/// The names of the domains in `folder`, sorted: its subfolders, hidden ones left out.
///
/// # Errors
/// If the folder is missing, or none of its subfolders has a class folder in it.
pub fn domains(folder: &Path) -> Result<Vec<String>> {
    let names = list(folder)?.folders;
    for name in &names {
        if !list(&folder.join(name))?.folders.is_empty() {
            return Ok(names);
        }
    }
    let found = match names.len() {
        0 => "no subfolder".to_owned(),
        _ => format!("no folder inside {}", some_of(&names)),
    };
    Err(complain("FOLDER/<domain>/<class>/ with pictures in it", found)
        .at(folder.display())
        .advice("name the folder that holds the domains, not one domain and not one class")
        .into())
}

/// The task `SOURCE-TARGET` on the pictures in `folder`; see [`find_task`] for how the two domains may be written.
///
/// Classes are the union over both domains, matched by name and sorted. The pictures are in the order of class and
/// file name, on every machine. What is lopsided or was left out stands in [`Task::remarks`].
///
/// # Errors
/// If the folder or a domain is missing, a class folder is empty, or the domains share no class; or if, with
/// `skip_bad_images`, no picture of a domain is left.
pub fn task(folder: &Path, source_target: &str, options: &Options) -> Result<Task> {
    let names = domains(folder)?;
    let (source, target) = find_task(source_target, &names)?;
    let source_classes = ClassFolders::read(&folder.join(&names[source]))?;
    let target_classes = ClassFolders::read(&folder.join(&names[target]))?;
    let union: BTreeSet<&String> =
        source_classes.classes.keys().chain(target_classes.classes.keys()).collect();
    let classes: Vec<String> = union.into_iter().cloned().collect();

    let mut remarks = Vec::new();
    let both = [(&names[source], &source_classes), (&names[target], &target_classes)];
    for ((name, own), (other_name, other)) in [(both[0], both[1]), (both[1], both[0])] {
        let lacking: Vec<&String> =
            other.classes.keys().filter(|class| !own.classes.contains_key(*class)).collect();
        if lacking.len() == other.classes.len() {
            let found = format!(
                "{} in {name} and {} in {other_name}",
                some_of(own.classes.keys()),
                some_of(other.classes.keys())
            );
            return Err(complain("class folders of the same name in both domains", found)
                .at(folder.display())
                .advice("give the folders of a class the same name in both domains")
                .into());
        }
        if !lacking.is_empty() {
            remarks.push(format!(
                "{name} lacks {} of the {} classes of {other_name}: {}",
                lacking.len(),
                other.classes.len(),
                some_of(lacking)
            ));
        }
        if own.ignored > 0 {
            let what = match own.ignored {
                1 => "1 file or folder that is".to_owned(),
                many => format!("{many} files or folders that are"),
            };
            remarks.push(format!("{name}: ignored {what} no picture in a class folder"));
        }
    }

    let mut load = |index: usize, found: ClassFolders| -> Result<Domain> {
        let name = names[index].clone();
        let mut pictures =
            FolderPictures { files: files_with_labels(found, &classes), background: options.background };
        if options.skip_bad_images {
            remarks.extend(leave_out_bad(&mut pictures, &name)?);
        }
        Ok(Domain { name, pictures: Arc::new(pictures) })
    };
    Ok(Task {
        name: task_name((source, target), &names),
        source: load(source, source_classes)?,
        target: load(target, target_classes)?,
        classes,
        remarks,
    })
}

/// Decodes every picture once, on all cores; returns those that fail, by index, with the reason.
pub fn check(pictures: &dyn Pictures) -> Vec<(usize, Error)> {
    (0..pictures.len())
        .into_par_iter()
        .filter_map(|index| Some((index, pictures.decode(index).err()?)))
        .collect()
}

/// Takes out what [`check`] found; returns the remark about it, if there is one to make.
fn leave_out_bad(pictures: &mut FolderPictures, domain: &str) -> Result<Option<String>> {
    let bad = check(pictures);
    if bad.is_empty() {
        return Ok(None);
    }
    let all = pictures.len();
    let reasons = bad.iter().take(MOST_LISTED).map(|(_, error)| {
        let message = error.to_string();
        format!("\n  {}", message.lines().next().unwrap_or_default())
    });
    let mut remark = format!("{domain}: left out {} of {all} pictures, which cannot be decoded:", bad.len());
    remark.extend(reasons);
    if bad.len() > MOST_LISTED {
        remark.push_str(&format!("\n  and {} more", bad.len() - MOST_LISTED));
    }
    if bad.len() == all {
        return Err(complain(format!("a picture in the domain {domain} that can be decoded"), remark).into());
    }
    let bad: BTreeSet<usize> = bad.into_iter().map(|(index, _)| index).collect();
    let mut index = 0..;
    pictures.files.retain(|_| index.next().is_none_or(|index| !bad.contains(&index)));
    Ok(Some(remark))
}

/// The files in the order of class and name; `classes` is sorted and contains all of `found`'s.
fn files_with_labels(found: ClassFolders, classes: &[String]) -> Vec<(PathBuf, u32)> {
    let mut files = Vec::new();
    for (label, class) in (0u32..).zip(classes) {
        files.extend(found.classes.get(class).into_iter().flatten().map(|file| (file.clone(), label)));
    }
    files
}

/// The names, separated by commas; the first ones if there are many.
fn some_of<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    let listed = names[..names.len().min(MOST_LISTED)].join(", ");
    match names.len().saturating_sub(MOST_LISTED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
