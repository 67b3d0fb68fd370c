//! Data sets by their published lists: one text file of `path label` lines for each domain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::data::check::{ClassCheck, DomainCheck, Finding, Wrong};
use crate::data::class_folders::list;
use crate::data::dataset::{Domain, Task, UNLABELLED};
use crate::data::joined::join;
use crate::data::labelling;
use crate::data::list_file::{ListLine, may_be_list, parse};
use crate::data::listed::some_of;
use crate::data::names::{find_task, task_name};
use crate::data::picture_files::{Options, PictureFiles};
use crate::data::spelling::key;
use crate::error::{Result, complain, file_error};

/// So many lines of a list are tried to find out which folders its paths begin with.
const TRIED: usize = 100;

/// Where the lists are, and where their paths start.
#[derive(Debug, Clone)]
pub struct Lists<'a> {
    /// The folder of the lists: `art.txt` or `art_list.txt`; or, with pictures that are kept for tests, `art_train.txt` and
    /// `art_test.txt`, as the published code has them for DomainNet.
    pub folder: &'a Path,
    /// The folder that paths start from; the folder of the lists if there is none.
    ///
    /// A path whose first folders are not there, as in lists with somebody else's absolute paths, loses them.
    pub images: Option<&'a Path>,
}

/// The lists of one domain, read.
struct ListedDomain {
    name: String,
    train: ListOnDisk,
    /// None where tests see the training pictures.
    test: Option<ListOnDisk>,
}

/// One list, with the files that its lines name.
struct ListOnDisk {
    file: PathBuf,
    lines: Vec<ListLine>,
    paths: Vec<PathBuf>,
    /// That files were found under another spelling of their path, in a sentence.
    respelled: Option<String>,
}

/// The files of one domain in the folder of lists.
#[derive(Default)]
struct Files {
    whole: Vec<PathBuf>,
    train: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Lists<'_> {
    /// The names of the domains, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read or has no list.
    pub fn domains(&self) -> Result<Vec<String>> {
        Ok(self.files(false)?.into_keys().collect())
    }

    /// The task `SOURCE-TARGET`; see [`find_task`] for how the domains may be written.
    ///
    /// A class is called like the folder of its pictures, where the paths show it, else `class 12`.
    ///
    /// # Errors
    /// If a list is absent or malformed (with `file:line`), the labels of all of them leave a gap or contradict the folders of
    /// the pictures, or a picture is not there;
    /// with `skip_bad_images`, if no picture of a domain is left.
    pub fn task(&self, source_target: &str, options: &Options) -> Result<Task> {
        let named = |all| -> Result<_> {
            let files = self.files(all)?;
            let names: Vec<String> = files.keys().cloned().collect();
            let found = find_task(source_target, &names)?;
            Ok((files, names, found))
        };
        // A file that cannot be a list is only looked at if the task names it: then it is complained about.
        let (files, names, (sources, target)) =
            named(false).or_else(|error| named(true).map_err(|_| error))?;
        let read = |&index: &usize| self.read(&names[index], &files[&names[index]]);
        let listed_sources = sources.iter().map(read).collect::<Result<Vec<ListedDomain>>>()?;
        let listed_target = read(&target)?;
        listed_sources.iter().try_for_each(ListedDomain::require_labels)?;
        let (classes, mut remarks) = class_names(listed_sources.iter().chain([&listed_target]))?;
        for list in listed_sources.iter().chain([&listed_target]).flat_map(ListedDomain::lists) {
            remarks.extend(list.respelled.clone());
        }

        let mut load = |domain: ListedDomain| domain.load(&classes, options, &mut remarks);
        let pairs = listed_sources.into_iter().map(&mut load).collect::<Result<Vec<_>>>()?;
        let (train, test): (Vec<Domain>, Vec<Domain>) = pairs.into_iter().unzip();
        let (target_train, target_test) = load(listed_target)?;
        Ok(Task {
            name: task_name(&sources, target, &names),
            source: join(train),
            target: target_train,
            source_test: join(test),
            target_test,
            classes,
            remarks,
        })
    }

