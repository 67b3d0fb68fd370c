//! Office-Home in a folder, whichever copy it is: `Real World` or `real_world`, `Alarm_Clock` or `Alarm Clock`.

use std::path::{Path, PathBuf};

use super::published_list::{file_name, numbers};
use super::{ClassCounts, DOMAINS, classes};
use crate::data::check::{ClassCheck, DomainCheck, Finding, Wrong};
use crate::data::class_folders::{Listing, list};
use crate::data::dataset::{Domain, Task};
use crate::data::folder::junk_remark;
use crate::data::joined::join;
use crate::data::names::letters;
use crate::data::names::{find_task, task_name};
use crate::data::picture_files::{Options, PictureFiles};
use crate::error::{Result, complain};

/// How many folders may be wrapped around the four domains, as `OfficeHomeDataset_10072016/` is.
const DEEPEST: usize = 2;

/// The names of the four domains.
pub fn domains() -> Vec<String> {
    DOMAINS.map(String::from).to_vec()
}

/// The task `SOURCE-TARGET`, such as `Ar-Rw`, on the copy of Office-Home in `folder`.
///
/// Labels are the published ones: Drill is 0, Marker is 64. The pictures are in the order of the published lists; those
/// that are in no list come last in their class. What differs from the lists stands in [`Task::remarks`].
///
/// # Errors
/// If `folder` and the folders in it have no such domain, a domain or a class has two folders, or there is no picture.
pub fn task(folder: &Path, source_target: &str, options: &Options) -> Result<Task> {
    let names = domains();
    let (sources, target) = find_task(source_target, &names)?;
    let classes = classes()?;
    let found = DomainFolders::find(folder)?;
    let mut remarks = Vec::new();
    if found.root != folder {
        remarks.push(format!("Office-Home was found in {}", found.root.display()));
    }
    let mut junk = found.junk.clone();
    let mut load = |domain: usize| -> Result<Domain> {
        let content = Content::read(&found.of(domain)?, domain, &classes)?;
        let files = content.files();
        if files.is_empty() {
            return Err(complain("pictures of Office-Home's classes", "none")
                .at(found.of(domain)?.display())
                .advice("put them into folders such as Alarm_Clock there")
                .into());
        }
        remarks.extend(content.remark(&names[domain], folder));
        junk.extend(content.junk);
        PictureFiles { files, background: options.background }.into_domain(
            &names[domain],
            options,
            &mut remarks,
        )
    };
    let source = join(sources.iter().map(|&source| load(source)).collect::<Result<_>>()?);
    let target_pictures = load(target)?;
    remarks.extend(junk_remark(&junk));
    let name = task_name(&sources, target, &names);
    let classes = classes.iter().map(|class| class.class.clone()).collect();
    Ok(Task::tested_on_training_pictures(name, source, target_pictures, classes, remarks))
}

/// Compares all four domains in `folder` with the published lists, file by file, and decodes every picture.
///
/// # Errors
/// If `folder` and the folders in it have no domain of Office-Home, or a folder cannot be read.
pub fn check(folder: &Path) -> Result<Vec<DomainCheck>> {
    let classes = classes()?;
    let found = DomainFolders::find(folder)?;
    let check = |domain: usize| -> Result<DomainCheck> {
        let place = found.domains[domain].clone();
        let content = match &place {
            Some(place) => Content::read(place, domain, &classes)?,
            None => Content::nothing(&found.root.join(DOMAINS[domain]), domain, &classes),
        };
        Ok(content.check(DOMAINS[domain], place))
    };
    (0..DOMAINS.len()).map(check).collect()
}

/// Where the domains are.
#[derive(Debug)]
struct DomainFolders {
    root: PathBuf,
    domains: [Option<PathBuf>; 4],
    /// What programs and systems left behind, here and on the way here.
    junk: Vec<String>,
}

