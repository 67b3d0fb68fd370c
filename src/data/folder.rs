//! Any folder of pictures: `FOLDER/<domain>/<class>/*.{jpg,jpeg,png,webp,bmp,gif}`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use crate::data::picture_files::{Options, check};

use crate::data::check::{ClassCheck, DomainCheck, Finding, Wrong};
use crate::data::class_folders::{ClassFolders, by_extension, list};
use crate::data::dataset::{Task, UNLABELLED};
use crate::data::joined::join;
use crate::data::listed::some_of;
use crate::data::names::{find_task, task_name};
use crate::data::picture_files::PictureFiles;
use crate::data::spelling::one_spelling;
use crate::error::{Result, complain};

/// The names of the domains in `folder`, sorted: its subfolders with pictures, directly or in folders of classes.
///
/// # Errors
/// If the folder is missing, or none of its subfolders has a class folder in it.
pub fn domains(folder: &Path) -> Result<Vec<String>> {
    Ok(Subfolders::of(folder)?.domains)
}

/// How many pictures a domain in `folder` has on average.
///
/// # Errors
/// As [`domains`], or if a class folder is empty.
pub fn pictures_per_domain(folder: &Path) -> Result<usize> {
    let names = domains(folder)?;
    let mut count = 0;
    for name in &names {
        let found = ClassFolders::read(&folder.join(name))?;
        count += found.unlabelled.len() + found.classes.values().map(Vec::len).sum::<usize>();
    }
    Ok(count / names.len())
}

/// The subfolders of `folder` that cannot be domains, and what is ignored inside the others; a sentence each.
///
/// # Errors
/// As [`domains`].
pub fn left_out(folder: &Path) -> Result<Vec<String>> {
    let inside = Subfolders::of(folder)?;
    let mut remarks = inside.remarks();
    for name in &inside.domains {
        // What is wrong with a domain is said by whoever reads it.
        remarks.extend(
            ClassFolders::read(&folder.join(name)).ok().and_then(|found| ignored_remark(name, &found)),
        );
    }
    Ok(remarks)
}

/// What lies in the folder of the domains.
struct Subfolders {
    domains: Vec<String>,
    others: Vec<String>,
    junk: Vec<String>,
}

impl Subfolders {
    fn of(folder: &Path) -> Result<Self> {
        let top = list(folder)?;
        let mut found = Self { domains: Vec::new(), others: Vec::new(), junk: top.junk };
        let mut labelled = false;
        for name in &top.folders {
            let inside = list(&folder.join(name))?;
            // The first class with pictures is enough.
            let mut has_class = false;
            for class in &inside.folders {
                has_class = !list(&folder.join(name).join(class))?.pictures.is_empty();
                if has_class {
                    break;
                }
            }
            labelled |= has_class;
            let list = match has_class || inside.folders.is_empty() && !inside.pictures.is_empty() {
                true => &mut found.domains,
                false => &mut found.others,
            };
            list.push(name.clone());
        }
        if labelled {
            return Ok(found);
        }
        let inside = match top.folders.len() {
            0 => "no subfolder".to_owned(),
            _ => format!("no folder inside {}", some_of(&top.folders)),
        };
        // A layout with a level more has its own message.
        for name in &found.others {
            ClassFolders::read(&folder.join(name))?;
        }
        Err(complain("FOLDER/<domain>/<class>/ with pictures in it", inside)
            .at(folder.display())
            .advice("name the folder that holds the domains, not one domain and not one class")
            .into())
    }

    fn remarks(&self) -> Vec<String> {
        let others = (!self.others.is_empty()).then(|| {
            format!("no domains, since no folder inside them has pictures: {}", some_of(&self.others))
        });
        others.into_iter().chain(junk_remark(&self.junk)).collect()
    }
}

/// What is said about a domain's files that are no picture in a class folder.
fn ignored_remark(name: &str, found: &ClassFolders) -> Option<String> {
    let count: usize = found.ignored.values().sum();
    let kinds = found.ignored.iter().map(|(extension, count)| format!("{count} {extension}"));
    let what = if count == 1 { "1 file that is" } else { &format!("{count} files that are") };
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    (count > 0).then(|| format!("{name}: ignored {what} no picture in a class folder ({kinds})"))
}

/// What is said about files and folders that programs and systems left behind.
pub(super) fn junk_remark<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let names: BTreeSet<&String> = names.into_iter().collect();
    (!names.is_empty()).then(|| format!("ignored what programs and systems left behind: {}", some_of(names)))
}

