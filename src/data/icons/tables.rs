//! Which icons are which class, and which sets there are: `data_maps/icons.csv` and `data_maps/icon_sets.csv`.

use std::path::Path;

use super::patterns::{fits, stems, stems_under_a_badge};
use crate::error::{Result, complain};

/// The four styles, which are the domains.
pub const DOMAINS: [&str; 4] = ["Line", "Solid", "Flat", "Emoji"];

/// One set of icons, at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IconSet {
    /// Its name, which begins the names of its pictures.
    pub name: String,
    /// The version that the counts of the data set are of.
    pub version: String,
    /// Patterns of names with the style of such icons, an index into [`DOMAINS`]; the first that fits counts. What is of
    /// no style is left out: a set has each icon in thin, light and bold, say.
    pub styles: Vec<(String, Option<usize>)>,
    /// The colour of a flat set that has one colour and its tints, as `#rrggbb`; black otherwise.
    pub hue: Option<String>,
    /// Its licence, as SPDX abbreviates it.
    pub licence: String,
    /// Who made it.
    pub author: String,
    /// Where it comes from.
    pub url: String,
}

impl IconSet {
    /// The name of its package.
    pub fn package(&self) -> String {
        format!("@iconify-json/{}", self.name)
    }

    /// The style of an icon, an index into [`DOMAINS`], and its name without what tells the style.
    pub fn style<'a>(&self, icon: &'a str) -> Option<(usize, &'a str)> {
        let (pattern, style) = self.styles.iter().find(|(pattern, _)| fits(pattern, icon))?;
        let ending = pattern.strip_prefix('*').unwrap_or_default();
        Some(((*style)?, icon.strip_suffix(ending).unwrap_or(icon)))
    }
}

/// What icons of one class are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassNames {
    /// Office-Home's name of the class.
    pub class: String,
    /// Whether icons with a small sign beside the object count too.
    pub badges: bool,
    /// Patterns of names.
    pub names: Vec<String>,
    /// Patterns of sets and of names in them that mean something else: the mouse that is an animal.
    pub but_not: Vec<(String, String)>,
}

/// How well an icon's name fits a class: plain icons go before those with a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The object alone.
    Plain,
    /// The object with a small sign.
    Badge,
}

impl ClassNames {
    /// How `icon` of `set`, called `base` without what tells its style, fits this class; `None` if it is something else.
    pub fn fit(&self, set: &str, icon: &str, base: &str) -> Option<Fit> {
        let named =
            |stems: Vec<&str>| stems.iter().any(|stem| self.names.iter().any(|name| fits(name, stem)));
        let fit = if named(stems(base)) {
            Fit::Plain
        } else if self.badges && named(stems_under_a_badge(base)) {
            Fit::Badge
        } else {
            return None;
        };
        let other = |(sets, names): &(String, String)| fits(sets, set) && fits(names, icon);
        (!self.but_not.iter().any(other)).then_some(fit)
    }
}

/// The sets, from `data_maps/icon_sets.csv`.
///
/// # Errors
/// If a line of the table is damaged; with `file:line`.
///
/// ```
/// let sets = toalign::data::icons::sets()?;
/// let phosphor = sets.iter().find(|set| set.name == "ph").unwrap();
/// assert_eq!(phosphor.style("bed-fill"), Some((1, "bed")));
/// assert_eq!(phosphor.style("bed-thin"), None);
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn sets() -> Result<Vec<IconSet>> {
    rows(include_str!("../../../data_maps/icon_sets.csv"), "data_maps/icon_sets.csv", |cells: [&str; 7]| {
        let [name, version, styles, hue, licence, author, url] = cells.map(str::to_owned);
        let styles = styles.split_whitespace().map(|rule| {
            let (pattern, style) = rule.split_once('=')?;
            let index = DOMAINS.iter().position(|domain| *domain == style);
            (index.is_some() || style.is_empty()).then(|| (pattern.to_owned(), index))
        });
        let styles = styles.collect::<Option<_>>()?;
        let hue = Some(hue).filter(|hue| !hue.is_empty());
        Some(IconSet { name, version, styles, hue, licence, author, url })
    })
}