impl DomainFolders {
    /// Looks in `folder` first, then in the folders inside it.
    fn find(folder: &Path) -> Result<Self> {
        match Self::search(folder, DEEPEST)? {
            Some(found) => Ok(found),
            None => Err(complain(
                format!("a folder for each domain of Office-Home: {}", DOMAINS.join(", ")),
                "none of them",
            )
            .at(folder.display())
            .advice("name the folder that holds them, such as OfficeHomeDataset_10072016")
            .into()),
        }
    }

    fn search(folder: &Path, depth: usize) -> Result<Option<Self>> {
        let Listing { folders: inside, junk, .. } = list(folder)?;
        let mut domains = [const { None }; 4];
        for name in &inside {
            let Some(domain) = domain_of(name) else { continue };
            let path = folder.join(name);
            if let Some(first) = domains[domain].replace(path.clone()) {
                return Err(two_folders(DOMAINS[domain], &first, &path));
            }
        }
        if domains.iter().any(Option::is_some) {
            return Ok(Some(Self { root: folder.to_owned(), domains, junk }));
        }
        for name in inside.iter().filter(|_| depth > 0) {
            if let Some(mut found) = Self::search(&folder.join(name), depth - 1)? {
                found.junk.extend(junk);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn of(&self, domain: usize) -> Result<PathBuf> {
        Ok(self.domains[domain].clone().ok_or_else(|| {
            complain(format!("a folder of the domain {}", DOMAINS[domain]), "none")
                .at(self.root.display())
                .advice("unpack all of Office-Home there; `toalign data check` says what is missing")
        })?)
    }
}

/// What the folder of one domain has of each class.
struct Content<'a> {
    classes: Vec<ClassContent<'a>>,
    /// Files and folders that belong to no class.
    strays: Vec<PathBuf>,
    /// What programs and systems left behind.
    junk: Vec<String>,
}

struct ClassContent<'a> {
    published: &'a ClassCounts,
    /// In the published order; none is missing.
    pictures: Vec<(PathBuf, Option<PathBuf>)>,
    /// Pictures that are in no list.
    extra: Vec<PathBuf>,
}

impl<'a> Content<'a> {
    /// As if the domain in `folder` had no file at all.
    fn nothing(folder: &Path, domain: usize, classes: &'a [ClassCounts]) -> Self {
        let class = |published: &'a ClassCounts| {
            let path = |number| folder.join(&published.class).join(file_name(number));
            let pictures = numbers(published.pictures[domain]).map(|number| (path(number), None)).collect();
            ClassContent { published, pictures, extra: Vec::new() }
        };
        Self { classes: classes.iter().map(class).collect(), strays: Vec::new(), junk: Vec::new() }
    }

    fn read(folder: &Path, domain: usize, classes: &'a [ClassCounts]) -> Result<Self> {
        let mut content = Self::nothing(folder, domain, classes);
        let top = list(folder)?;
        content.strays = [top.pictures, top.others].concat();
        content.junk = top.junk;
        let mut class_folders = vec![None; classes.len()];
        for name in top.folders {
            let path = folder.join(&name);
            let Some(label) = classes.iter().position(|class| letters(&class.class) == letters(&name)) else {
                content.strays.push(path);
                continue;
            };
            if let Some(first) = class_folders[label].replace(path.clone()) {
                return Err(two_folders(&classes[label].class, &first, &path));
            }
            let inside = list(&path)?;
            let folders = inside.folders.iter().map(|name| path.join(name));
            content.strays.extend(inside.others.into_iter().chain(folders));
            content.junk.extend(inside.junk);
            content.classes[label].place(&path, domain, inside.pictures);
        }
        Ok(content)
    }

    /// Path and label of every picture that is there.
    fn files(&self) -> Vec<(PathBuf, u32)> {
        let of_class = |class: &ClassContent| {
            let there = class.pictures.iter().filter_map(|(_, file)| file.clone());
            let label = class.published.label;
            there.chain(class.extra.clone()).map(move |file| (file, label)).collect::<Vec<_>>()
        };
        self.classes.iter().flat_map(of_class).collect()
    }

