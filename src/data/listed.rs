//! Long lists of names, shortened for a message.

/// At most this many names are listed in one remark or message.
pub(super) const MOST_LISTED: usize = 20;

/// The names, separated by commas; the first ones if there are many.
pub(super) fn some_of(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut names = names.into_iter();
    let listed: Vec<String> = names.by_ref().take(MOST_LISTED).map(|name| name.as_ref().to_owned()).collect();
    match names.count() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twenty_first_name_is_counted_only() {
        assert_eq!(some_of(["Art", "Clipart"]), "Art, Clipart");
        let many: Vec<String> = (0..23).map(|number| number.to_string()).collect();
        assert!(some_of(&many).ends_with("18, 19 and 3 more"), "{}", some_of(&many));
    }
}
