//! How icons are called: patterns of names, and the endings that do not change what is drawn.

/// Endings that change nothing: `bed-2`, `bed-two`, `bed-alt`. Digits are taken off by [`stems`] itself.
const ENDINGS: [&str; 11] = [
    "-one",
    "-two",
    "-three",
    "-four",
    "-alt",
    "-variant",
    "-simple",
    "-minimalistic",
    "-classic",
    "-rounded",
    "-round",
];

/// Endings that add a small sign to the drawing: `calendar-plus`.
const BADGES: [&str; 29] = [
    "-add",
    "-plus",
    "-minus",
    "-check",
    "-checked",
    "-remove",
    "-subtract",
    "-x",
    "-cancel",
    "-off",
    "-slash",
    "-search",
    "-heart",
    "-star",
    "-lock",
    "-edit",
    "-alert",
    "-warning",
    "-exclamation",
    "-question",
    "-dot",
    "-up",
    "-down",
    "-left",
    "-right",
    "-share",
    "-user",
    "-settings",
    "-cog",
];

/// Whether `name` is of the form of `pattern`, in which `*` stands for any letters, or none, and `#` for one digit.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    fn bytes_fit(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], name) => name.is_empty(),
            ([b'*', rest @ ..], name) => (0..=name.len()).any(|skipped| bytes_fit(rest, &name[skipped..])),
            ([b'#', rest @ ..], [digit, name @ ..]) => digit.is_ascii_digit() && bytes_fit(rest, name),
            ([wanted, rest @ ..], [letter, name @ ..]) => wanted == letter && bytes_fit(rest, name),
            _ => false,
        }
    }
    bytes_fit(pattern.as_bytes(), name.as_bytes())
}

/// What is left of `name` without endings that change nothing: `bed-alt-2` gives itself, `bed-alt` and `bed`.
pub(super) fn stems(name: &str) -> Vec<&str> {
    let mut found = vec![name];
    let mut next = 0;
    while let Some(&longer) = found.get(next) {
        next += 1;
        let mut shorter: Vec<&str> =
            ENDINGS.iter().filter_map(|ending| longer.strip_suffix(ending)).collect();
        // Each digit by itself, so that `mug-12` gives `mug-1` too: a pattern may end in a digit.
        if let Some(number) = longer.strip_suffix(|letter: char| letter.is_ascii_digit()) {
            shorter.extend([number, number.strip_suffix('-').unwrap_or(number)]);
        }
        for stem in shorter {
            if !found.contains(&stem) {
                found.push(stem);
            }
        }
    }
    found
}

/// The stems of `name` once one badge is taken off; none if it has no badge.
pub(super) fn stems_under_a_badge(name: &str) -> Vec<&str> {
    let under =
        stems(name).into_iter().flat_map(|stem| BADGES.iter().filter_map(|badge| stem.strip_suffix(badge)));
    under.flat_map(stems).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_letters_and_a_hash_one_digit() {
        for (pattern, name, expected) in [
            ("bed", "bed", true),
            ("bed", "beds", false),
            ("*-fill", "bed-fill", true),
            ("interface-*-#", "interface-bed-2", true),
            ("interface-*-#", "interface-bed-x", false),
            ("*24px*", "bed-24px", true),
            ("#", "", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn endings_and_badges_come_off() {
        assert!(stems("bed-alt-2").contains(&"bed"));
        assert!(stems("battery-12").contains(&"battery-1"));
        assert_eq!(stems("bed-plus"), ["bed-plus"]);
        assert!(stems_under_a_badge("calendar-plus-2").contains(&"calendar"));
        assert!(stems_under_a_badge("calendar-2-off").contains(&"calendar"));
        assert!(stems_under_a_badge("calendar").is_empty());
    }
}
