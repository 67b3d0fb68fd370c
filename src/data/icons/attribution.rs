//! Who made the pictures, and under which licence: what lies beside them.

use std::collections::BTreeMap;

use super::tables::IconSet;

const HEAD: &str = "\
# Who made these pictures

Each picture is an icon of the set that its name begins with, `<set>--<icon>.png`. They were changed: drawn at 96 × 96 pixels on
white, icons without a colour of their own in black or, in flat sets of one colour, in one hue for each set; near-duplicates were
left out. What a picture covers is its alpha. The class names are those of Office-Home.

Keep this file with the pictures: most of the licences ask for it. Pictures of a set under a ShareAlike licence (SA) stay
under it when they are passed on.

| set | version | licence | author | source | pictures |
| --- | --- | --- | --- | --- | --- |
";

/// The table of all sets with pictures, as Markdown.
pub(super) fn text(sets: &[IconSet], pictures: &BTreeMap<&str, usize>) -> String {
    let rows = sets.iter().filter_map(|set| {
        let IconSet { name, version, licence, author, url, .. } = set;
        let count = pictures.get(name.as_str()).filter(|count| **count > 0)?;
        Some(format!(
            "| {name} | {version} | [{licence}](https://spdx.org/licenses/{licence}.html) | {author} | <{url}> | {count} |\n"
        ))
    });
    HEAD.to_owned() + &rows.collect::<String>()
}
