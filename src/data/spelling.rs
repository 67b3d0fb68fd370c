//! When two names mean the same although their bytes differ: archives from a Mac write `é` as two characters, copies of a data
//! set say `Alarm_Clock` or `Alarm Clock`, `bike` or `Bike`.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::error::{Result, complain};

/// A name without what copies of a data set change: composed, in lower case, with one space for spaces, `_` and `-`.
pub(crate) fn key(name: &str) -> String {
    let folded: String = name.nfc().flat_map(char::to_lowercase).collect();
    let words = folded.split(|letter: char| letter.is_whitespace() || letter == '_' || letter == '-');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One spelling for every class of several domains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OneSpelling {
    /// What a class is called everywhere, by what a domain calls it.
    pub(crate) names: BTreeMap<String, String>,
    /// What was taken for the same, in a sentence.
    pub(crate) remark: Option<String>,
}

/// Finds one spelling for the classes of all `domains`, which are given with their names.
///
/// # Errors
/// If a domain has two classes whose names differ in spelling only, and another domain spells them otherwise.
pub(crate) fn one_spelling(domains: &[(String, Vec<String>)]) -> Result<OneSpelling> {
    let mut spellings: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    for (domain, classes) in domains {
        for class in classes {
            spellings.entry(key(class)).or_default().entry(class).or_insert(domain);
        }
    }
    let mut found = OneSpelling::default();
    let mut taken = Vec::new();
    for (key_of_class, spelled) in &spellings {
        let of = |classes: &'_ Vec<String>| {
            classes.iter().filter(|class| key(class) == *key_of_class).cloned().collect()
        };
        let sets: Vec<BTreeSet<String>> = domains.iter().map(|(_, classes)| of(classes)).collect();
        let alike =
            || spelled.iter().map(|(class, domain)| format!("'{class}' ({domain})")).collect::<Vec<_>>();
        let largest = sets.iter().map(BTreeSet::len).max().unwrap_or(0);
        // Two spellings in one domain are two classes, if every domain that has one of them spells it so.
        let fullest = sets.iter().find(|set| set.len() == largest);
        let told_apart = fullest.is_some_and(|fullest| sets.iter().all(|set| set.is_subset(fullest)));
        if largest > 1 && !told_apart {
            return Err(complain(
                "classes that are told apart by more than their spelling",
                alike().join(" and "),
            )
            .advice("give the folders of one class the same name in all domains")
            .into());
        }
        let first = spelled.keys().next().copied().unwrap_or_default();
        for class in spelled.keys() {
            let name = if largest > 1 { class } else { first };
            found.names.insert((*class).to_owned(), name.to_owned());
        }
        if largest == 1 && spelled.len() > 1 {
            taken.push(alike().join(" = "));
        }
    }
    if !taken.is_empty() {
        found.remark =
            Some(format!("taken for the same class, although spelled differently: {}", taken.join("; ")));
    }
    Ok(found)
}

/// What programs and systems leave beside pictures; matched whatever the case.
const LEFT_BEHIND: [&str; 13] = [
    "__macosx",
    "@eadir",
    "@recycle",
    "#recycle",
    ".appledouble",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "lost+found",
    "$recycle.bin",
    "system volume information",
    "__pycache__",
    "icon\r",
];

/// Whether a file or folder of this name is no user's, but something that a program or a system left behind.
pub(crate) fn is_junk(name: &str) -> bool {
    let lower = name.to_lowercase();
    LEFT_BEHIND.contains(&lower.as_str()) || lower.ends_with(":zone.identifier")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_key() {
        for alike in [
            &["Caf\u{e9}", "Cafe\u{301}", "CAFE\u{301} ", "caf\u{e9}"][..],
            &["Alarm_Clock", "Alarm Clock", "alarm-clock", " Alarm  Clock"],
        ] {
            assert!(alike.iter().all(|name| key(name) == key(alike[0])), "{alike:?}");
        }
        assert_ne!(key("C"), key("C++"));
        assert_ne!(key("Bike"), key("Bikes"));
    }

    fn one_spelling(domains: &[(&str, Vec<&str>)]) -> Result<OneSpelling> {
        let owned = |(name, classes): &(&str, Vec<&str>)| {
            (name.to_string(), classes.iter().map(|class| class.to_string()).collect())
        };
        super::one_spelling(&domains.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn one_spelling_for_all_domains_or_both_are_named() {
        let found = one_spelling(&[("Art", vec!["Bike", "Cup"]), ("Clipart", vec!["bike ", "Cup"])]).unwrap();
        assert_eq!(found.names["bike "], "Bike");
        assert_eq!(found.names["Cup"], "Cup");
        assert_eq!(
            found.remark.unwrap(),
            "taken for the same class, although spelled differently: 'Bike' (Art) = 'bike ' (Clipart)"
        );
        // Two classes that every domain tells apart are two.
        let two = one_spelling(&[("Art", vec!["us", "US"]), ("Clipart", vec!["US", "us"])]).unwrap();
        assert_eq!((two.names.len(), two.remark), (2, None));
        assert_eq!(two.names["us"], "us");
        let message =
            one_spelling(&[("Art", vec!["us", "US"]), ("Clipart", vec!["Us"])]).unwrap_err().to_string();
        assert!(message.contains("found 'US' (Art) and 'Us' (Clipart) and 'us' (Art)"), "{message}");
    }

    #[test]
    fn what_systems_leave_behind_is_known_in_any_case() {
        assert!(["Thumbs.db", "THUMBS.DB", "__MACOSX", "lost+found"].iter().all(|name| is_junk(name)));
        assert!(!is_junk("Thumbs"));
    }
}
