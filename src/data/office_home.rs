//! Office-Home by its list: 65 classes in their published order, and how many pictures each domain has of them.

pub mod on_disk;
pub mod published_list;

use std::path::Path;

use crate::error::{Result, complain};

/// The domains in the order of the list's columns.
pub const DOMAINS: [&str; 4] = ["Art", "Clipart", "Product", "Real World"];

/// One class of Office-Home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCounts {
    /// Its published label: Drill is 0, Marker is 64; not alphabetical.
    pub label: u32,
    /// Its name, which is the name of its folder.
    pub class: String,
    /// Pictures in each domain, in the order of [`DOMAINS`].
    pub pictures: [usize; 4],
}

/// The 65 classes, from `data_maps/office_home.csv`.
///
/// ```
/// let classes = toalign::data::office_home::classes()?;
/// assert_eq!((classes.len(), classes[0].class.as_str(), classes[0].pictures), (65, "Drill", [15, 48, 67, 51]));
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn classes() -> Result<Vec<ClassCounts>> {
    parse(include_str!("../../data_maps/office_home.csv"), Path::new("data_maps/office_home.csv"))
}

/// Source and target pictures of a mean task: two of the four domains.
///
/// # Errors
/// As [`classes`].
pub fn pictures_per_task() -> Result<usize> {
    let all: usize = classes()?.iter().flat_map(|class| class.pictures).sum();
    Ok(all * 2 / DOMAINS.len())
}

/// The classes in the text of such a list; `file` is its name for messages.
///
/// # Errors
/// If a line is not a label, a class and four counts; with `file:line`.
pub fn parse(text: &str, file: &Path) -> Result<Vec<ClassCounts>> {
    let row = |(number, line): (usize, &str)| -> Result<ClassCounts> {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let numbers: Option<Vec<usize>> = cells.iter().skip(2).map(|cell| cell.parse().ok()).collect();
        match (&cells[..], numbers.as_deref()) {
            ([label, class, ..], Some(&[art, clipart, product, real_world]))
                if label.parse() == Ok(number) =>
            {
                let pictures = [art, clipart, product, real_world];
                Ok(ClassCounts { label: number as u32, class: (*class).to_owned(), pictures })
            }
            _ => Err(complain(format!("{number},CLASS and four counts"), format!("'{line}'"))
                .at_line(file, number + 2)
                .advice("the list is part of the repository: restore it with git checkout")
                .into()),
        }
    };
    text.lines().skip(1).enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_adds_up_to_the_published_counts() {
        let classes = classes().unwrap();
        let total = |domain: usize| classes.iter().map(|class| class.pictures[domain]).sum::<usize>();
        assert_eq!([0, 1, 2, 3].map(total), [2427, 4365, 4439, 4357]);
        assert_eq!(pictures_per_task().unwrap(), 7794);
        assert_eq!(classes[64].class, "Marker");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let text =
            "label,class,art,clipart,product,real_world\n0,Drill,15,48,67,51\n1,Exit_Sign,21,x,67,81\n";
        let message = parse(text, Path::new("list.csv")).unwrap_err().to_string();
        assert!(
            message.starts_with("list.csv:3: expected 1,CLASS and four counts, found '1,Exit_Sign"),
            "{message}"
        );
    }
}