/// The task `SOURCE-TARGET` on the pictures in `folder`; see [`find_task`] for how the domains may be written.
///
/// Classes are the union over all domains, matched by name and sorted. The pictures are in the order of class and
/// file name, on every machine. What is lopsided or was left out stands in [`Task::remarks`].
///
/// # Errors
/// If the folder or a domain is missing, a class folder is empty, or the domains share no class; or if, with
/// `skip_bad_images`, no picture of a domain is left.
pub fn task(folder: &Path, source_target: &str, options: &Options) -> Result<Task> {
    let inside = Subfolders::of(folder)?;
    // A folder that cannot be a domain is only looked at if the task names it: then it is complained about.
    let (names, (sources, target)) = match find_task(source_target, &inside.domains) {
        Ok(found) => (inside.domains.clone(), found),
        Err(error) => {
            let all = [&inside.domains[..], &inside.others[..]].concat();
            let found = find_task(source_target, &all).map_err(|_| error)?;
            (all, found)
        }
    };
    let read = |&index: &usize| Ok((names[index].as_str(), ClassFolders::read(&folder.join(&names[index]))?));
    let mut source_classes = sources.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut target_classes = vec![read(&target)?];
    for (name, found) in &mut source_classes {
        found.require_labels(&folder.join(name))?;
        for (extension, count) in by_extension(&std::mem::take(&mut found.unlabelled))? {
            *found.ignored.entry(extension).or_default() += count;
        }
    }

    let mut remarks = Vec::new();
    let all = || source_classes.iter().chain(&target_classes);
    let junk = inside.junk.iter().chain(all().flat_map(|(_, found)| &found.junk));
    remarks.extend(junk_remark(junk));
    let spelled =
        |(name, found): &(&'_ str, ClassFolders)| (name.to_string(), found.classes.keys().cloned().collect());
    let spelled: Vec<(String, Vec<String>)> = all().map(spelled).collect();
    let spelling = one_spelling(&spelled)?;
    for (_, found) in source_classes.iter_mut().chain(&mut target_classes) {
        found.respell(&spelling.names);
    }
    remarks.extend(spelling.remark);

    let sides = [&source_classes, &target_classes].map(|side| Side::of(side));
    let classes: Vec<String> =
        sides[0].classes.union(&sides[1].classes).map(|name| name.to_string()).collect();
    for (own, other) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        remarks.extend(own.remarks(other, folder)?);
    }

    let mut load = |(name, found): (&str, ClassFolders)| {
        let files = files_with_labels(found, &classes);
        PictureFiles { files, background: options.background }.into_domain(name, options, &mut remarks)
    };
    let source = join(source_classes.into_iter().map(&mut load).collect::<Result<_>>()?);
    let target_pictures = join(target_classes.into_iter().map(&mut load).collect::<Result<_>>()?);
    let name = task_name(&sources, target, &names);
    Ok(Task::tested_on_training_pictures(name, source, target_pictures, classes, remarks))
}

/// The sources, or the target: what they have together.
struct Side<'a> {
    name: String,
    classes: BTreeSet<&'a str>,
    /// What is said about files of each domain that are no picture in a class folder.
    ignored: Vec<String>,
    /// How many pictures of each domain have no class.
    unlabelled: Vec<(&'a str, usize)>,
}

impl<'a> Side<'a> {
    fn of(domains: &'a [(&'a str, ClassFolders)]) -> Self {
        Self {
            name: domains.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("+"),
            classes: domains.iter().flat_map(|(_, found)| found.classes.keys().map(String::as_str)).collect(),
            ignored: domains.iter().filter_map(|(name, found)| ignored_remark(name, found)).collect(),
            unlabelled: domains.iter().map(|(name, found)| (*name, found.unlabelled.len())).collect(),
        }
    }

    fn remarks(&self, other: &Self, folder: &Path) -> Result<Vec<String>> {
        let mut remarks = Vec::new();
        for (name, unlabelled) in self.unlabelled.iter().filter(|(_, unlabelled)| *unlabelled > 0) {
            remarks.push(format!("{name}: {unlabelled} pictures without a class; no accuracy counts them"));
        }
        // A target without any label lacks no class.
        if self.classes.is_empty() || other.classes.is_empty() {
            remarks.extend(self.ignored.clone());
            return Ok(remarks);
        }
        let lacking: Vec<&&str> = other.classes.difference(&self.classes).collect();
        if lacking.len() == other.classes.len() {
            let found = format!(
                "{} in {} and {} in {}",
                some_of(&self.classes),
                self.name,
                some_of(&other.classes),
                other.name
            );
            return Err(complain("class folders of the same name in both domains", found)
                .at(folder.display())
                .advice("give the folders of a class the same name in both domains")
                .into());
        }
        if !lacking.is_empty() {
            remarks.push(format!(
                "{} lacks {} of the {} classes of {}: {}",
                self.name,
                lacking.len(),
                other.classes.len(),
                other.name,
                some_of(lacking)
            ));
        }
        remarks.extend(self.ignored.clone());
        Ok(remarks)
    }
}

/// Counts and decodes every picture in `folder`; a picture or a folder that stands where no class expects it is extra.
///
/// # Errors
/// As [`domains`], or if a class folder is empty.
pub fn check_all(folder: &Path) -> Result<Vec<DomainCheck>> {
    let names = domains(folder)?;
    let read = |name: &String| ClassFolders::read(&folder.join(name));
    let mut found = names.iter().map(read).collect::<Result<Vec<ClassFolders>>>()?;
    let spelled =
        |(name, domain): (&String, &ClassFolders)| (name.clone(), domain.classes.keys().cloned().collect());
    let spelled: Vec<(String, Vec<String>)> = names.iter().zip(&found).map(spelled).collect();
    let spelling = one_spelling(&spelled)?;
    found.iter_mut().for_each(|domain| domain.respell(&spelling.names));
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
    files.extend(found.unlabelled.into_iter().map(|file| (file, UNLABELLED)));
    files
}
