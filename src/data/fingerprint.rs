//! Which pictures a run sees: a run that goes on after they were changed would end as no undisturbed run does.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::dataset::Task;
use super::listed::some_of;

/// The pictures of a task in their order, a line each: domain, class and file name, then a tab and the file's bytes.
///
/// It does not say in which folder they are, so that data may be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    lines: Vec<String>,
    digest: String,
}

impl Fingerprint {
    /// The pictures that training and tests see. A picture that is drawn has no bytes.
    pub fn of(task: &Task) -> Self {
        let mut lines = Vec::new();
        let tests = [(&task.source_test, &task.source), (&task.target_test, &task.target)];
        let apart = tests
            .into_iter()
            .filter(|(test, train)| !std::sync::Arc::ptr_eq(&test.pictures, &train.pictures));
        for domain in [&task.source, &task.target].into_iter().chain(apart.map(|(test, _)| test)) {
            for index in 0..domain.pictures.len() {
                let name = domain.pictures.name(index);
                let class =
                    task.classes.get(domain.pictures.label(index) as usize).map_or("", String::as_str);
                let (file, bytes) = match std::fs::metadata(&name) {
                    Ok(about) => (
                        Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned(),
                        about.len(),
                    ),
                    Err(_) => (name, 0),
                };
                lines.push(format!("{}/{class}/{file}\t{bytes}", domain.name));
            }
        }
        Self::from_lines(lines)
    }

    fn from_lines(lines: Vec<String>) -> Self {
        let mut digest = Sha256::new();
        for line in &lines {
            digest.update(line);
            digest.update("\n");
        }
        Self { lines, digest: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// Its SHA-256 in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// All lines.
    pub fn to_text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// What [`Fingerprint::to_text`] wrote.
    pub fn parse(text: &str) -> Self {
        Self::from_lines(text.lines().map(str::to_owned).collect())
    }

    /// What was changed between this one and a later one, such as `1 missing (Art/Mug/3.jpg), 2 new (…)`; empty if nothing.
    ///
    /// ```
    /// use toalign::data::fingerprint::Fingerprint;
    /// let before = Fingerprint::parse("Art/Mug/1.jpg\t90\nArt/Mug/2.jpg\t70\nArt/Mug/3.jpg\t80\n");
    /// let now = Fingerprint::parse("Art/Mug/2.jpg\t71\nArt/Mug/3.jpg\t80\nArt/Mug/4.jpg\t60\n");
    /// assert_eq!(
    ///     before.changes_to(&now),
    ///     "1 missing (Art/Mug/1.jpg), 1 new (Art/Mug/4.jpg), 1 of another size (Art/Mug/2.jpg)"
    /// );
    /// assert_eq!(before.changes_to(&before), "");
    /// ```
    pub fn changes_to(&self, now: &Self) -> String {
        let (old, new) = (self.sizes(), now.sizes());
        let missing: Vec<&str> = old.keys().filter(|name| !new.contains_key(*name)).copied().collect();
        let added: Vec<&str> = new.keys().filter(|name| !old.contains_key(*name)).copied().collect();
        let resized =
            old.iter().filter(|(name, bytes)| new.get(*name).is_some_and(|others| others != *bytes));
        let resized: Vec<&str> = resized.map(|(name, _)| *name).collect();
        let kinds = [("missing", missing), ("new", added), ("of another size", resized)];
        let mut changes: Vec<String> = kinds
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{} {what} ({})", names.len(), some_of(&names)))
            .collect();
        if changes.is_empty() && self != now {
            changes.push("the same pictures in another order".to_owned());
        }
        changes.join(", ")
    }

    /// Bytes by name; files of one name in different folders of a class stand together.
    fn sizes(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut sizes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, bytes) in self.lines.iter().filter_map(|line| line.rsplit_once('\t')) {
            sizes.entry(name).or_default().push(bytes);
        }
        sizes
    }
}