    fn missing(&self) -> impl Iterator<Item = &PathBuf> {
        let pictures = self.classes.iter().flat_map(|class| &class.pictures);
        pictures.filter(|(_, file)| file.is_none()).map(|(path, _)| path)
    }

    /// What differs from the published list, in one sentence.
    fn remark(&self, domain: &str, folder: &Path) -> Option<String> {
        let missing = self.missing().count();
        let extra = self.strays.len() + self.classes.iter().map(|class| class.extra.len()).sum::<usize>();
        let published: usize = self.classes.iter().map(|class| class.pictures.len()).sum();
        (missing + extra > 0).then(|| {
            format!(
                "{domain}: of the {published} published pictures {missing} are missing, and {extra} files are not among \
                 them; `toalign data check office-home:{}` names them",
                folder.display()
            )
        })
    }

    fn check(self, name: &str, place: Option<PathBuf>) -> DomainCheck {
        let finding = |file: &PathBuf, wrong| Finding { file: file.clone(), wrong };
        let missing = self.missing().map(|file| finding(file, Wrong::Missing));
        let extra = self.classes.iter().flat_map(|class| &class.extra).chain(&self.strays);
        let findings = missing.chain(extra.map(|file| finding(file, Wrong::Extra))).collect();
        let class = |class: &ClassContent| ClassCheck {
            class: class.published.class.clone(),
            expected: Some(class.pictures.len()),
            found: class.pictures.iter().filter(|(_, file)| file.is_some()).count() + class.extra.len(),
        };
        let classes = self.classes.iter().map(class).collect();
        let mut check = DomainCheck { name: name.to_owned(), place, classes, findings };
        check.decode_all(&PictureFiles { files: self.files(), background: None });
        check
    }
}

impl ClassContent<'_> {
    /// Puts every picture of the class's folder where the published list has it, by its number.
    fn place(&mut self, folder: &Path, domain: usize, files: Vec<PathBuf>) {
        let numbers: Vec<usize> = numbers(self.published.pictures[domain]).collect();
        for (number, (path, _)) in numbers.iter().zip(&mut self.pictures) {
            // Complaints about what is missing call the folder as this copy does.
            *path = folder.join(file_name(*number));
        }
        for file in files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let number = stem.parse::<usize>().ok().filter(|_| stem.len() == 5);
            let slot = number.and_then(|number| numbers.iter().position(|other| *other == number));
            match slot.map(|slot| &mut self.pictures[slot].1) {
                Some(free) if free.is_none() => *free = Some(file),
                _ => self.extra.push(file),
            }
        }
    }
}

fn domain_of(folder: &str) -> Option<usize> {
    match letters(folder).as_str() {
        "real" => Some(3),
        name => DOMAINS.iter().position(|domain| letters(domain) == name),
    }
}

fn two_folders(what: &str, first: &Path, second: &Path) -> crate::error::Error {
    complain(format!("one folder of {what}"), format!("{} and {}", first.display(), second.display()))
        .advice("keep one of them, and put the other elsewhere")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_spells_domains_and_classes_in_its_own_way() {
        for (folder, domain) in [
            ("Art", 0),
            ("clipart", 1),
            ("PRODUCT", 2),
            ("Real World", 3),
            ("Real_World", 3),
            ("RealWorld", 3),
        ]
        .into_iter()
        .chain([("real_world", 3), ("real", 3), ("real-world", 3)])
        {
            assert_eq!(domain_of(folder), Some(domain), "{folder}");
        }
        assert_eq!(domain_of("Artistic"), None);
        let mut classes: Vec<String> = classes().unwrap().iter().map(|class| letters(&class.class)).collect();
        assert!(classes.contains(&letters("alarm clock")));
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), 65, "no two classes are the same by their letters");
    }
}
