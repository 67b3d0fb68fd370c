//! The published list files of Office-Home, line by line.
//!
//! Lists such as `art.txt` of microsoft/UDA (CDAN's and HDA's `Art.txt` have the same lines behind another folder) name one
//! picture a line, `art/Drill/00014.jpg 0`: class by class in the order of the labels, and inside a class in the order in
//! which a file system once listed its folder. That order is the same for every class and domain, so the table of counts
//! and one row of 99 numbers are all four lists. They were compared with the published files: all of them in length to
//! the letter, and in order the first eight classes of Art and Clipart and the last five of Product and Real World.

use super::{DOMAINS, classes};
use crate::data::names::find_domain;
use crate::error::{Error, Result};

/// How the lists call the domains, in the order of [`DOMAINS`].
pub const FOLDERS: [&str; 4] = ["art", "clipart", "product", "real_world"];

/// The order of the pictures 00001.jpg to 00099.jpg; a class of fewer pictures leaves out the higher numbers.
const ORDER: [usize; 99] = [
    14, 27, 36, 47, 33, 5, 26, 76, 97, 64, 93, 86, 96, 71, 12, 70, 4, 44, 98, 16, 41, 20, 52, 84, 81, 49, 89,
    22, 25, 46, 60, 74, 51, 75, 9, 23, 79, 78, 68, 29, 80, 43, 57, 66, 77, 48, 58, 59, 10, 82, 83, 73, 21,
    94, 1, 67, 2, 65, 56, 63, 18, 95, 39, 19, 28, 53, 62, 91, 32, 40, 3, 38, 35, 87, 72, 90, 17, 37, 45, 15,
    11, 61, 88, 13, 92, 55, 85, 8, 30, 6, 7, 24, 50, 34, 99, 54, 69, 31, 42,
];

/// The numbers of the pictures of a class that has `count` of them, in the published order.
///
/// ```
/// use toalign::data::office_home::published_list::numbers;
/// assert_eq!(numbers(6).collect::<Vec<_>>(), [5, 4, 1, 2, 3, 6]);
/// ```
pub fn numbers(count: usize) -> impl Iterator<Item = usize> {
    ORDER.into_iter().filter(move |&number| number <= count)
}

/// The name of a picture's file: `00014.jpg`.
pub fn file_name(number: usize) -> String {
    format!("{number:05}.jpg")
}

/// The lines of the published list of a domain, which may be called as a task calls it (`Art`, `real_world`, `Rw`).
///
/// # Errors
/// If there is no such domain.
///
/// ```
/// let lines = toalign::data::office_home::published_list::lines("Art")?;
/// assert_eq!((lines.len(), lines[0].as_str()), (2427, "art/Drill/00014.jpg 0"));
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn lines(domain: &str) -> Result<Vec<String>> {
    let domain = find_domain(domain, &DOMAINS.map(String::from)).map_err(|error| match error {
        Error::Input(complaint) => complaint.at("--domain").into(),
        other => other,
    })?;
    let folder = FOLDERS[domain];
    let classes = classes()?;
    let of_class = classes.iter().flat_map(|class| {
        numbers(class.pictures[domain])
            .map(move |number| format!("{folder}/{}/{} {}", class.class, file_name(number), class.label))
    });
    Ok(of_class.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stands_in_the_order_once() {
        let mut sorted = ORDER;
        sorted.sort();
        assert!(sorted.into_iter().eq(1..=99));
        let largest = classes().unwrap().iter().flat_map(|class| class.pictures).max();
        assert_eq!(largest, Some(99));
    }

    /// The sizes of the published files, whose lines end in `\r\n`.
    #[test]
    fn the_lists_are_as_long_as_the_published_ones() {
        for (domain, bytes) in [("Ar", 61_829), ("Cl", 127_870), ("Pr", 131_768), ("Rw", 142_630)] {
            let found: usize = lines(domain).unwrap().iter().map(|line| line.len() + 2).sum();
            assert_eq!(found, bytes, "{domain}");
        }
    }

    #[test]
    fn the_order_is_the_published_one() {
        let exit_sign = &lines("Art").unwrap()[15..36];
        let numbers = [14, 5, 12, 4, 16, 20, 9, 10, 21, 1, 2, 18, 19, 3, 17, 15, 11, 13, 8, 6, 7];
        assert_eq!(exit_sign, numbers.map(|number| format!("art/Exit_Sign/000{number:02}.jpg 1")));
        let real_world = lines("real world").unwrap();
        assert_eq!(real_world[4357 - 23 - 1], "real_world/Refrigerator/00042.jpg 63");
        assert_eq!(real_world[4357 - 23], "real_world/Marker/00014.jpg 64");
        assert_eq!(real_world[4356], "real_world/Marker/00007.jpg 64");
    }

    #[test]
    fn another_domain_is_named() {
        let message = lines("Sketch").unwrap_err().to_string();
        let expected = "--domain: expected a domain of Art, Clipart, Product, Real World, found 'Sketch'";
        assert!(message.starts_with(expected), "{message}");
    }
}
