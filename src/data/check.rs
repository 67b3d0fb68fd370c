//! What a check of pictures on disk finds: per domain, how many of each class, and every file that is not as it should be.

use std::path::PathBuf;

use crate::data::dataset::Pictures;
use crate::data::picture_files::{PictureFiles, check, first_line};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It should be there, and is not.
    Missing,
    /// It is there, and should not be.
    Extra,
    /// It is no picture, or cannot be read; with the reason.
    Unreadable(String),
}

/// A file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it is, or should be.
    pub file: PathBuf,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// The pictures of one class in one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCheck {
    /// The class.
    pub class: String,
    /// How many there should be; none where nobody knows.
    pub expected: Option<usize>,
    /// How many there are, readable or not.
    pub found: usize,
}

/// One domain, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainCheck {
    /// Its name.
    pub name: String,
    /// The folder or the list that was looked at; none if there is none.
    pub place: Option<PathBuf>,
    /// Its classes by label.
    pub classes: Vec<ClassCheck>,
    /// Every file that is not as it should be: missing, extra, unreadable.
    pub findings: Vec<Finding>,
}

impl DomainCheck {
    /// How many pictures there should be; none where nobody knows.
    pub fn expected(&self) -> Option<usize> {
        self.classes.iter().map(|class| class.expected).sum()
    }

    /// How many pictures there are in the class folders.
    pub fn found(&self) -> usize {
        self.classes.iter().map(|class| class.found).sum()
    }

    /// How many files are missing, extra and unreadable.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for finding in &self.findings {
            counts[match finding.wrong {
                Wrong::Missing => 0,
                Wrong::Extra => 1,
                Wrong::Unreadable(_) => 2,
            }] += 1;
        }
        counts
    }

    /// Decodes every picture on all cores, and takes note of those that cannot be.
    pub(super) fn decode_all(&mut self, pictures: &PictureFiles) {
        self.findings.extend(check(pictures).into_iter().map(|(index, error)| {
            let (file, message) = (pictures.files[index].0.clone(), first_line(&error));
            // The message begins with the file, which is named already.
            let reason = message.strip_prefix(&format!("{}: ", pictures.name(index))).unwrap_or(&message);
            Finding { file, wrong: Wrong::Unreadable(reason.to_owned()) }
        }));
    }
}
