//! Whether lists agree on what their labels mean, as far as the paths show the class: `art/Bike/00001.jpg 5`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::list_file::ListLine;
use super::listed::some_of;
use super::spelling::key;
use crate::error::{Result, complain};

/// The part of a list's lines whose label is the usual one of their folder, from which on folders are taken for classes. A
/// list in which a few lines are wrong has more; one whose folders have nothing to do with classes has less.
const AGREEING: f64 = 0.75;

/// How far up a path its class may stand: `Bike/1.jpg`, `Bike/train/1.jpg`.
const HIGHEST: usize = 2;

/// What the paths of lists say about classes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The names of the classes that they show, by label.
    pub(super) names: BTreeMap<u32, String>,
    /// What a user should know.
    pub(super) remarks: Vec<String>,
}

/// Where a label stands for the first time.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
    line: usize,
    label: u32,
}

/// Compares the lists with each other, and each with itself.
///
/// # Errors
/// If one class has two labels; with both places.
pub(super) fn classes_in(lists: &[(&Path, &[ListLine])]) -> Result<Shown> {
    let mut shown = Shown::default();
    let mut label_of: BTreeMap<String, Place> = BTreeMap::new();
    let mut folders: BTreeMap<u32, BTreeMap<String, &str>> = BTreeMap::new();
    let mut silent = Vec::new();
    for (file, lines) in lists {
        let Some(lines) = (0..=HIGHEST).find_map(|up| by_class(lines, up)) else {
            silent.push(file.display().to_string());
            continue;
        };
        for Classed { line, label, name, key, .. } in lines {
            let here = Place { file, line: line.line, label };
            let first = *label_of.entry(key.clone()).or_insert(here);
            if first.label != label {
                return Err(complain(
                    format!(
                        "the label {} for {name}, as in {}:{}",
                        first.label,
                        first.file.display(),
                        first.line
                    ),
                    format!("{label} for '{}'", line.path),
                )
                .at_line(file, line.line)
                .advice("number the classes alike in all lists: one class, one label")
                .into());
            }
            folders.entry(label).or_default().entry(key).or_insert(name);
        }
    }
    for (label, names) in &folders {
        let spelled: Vec<&str> = names.values().copied().collect();
        shown.names.insert(*label, spelled[0].to_owned());
        if spelled.len() > 1 {
            let names = spelled.join(", ");
            shown.remarks.push(format!("the label {label} stands for {names}: taken for one class"));
        }
    }
    if !silent.is_empty() {
        let lists = some_of(&silent);
        shown
            .remarks
            .push(format!("{lists}: the paths do not show the class, so its labels could not be checked"));
    }
    Ok(shown)
}

/// A line with a label, and the folder that may be its class.
struct Classed<'a> {
    line: &'a ListLine,
    label: u32,
    name: &'a str,
    key: String,
    /// Whether the label is the usual one of the folder.
    usual: bool,
}

/// The lines of a list with the folder so many levels above the picture's, those with its usual label first, so that of two
/// that disagree the odd one is complained about; none if the folders do not show classes.
fn by_class(lines: &[ListLine], up: usize) -> Option<Vec<Classed<'_>>> {
    let mut keys: HashMap<&str, String> = HashMap::new();
    let mut classed = Vec::new();
    let mut labelled = 0;
    for line in lines {
        let Some(label) = line.label else { continue };
        labelled += 1;
        let Some(name) = line.path.rsplit('/').nth(1 + up).filter(|name| !name.is_empty()) else { continue };
        let key = keys.entry(name).or_insert_with(|| key(name)).clone();
        classed.push(Classed { line, label, name, key, usual: false });
    }
    let usual = usual_labels(&classed);
    for one in &mut classed {
        one.usual = usual.get(&one.key) == Some(&one.label);
    }
    let agreeing = classed.iter().filter(|one| one.usual).count();
    let labels: BTreeSet<&u32> = usual.values().collect();
    classed.sort_by_key(|one| !one.usual);
    (labels.len() > 1 && agreeing as f64 >= AGREEING * labelled as f64).then_some(classed)
}

