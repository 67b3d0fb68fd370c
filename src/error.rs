//! One error type whose messages say what was expected, what was found, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use strsim::levenshtein;

/// The result of everything in this library that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in words that a user can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that a user gave us is not as it has to be.
    #[error(transparent)]
    Input(Box<Complaint>),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}{}", path.display(), advice_line(advice))]
    File {
        /// What was being done, as a verb: `read`, `write`, `open`.
        action: &'static str,
        /// The file or folder in question.
        path: PathBuf,
        /// The operating system's own words.
        source: std::io::Error,
        /// What the user can do about it; may be empty.
        advice: String,
    },
    /// A loss became infinite or not a number; the run was stopped there.
    #[error(
        "the loss '{loss}' became {value} at step {step}; the run was stopped and its last checkpoint is untouched\n  \
         what to do: lower the learning rate (--learning-rate) or the weight of that loss, or look for broken pictures"
    )]
    NotFinite {
        /// Name of the first loss that is not finite.
        loss: String,
        /// Its value.
        value: f64,
        /// The step at which it was seen.
        step: usize,
    },
    /// A tensor operation failed: wrong shapes or types inside the library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// Bad input: what was expected, what was found, where, and what to do.
#[derive(Debug, Default)]
pub struct Complaint {
    expected: String,
    found: String,
    place: Option<String>,
    advice: String,
}

impl std::error::Error for Complaint {}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        write!(f, "{}", advice_line(&self.advice))
    }
}

impl From<Complaint> for Error {
    fn from(complaint: Complaint) -> Self {
        Error::Input(Box::new(complaint))
    }
}

impl Complaint {
    /// Names the place: a file, a folder, a flag.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Names the place as `file:line`, counted from 1.
    pub fn at_line(self, file: &Path, line: usize) -> Self {
        self.at(format!("{}:{line}", file.display()))
    }

    /// Says what the user can do about it, where nothing was said yet.
    pub fn or_advice(self, advice: &str) -> Self {
        if self.advice.is_empty() { self.advice(advice) } else { self }
    }

    /// Says what the user can do about it.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

/// Starts a complaint about bad input.
///
/// ```
/// use toalign::error::{Error, complain};
/// let error: Error = complain("a domain of Art, Clipart", "'Artt'").at("--task").advice("write Art").into();
/// assert_eq!(error.to_string(), "--task: expected a domain of Art, Clipart, found 'Artt'\n  what to do: write Art");
/// ```
pub fn complain(expected: impl Into<String>, found: impl Into<String>) -> Complaint {
    Complaint { expected: expected.into(), found: found.into(), ..Complaint::default() }
}

/// Wraps an operating system error with the file it is about.
///
/// ```
/// use toalign::error::file_error;
/// let missing = std::fs::read("/no/such/file").unwrap_err();
/// let error = file_error("read", "/no/such/file", missing);
/// assert!(error.to_string().starts_with("cannot read /no/such/file: No such file"));
/// ```
pub fn file_error(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Error {
    let advice = match source.kind() {
        std::io::ErrorKind::NotFound => "check the spelling of the path",
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that you may write to"
        }
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::QuotaExceeded
        | std::io::ErrorKind::FileTooLarge => "free some space; everything written before is still there",
        _ => "",
    };
    Error::File { action, path: path.into(), source, advice: advice.to_owned() }
}

/// Of `known`, the name that is closest to what the user wrote, if any is close enough to be meant.
///
/// ```
/// use toalign::error::nearest;
/// assert_eq!(nearest("learning_rat", ["batch_size", "learning_rate"]), Some("learning_rate"));
/// assert_eq!(nearest("xyz", ["batch_size", "learning_rate"]), None);
/// ```
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (levenshtein(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .min()
        .map(|(_, name)| name)
}

fn advice_line(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!("\n  what to do: {advice}") }
}