/// The classes, sorted by name, from `data_maps/icons.csv`.
///
/// # Errors
/// If a line of the table is damaged; with `file:line`.
pub fn classes() -> Result<Vec<ClassNames>> {
    rows(TABLE_OF_CLASSES, "data_maps/icons.csv", |[class, badges, names, but_not]: [&str; 4]| {
        let other = |pair: &str| pair.split_once(':').map(|(set, name)| (set.to_owned(), name.to_owned()));
        Some(ClassNames {
            class: class.to_owned(),
            badges: match badges {
                "yes" => true,
                "no" => false,
                _ => return None,
            },
            names: names.split_whitespace().map(str::to_owned).collect(),
            but_not: but_not.split_whitespace().map(other).collect::<Option<_>>()?,
        })
    })
}

const TABLE_OF_CLASSES: &str = include_str!("../../../data_maps/icons.csv");

/// Changes with every change of what is picked from a set.
pub(super) fn fingerprint() -> u64 {
    let sets = include_str!("../../../data_maps/icon_sets.csv");
    crate::random::hash_of_name(&[TABLE_OF_CLASSES, sets].concat())
}

/// The lines of a table below its head, each cut at its commas and understood by `read`.
fn rows<const CELLS: usize, Row>(
    text: &str,
    file: &str,
    read: impl Fn([&str; CELLS]) -> Option<Row>,
) -> Result<Vec<Row>> {
    let row = |(number, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').collect();
        <[&str; CELLS]>::try_from(cells).ok().and_then(&read).ok_or_else(|| {
            let head = text.lines().next().unwrap_or_default();
            complain(format!("{CELLS} cells as in '{head}'"), format!("'{line}'"))
                .at_line(Path::new(file), number + 2)
                .advice("the table is part of the repository: restore it with git checkout")
                .into()
        })
    };
    text.lines().skip(1).enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::office_home;

    #[test]
    fn the_classes_are_office_homes() {
        let known = office_home::classes().unwrap();
        let classes = classes().unwrap();
        assert!(classes.is_sorted_by_key(|names| names.class.clone()));
        for names in &classes {
            assert!(known.iter().any(|known| known.class == names.class), "{}", names.class);
            assert!(!names.names.is_empty());
        }
    }

    #[test]
    fn every_set_has_a_style_and_an_owner() {
        let sets = sets().unwrap();
        for (index, set) in sets.iter().enumerate() {
            assert!(set.styles.iter().any(|(_, style)| style.is_some()), "{}", set.name);
            assert!(
                !set.licence.is_empty() && !set.author.is_empty() && !set.version.is_empty(),
                "{}",
                set.name
            );
            assert!(sets[..index].iter().all(|other| other.name != set.name), "{} twice", set.name);
        }
    }

    #[test]
    fn an_icon_may_mean_something_else_in_a_set() {
        let classes = classes().unwrap();
        let mouse = classes.iter().find(|names| names.class == "Mouse").unwrap();
        assert_eq!(mouse.fit("mdi", "mouse", "mouse"), Some(Fit::Plain));
        assert_eq!(mouse.fit("noto", "mouse", "mouse"), None);
        let calendar = ClassNames {
            class: "Calendar".into(),
            badges: true,
            names: vec!["calendar".into()],
            but_not: vec![],
        };
        assert_eq!(calendar.fit("mdi", "calendar-plus-outline", "calendar-plus"), Some(Fit::Badge));
        assert_eq!(calendar.fit("mdi", "calendars", "calendars"), None);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let message = rows("a,b\n1,2\n3\n", "table.csv", |[a, b]: [&str; 2]| Some((a.len(), b.len())));
        let message = message.unwrap_err().to_string();
        assert!(message.starts_with("table.csv:3: expected 2 cells as in 'a,b', found '3'"), "{message}");
    }
}