    /// Looks for every picture of every list, and decodes it.
    ///
    /// # Errors
    /// If a list is malformed, or the labels of all of them leave a gap.
    pub fn check(&self) -> Result<Vec<DomainCheck>> {
        let files = self.files(false)?;
        let domains = files.iter().map(|(name, files)| self.read(name, files)).collect::<Result<Vec<_>>>()?;
        let (classes, _) = class_names(&domains)?;
        Ok(domains.iter().map(|domain| domain.check(&classes)).collect())
    }

    /// The text files beside the lists that cannot be lists; a sentence.
    ///
    /// # Errors
    /// As [`Lists::domains`].
    pub fn left_out(&self) -> Result<Vec<String>> {
        let mut others = Vec::new();
        for file in self.texts()? {
            if !may_be_list(&file)? {
                others.push(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        Ok(match others.is_empty() {
            true => vec![],
            false => vec![format!("no lists, since no line of them names a picture: {}", some_of(&others))],
        })
    }

    /// How many pictures a domain has on average.
    ///
    /// # Errors
    /// As [`Lists::domains`], or if a list is malformed.
    pub fn pictures_per_domain(&self) -> Result<usize> {
        let files = self.files(false)?;
        let mut count = 0;
        for (name, files) in &files {
            count += self.read(name, files)?.train.lines.len();
        }
        Ok(count / files.len())
    }

    fn texts(&self) -> Result<impl Iterator<Item = PathBuf>> {
        let is_text =
            |file: &PathBuf| file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
        Ok(list(self.folder)?.others.into_iter().filter(is_text))
    }

    /// The files of each domain; those that cannot be lists are left out, unless `all` are asked for.
    fn files(&self, all: bool) -> Result<BTreeMap<String, Files>> {
        let mut files: BTreeMap<String, Files> = BTreeMap::new();
        for file in self.texts()? {
            if !all && !may_be_list(&file)? {
                continue;
            }
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let without =
                |suffix| stem.strip_suffix(suffix).filter(|name| !name.is_empty()).map(str::to_owned);
            if let Some(name) = without("_train") {
                files.entry(name).or_default().train = Some(file);
            } else if let Some(name) = without("_test") {
                files.entry(name).or_default().test = Some(file);
            } else {
                let name = without("_list").unwrap_or(stem);
                files.entry(name).or_default().whole.push(file);
            }
        }
        if files.is_empty() {
            return Err(complain("a list <domain>.txt of 'path label' lines for each domain", "none")
                .at(self.folder.display())
                .advice(
                    "name the folder of the lists; that of the pictures stands behind an @: lists:DIR@IMAGES",
                )
                .into());
        }
        Ok(files)
    }

    fn read(&self, name: &str, files: &Files) -> Result<ListedDomain> {
        let list = |file: &PathBuf| ListOnDisk::read(file, self.images.unwrap_or(self.folder));
        let (train, test) = match (&files.whole[..], &files.train, &files.test) {
            ([whole], None, None) => (list(whole)?, None),
            ([], Some(train), Some(test)) => (list(train)?, Some(list(test)?)),
            (whole, train, test) => {
                let found = whole.iter().chain(train).chain(test).map(|file| file.display().to_string());
                return Err(complain(
                    format!("{name}.txt, or {name}_train.txt and {name}_test.txt"),
                    found.collect::<Vec<_>>().join(" and "),
                )
                .at(self.folder.display())
                .advice("one list for training and tests, or one for each; put others elsewhere")
                .into());
            }
        };
        Ok(ListedDomain { name: name.to_owned(), train, test })
    }
}

impl ListOnDisk {
    fn read(file: &Path, images: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).map_err(|error| file_error("read", file, error))?;
        let lines = parse(&bytes, file)?;
        let dropped =
            lines.iter().take(TRIED).find_map(|line| folders_to_drop(&line.path, images)).unwrap_or(0);
        let mut paths: Vec<PathBuf> =
            lines.iter().map(|line| images.join(without_folders(&line.path, dropped))).collect();
        let mut folders = Spellings::default();
        let mut other: Option<(PathBuf, PathBuf)> = None;
        for path in paths.iter_mut().filter(|path| !path.is_file()) {
            if let Some(there) = folders.find(images, path) {
                other.get_or_insert((path.clone(), there.clone()));
                *path = there;
            }
        }
        let respelled = other.map(|(listed, there)| {
            let [listed, there] =
                [&listed, &there].map(|path| path.strip_prefix(images).unwrap_or(path).display().to_string());
            format!(
                "{}: paths are spelled differently on this disk, such as '{listed}', which is '{there}'",
                file.display()
            )
        });
        Ok(Self { file: file.to_owned(), lines, paths, respelled })
    }

    /// The lines whose picture is not there.
    fn missing(&self) -> impl Iterator<Item = (&ListLine, &PathBuf)> {
        self.lines.iter().zip(&self.paths).filter(|(_, path)| !path.is_file())
    }

    fn pictures(&self) -> PictureFiles {
        let files =
            self.paths.iter().cloned().zip(self.lines.iter().map(|line| line.label.unwrap_or(UNLABELLED)));
        PictureFiles { files: files.collect(), background: None }
    }

    fn into_domain(self, name: &str, options: &Options, remarks: &mut Vec<String>) -> Result<Domain> {
        let missing = if options.skip_bad_images { None } else { self.missing().next() };
        if let Some((line, path)) = missing {
            let others = match self.missing().count() - 1 {
                0 => String::new(),
                others => format!(", and {others} more of this list are not there"),
            };
            return Err(complain("a picture", format!("no file {}{others}", path.display()))
                .at_line(&self.file, line.line)
                .advice(
                    "name the folder that the paths start from: lists:DIR@IMAGES; --skip-bad-images leaves them out",
                )
                .into());
        }
        PictureFiles { background: options.background, ..self.pictures() }.into_domain(name, options, remarks)
    }
}

impl ListedDomain {
    fn lists(&self) -> impl Iterator<Item = &ListOnDisk> {
        [&self.train].into_iter().chain(&self.test)
    }

    /// Refuses pictures without a label, which only a target may have.
    fn require_labels(&self) -> Result<()> {
        for list in self.lists() {
            if let Some(line) = list.lines.iter().find(|line| line.label.is_none()) {
                return Err(complain(
                    "a path, a space and a label in a list of a source",
                    format!("'{}'", line.path),
                )
                .at_line(&list.file, line.line)
                .advice("write one picture a line, as in: art/Mug/00001.jpg 0; only a target needs no labels")
                .into());
            }
        }
        Ok(())
    }

    /// What training sees, and what tests see.
    fn load(
        self,
        classes: &[String],
        options: &Options,
        remarks: &mut Vec<String>,
    ) -> Result<(Domain, Domain)> {
        remarks.extend(self.lacking(classes));
        let train = self.train.into_domain(&self.name, options, remarks)?;
        let test = match self.test {
            Some(list) => list.into_domain(&self.name, options, remarks)?,
            None => train.clone(),
        };
        Ok((train, test))
    }

    /// Which classes its training list has no picture of.
    fn lacking(&self, classes: &[String]) -> Option<String> {
        let labels: BTreeSet<u32> = self.train.lines.iter().filter_map(|line| line.label).collect();
        let unlabelled = self.train.lines.iter().filter(|line| line.label.is_none()).count();
        if unlabelled > 0 {
            return Some(format!(
                "{}: {unlabelled} pictures without a class; no accuracy counts them",
                self.name
            ));
        }
        let lacking = (0u32..).zip(classes).filter(|(label, _)| !labels.contains(label));
        let lacking: Vec<&String> = lacking.map(|(_, class)| class).collect();
        let (some, all) = (lacking.len(), classes.len());
        (some > 0).then(|| format!("{} lacks {some} of the {all} classes: {}", self.name, some_of(lacking)))
    }

    fn check(&self, classes: &[String]) -> DomainCheck {
        let mut counts = vec![0; classes.len()];
        for label in self.lists().flat_map(|list| &list.lines).filter_map(|line| line.label) {
            counts[label as usize] += 1;
        }
        let class = |(class, count): (&String, usize)| ClassCheck {
            class: class.clone(),
            expected: None,
            found: count,
        };
        let missing: BTreeSet<&PathBuf> =
            self.lists().flat_map(|list| list.missing().map(|(_, path)| path)).collect();
        let finding = |file: &&PathBuf| Finding { file: file.to_path_buf(), wrong: Wrong::Missing };
        let mut check = DomainCheck {
            name: self.name.clone(),
            place: Some(self.train.file.clone()),
            classes: classes.iter().zip(counts).map(class).collect(),
            findings: missing.iter().map(finding).collect(),
        };
        for list in self.lists() {
            let mut pictures = list.pictures();
            pictures.files.retain(|(path, _)| !missing.contains(path));
            check.decode_all(&pictures);
        }
        check
    }
}

/// How many of a path's first folders to leave out so that it leads to a file in `images`; none if nothing helps.
fn folders_to_drop(path: &str, images: &Path) -> Option<usize> {
    // The class's folder and the file always stay, so that pictures of different classes never become one.
    let most = Path::new(path).components().count().saturating_sub(2);
    (0..=most).find(|&dropped| images.join(without_folders(path, dropped)).is_file())
}

fn without_folders(path: &str, dropped: usize) -> PathBuf {
    Path::new(path).components().skip(dropped).collect()
}

/// The names of the classes by label, and what should be known of them.
fn class_names<'a>(
    domains: impl IntoIterator<Item = &'a ListedDomain>,
) -> Result<(Vec<String>, Vec<String>)> {
    let lists: Vec<&ListOnDisk> = domains.into_iter().flat_map(ListedDomain::lists).collect();
    let mut first: BTreeMap<u32, (&Path, usize)> = BTreeMap::new();
    for (list, line) in lists.iter().flat_map(|list| list.lines.iter().map(move |line| (list, line))) {
        if let Some(label) = line.label {
            first.entry(label).or_insert((&list.file, line.line));
        }
    }
    for (expected, (&label, &(file, line))) in (0u32..).zip(&first) {
        if label != expected {
            return Err(complain(
                format!("labels without a gap, and so a picture of the label {expected}"),
                format!("none, but the label {label}"),
            )
            .at_line(file, line)
            .advice(
                "number the classes 0, 1, 2, … and list a picture of each, in the source or in the target",
            )
            .into());
        }
    }
    let files: Vec<(&Path, &[ListLine])> = lists.iter().map(|list| (&*list.file, &*list.lines)).collect();
    let shown = labelling::classes_in(&files)?;
    let class = |label: &u32| shown.names.get(label).cloned().unwrap_or_else(|| format!("class {label}"));
    Ok((first.keys().map(class).collect(), shown.remarks))
}

/// Paths that are on the disk under another spelling; every folder is read once.
#[derive(Default)]
struct Spellings {
    /// What is inside each folder, by the key of its name: a list may have a hundred thousand paths.
    folders: BTreeMap<PathBuf, BTreeMap<String, Vec<String>>>,
}

impl Spellings {
    /// The file that `path`, which starts with `from`, must mean: at each of its folders the only one that is spelled alike.
    fn find(&mut self, from: &Path, path: &Path) -> Option<PathBuf> {
        let mut found = from.to_owned();
        for part in path.strip_prefix(from).ok()?.components() {
            let inside = self.folders.entry(found.clone()).or_insert_with(|| {
                let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for entry in std::fs::read_dir(&found).into_iter().flatten().flatten() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    names.entry(key(&name)).or_default().push(name);
                }
                names
            });
            let part = part.as_os_str().to_str()?;
            let alike = inside.get(&key(part))?;
            let only = (alike.len() == 1).then(|| &alike[0]);
            found.push(alike.iter().find(|name| *name == part).or(only)?);
        }
        found.is_file().then_some(found)
    }
}