/// The most frequent label of each folder, by its key; of equals the smallest.
fn usual_labels(lines: &[Classed]) -> BTreeMap<String, u32> {
    let mut counts: BTreeMap<&str, BTreeMap<u32, usize>> = BTreeMap::new();
    for line in lines {
        *counts.entry(&line.key).or_default().entry(line.label).or_default() += 1;
    }
    let usual = |(key, counts): (&str, BTreeMap<u32, usize>)| {
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(label, _)| (key.to_owned(), label))
    };
    counts.into_iter().filter_map(usual).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, u32)]) -> Vec<ListLine> {
        let line = |(line, (folder, label)): (usize, &(&str, u32))| ListLine {
            path: format!("{folder}/{line}.jpg"),
            label: Some(*label),
            line: line + 1,
        };
        of.iter().enumerate().map(line).collect()
    }

    fn compare(lists: &[(&str, Vec<ListLine>)]) -> Result<Shown> {
        let lists: Vec<(&Path, &[ListLine])> =
            lists.iter().map(|(file, lines)| (Path::new(*file), &lines[..])).collect();
        classes_in(&lists)
    }

    #[test]
    fn lists_that_number_differently_are_named_with_both_places() {
        let art = lines(&[("a/Bike", 0), ("a/Cup", 1), ("a/Mug", 2)]);
        let clipart = lines(&[("c/Cup", 0), ("c/bike", 1), ("c/Mug", 2)]);
        let message = compare(&[("Art.txt", art.clone()), ("Clipart.txt", clipart)]).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "Clipart.txt:1: expected the label 1 for Cup, as in Art.txt:2, found 0 for 'c/Cup/0.jpg'"
            ),
            "{message}"
        );
        let mut odd = vec![("a/Bike", 0); 9];
        odd.extend([("a/Cup", 1); 9]);
        odd[0].1 = 1;
        let message = compare(&[("Art.txt", lines(&odd))]).unwrap_err().to_string();
        assert!(
            message.starts_with("Art.txt:1: expected the label 0 for Bike, as in Art.txt:2, found 1"),
            "{message}"
        );
        // A level up: a folder between the class and its pictures.
        let deep = lines(&[("Bike/train", 1), ("Cup/train", 0), ("Bike/test", 1), ("Cup/test", 0)]);
        let message = compare(&[("Art.txt", art.clone()), ("Real.txt", deep)]).unwrap_err().to_string();
        assert!(
            message.starts_with("Real.txt:1: expected the label 0 for Bike, as in Art.txt:1"),
            "{message}"
        );
        let names = compare(&[("Art.txt", art)]).unwrap().names;
        assert_eq!(names.into_values().collect::<Vec<_>>(), ["Bike", "Cup", "Mug"]);
    }

    #[test]
    fn paths_that_show_no_class_are_remarked() {
        let one_folder = lines(&[("images", 0), ("images", 1), ("images", 2)]);
        let shards: Vec<(&str, u32)> =
            (0..60).map(|i| (["s1", "s2", "s3"][i % 3], (i / 3 % 5) as u32)).collect();
        for list in [one_folder, lines(&shards)] {
            let shown = compare(&[("Art.txt", list)]).unwrap();
            assert!(shown.names.is_empty());
            assert_eq!(
                shown.remarks,
                ["Art.txt: the paths do not show the class, so its labels could not be checked"]
            );
        }
        let synonyms = compare(&[
            ("Art.txt", lines(&[("Bike", 0), ("Cup", 1)])),
            ("Real.txt", lines(&[("Bicycle", 0), ("Cup", 1)])),
        ]);
        assert_eq!(synonyms.unwrap().remarks, ["the label 0 stands for Bicycle, Bike: taken for one class"]);
    }
}
