//! Any folder of pictures: `FOLDER/<domain>/<class>/*.{jpg,jpeg,png,webp,bmp,gif}`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use crate::data::picture_files::{Options, check};

use crate::data::check::{ClassCheck, DomainCheck, Finding, Wrong};
use crate::data::class_folders::{ClassFolders, list};
use crate::data::dataset::{Domain, Task};
use crate::data::listed::some_of;
use crate::data::names::{find_task, task_name};
use crate::data::picture_files::PictureFiles;
use crate::error::{Result, complain};

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
        let files = files_with_labels(found, &classes);
        PictureFiles { files, background: options.background }.into_domain(
            &names[index],
            options,
            &mut remarks,
        )
    };
    Ok(Task {
        name: task_name((source, target), &names),
        source: load(source, source_classes)?,
        target: load(target, target_classes)?,
        classes,
        remarks,
    })
}

/// Counts and decodes every picture in `folder`; a picture or a folder that stands where no class expects it is extra.
///
/// # Errors
/// As [`domains`], or if a class folder is empty.
pub fn check_all(folder: &Path) -> Result<Vec<DomainCheck>> {
    let names = domains(folder)?;
    let read = |name: &String| ClassFolders::read(&folder.join(name));
    let found = names.iter().map(read).collect::<Result<Vec<ClassFolders>>>()?;
    let union: BTreeSet<&String> = found.iter().flat_map(|domain| domain.classes.keys()).collect();
    let classes: Vec<String> = union.into_iter().cloned().collect();
    let check = |(name, domain): (&String, ClassFolders)| {
        let count = |class: &String| ClassCheck {
            class: class.clone(),
            expected: None,
            found: domain.classes.get(class).map_or(0, Vec::len),
        };
        let extra = domain.misplaced.iter().map(|file| Finding { file: file.clone(), wrong: Wrong::Extra });
        let mut check = DomainCheck {
            name: name.clone(),
            place: Some(folder.join(name)),
            classes: classes.iter().map(count).collect(),
            findings: extra.collect(),
        };
        let files = files_with_labels(domain, &classes);
        check.decode_all(&PictureFiles { files, background: None });
        check
    };
    Ok(names.iter().zip(found).map(check).collect())
}

/// The files in the order of class and name; `classes` is sorted and contains all of `found`'s.
fn files_with_labels(found: ClassFolders, classes: &[String]) -> Vec<(PathBuf, u32)> {
    let mut files = Vec::new();
    for (label, class) in (0u32..).zip(classes) {
        files.extend(found.classes.get(class).into_iter().flatten().map(|file| (file.clone(), label)));
    }
    files
}
