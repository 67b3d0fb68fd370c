//! The settings that are a choice among names: data, method, backbone, initial weights.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::{
    MapValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParserFactory,
};
use serde::{Deserialize, Serialize};

use crate::data::lists::Lists;
use crate::data::{folder, icons, office_home};
use crate::error::{Error, complain, nearest};
use crate::files::user_path;
use crate::method::shown::Shown;
use crate::method::table::{self, Entry};
use crate::mini_home::{self, Split};

/// Lets a file of settings hold a choice as the text that the command line takes.
macro_rules! written_as_text {
    ($($choice:ty),*) => {$(
        impl TryFrom<String> for $choice {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$choice> for String {
            fn from(choice: $choice) -> Self {
                choice.to_string()
            }
        }
    )*};
}
written_as_text!(DataSource, Baseline, Control, Colour);

/// Where the pictures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataSource {
    /// Mini Office-Home, rendered by seed.
    Mini,
    /// The same, but in so many of a hundred pictures the hue of the background gives the class away, by another code in each domain.
    TiedMini(u8),
    /// A folder of domain folders of class folders.
    Folder(PathBuf),
    /// A copy of Office-Home, whatever its folders are called, with the published labels.
    OfficeHome(PathBuf),
    /// Office-Home's classes as icons in four styles, as `toalign data fetch icons` makes them.
    Icons(PathBuf),
    /// A folder of published lists, `path label` in each line, one for each domain.
    Lists {
        /// The folder of the lists.
        lists: PathBuf,
        /// The folder that their paths start from; the folder of the lists if there is none.
        images: Option<PathBuf>,
    },
}

impl DataSource {
    /// A short name for folders and tables: `mini`, `office-home`, `icons`, or the folder's own name.
    pub fn short_name(&self) -> String {
        match self {
            Self::Mini => "mini".into(),
            Self::TiedMini(percent) => format!("mini-{percent}"),
            Self::OfficeHome(_) => "office-home".into(),
            Self::Icons(_) => "icons".into(),
            Self::Folder(path) | Self::Lists { lists: path, .. } => path
                .canonicalize()
                .unwrap_or_else(|_| path.clone())
                .file_name()
                .map_or("folder".into(), |name| name.to_string_lossy().into_owned()),
        }
    }
}

impl DataSource {
    /// The folder of its pictures, or of its lists; none if they are drawn.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Mini | Self::TiedMini(_) => None,
            Self::Folder(path)
            | Self::OfficeHome(path)
            | Self::Icons(path)
            | Self::Lists { lists: path, .. } => Some(path),
        }
    }

    /// How many pictures a domain has on average.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn pictures_per_domain(&self) -> Result<usize, Error> {
        match self {
            Self::Mini | Self::TiedMini(_) => {
                Ok(mini_home::domain("Art", Split::Train, &mini_home::Options::default())?.pictures.len())
            }
            Self::OfficeHome(_) => Ok(office_home::pictures_per_task()? / 2),
            Self::Folder(path) => folder::pictures_per_domain(path),
            Self::Icons(path) => icons::pictures_per_domain(path),
            Self::Lists { lists, images } => {
                Lists { folder: lists, images: images.as_deref() }.pictures_per_domain()
            }
        }
    }
}

impl FromStr for DataSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            None if text == "mini" => Ok(Self::Mini),
            Some(("mini", percent)) if matches!(percent.parse(), Ok(0..=100u8)) => {
                Ok(Self::TiedMini(percent.parse().unwrap_or_default()))
            }
            Some(("folder", path)) if !path.is_empty() => Ok(Self::Folder(user_path(path))),
            Some(("office-home", path)) if !path.is_empty() => Ok(Self::OfficeHome(user_path(path))),
            Some(("icons", path)) if !path.is_empty() => Ok(Self::Icons(user_path(path))),
            Some(("lists", path)) if !path.is_empty() => Ok(lists_and_images(path)),
            _ => Err(complain(
                "mini, mini:PERCENT, office-home:PATH, icons:DIR, folder:PATH, lists:DIR or lists:DIR@IMAGES",
                format!("'{text}'"),
            )
            .advice("write mini, or one of the others with the folder that holds the domains or their lists")
            .into()),
        }
    }
}

/// `DIR` or `DIR@IMAGES`. A folder may have an `@` in its own name: what is there decides, else the last one cuts.
fn lists_and_images(written: &str) -> DataSource {
    let whole = DataSource::Lists { lists: user_path(written), images: None };
    let cut = |at: usize| (user_path(&written[..at]), user_path(&written[at + 1..]));
    let cuts = || written.match_indices('@').map(|(at, _)| cut(at));
    let cuts =
        || cuts().filter(|(lists, images)| [lists, images].iter().all(|path| !path.as_os_str().is_empty()));
    let there = cuts().find(|(lists, images)| lists.is_dir() && images.is_dir());
    if there.is_none() && user_path(written).is_dir() {
        return whole;
    }
    there
        .or_else(|| cuts().next_back())
        .map_or(whole, |(lists, images)| DataSource::Lists { lists, images: Some(images) })
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mini => f.write_str("mini"),
            Self::TiedMini(percent) => write!(f, "mini:{percent}"),
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            Self::OfficeHome(path) => write!(f, "office-home:{}", path.display()),
            Self::Icons(path) => write!(f, "icons:{}", path.display()),
            Self::Lists { lists, images: None } => write!(f, "lists:{}", lists.display()),
            Self::Lists { lists, images: Some(images) } => {
                write!(f, "lists:{}@{}", lists.display(), images.display())
            }
        }
    }
}

/// What is trained: a row of the [table of methods](crate::method::table). ToAlign is a switch of its own on top.
///
/// ```
/// use toalign::config::Baseline;
/// let method: Baseline = "dannp".parse()?;
/// assert_eq!((method.key, method.look.name), ("dannp", "DANNP"));
/// assert!("danp".parse::<Baseline>().unwrap_err().to_string().contains("did you mean 'dann'?"));
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Baseline(&'static Entry);

impl Deref for Baseline {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        self.0
    }
}

impl From<&'static Entry> for Baseline {
    fn from(entry: &'static Entry) -> Self {
        Self(entry)
    }
}

impl PartialEq for Baseline {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl FromStr for Baseline {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = table::all();
        if let Some(entry) = known.iter().find(|entry| entry.key.eq_ignore_ascii_case(text)) {
            return Ok(Self(entry));
        }
        let keys: Vec<&str> = known.iter().map(|entry| entry.key).collect();
        let advice = match nearest(text, keys.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "ToAlign is a switch of its own, on top of a method that aligns".to_owned(),
        };
        Err(complain(format!("a method of {}", keys.join(", ")), format!("'{text}'")).advice(advice).into())
    }
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

/// The command line lists the rows with their summaries.
impl ValueParserFactory for Baseline {
    type Parser = MapValueParser<PossibleValuesParser, fn(String) -> Self>;

    fn value_parser() -> Self::Parser {
        let listed = table::all().into_iter().map(|entry| PossibleValue::new(entry.key).help(entry.help()));
        PossibleValuesParser::new(listed)
            .map(|key| key.parse().expect("clap lets only keys of the table pass"))
    }
}

/// A control in ToAlign's place: what its discriminator is shown of the source instead.
///
/// ```
/// use toalign::config::Control;
/// use toalign::method::shown::Shown;
/// assert_eq!("temperature10".parse::<Control>()?.0, Shown::Temperature(10.0));
/// assert!("toalign".parse::<Control>().is_err());
/// # Ok::<(), toalign::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Control(pub Shown);

impl FromStr for Control {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match Shown::of_word(text).filter(|shown| shown.is_control()) {
            Some(shown) => Ok(Self(shown)),
            None => {
                let known = Shown::CONTROLS.map(|(shown, does)| format!("{shown} ({does})"));
                Err(complain(format!("a control: {}", known.join(", ")), format!("'{text}'"))
                    .advice("ToAlign itself is --toalign")
                    .into())
            }
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the backbone's initial weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Weights {
    /// The weights that belong to the backbone; those of `small` are part of this library.
    Pretrained,
    /// Random, by the seed.
    None,
    /// A safetensors or PyTorch file under PyTorch's names.
    File(PathBuf),
}

impl From<String> for Weights {
    fn from(text: String) -> Self {
        match text.as_str() {
            "pretrained" => Self::Pretrained,
            "none" => Self::None,
            _ => Self::File(user_path(&text)),
        }
    }
}

impl From<Weights> for String {
    fn from(weights: Weights) -> Self {
        weights.to_string()
    }
}

impl FromStr for Weights {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pretrained => f.write_str("pretrained"),
            Self::None => f.write_str("none"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A colour in sRGB, written as six hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl FromStr for Colour {
    type Err = Error;

    /// ```
    /// use toalign::config::Colour;
    /// assert_eq!("ff8000".parse::<Colour>().unwrap(), Colour([255, 128, 0]));
    /// assert!("white".parse::<Colour>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        match u32::from_str_radix(digits, 16) {
            Ok(number) if digits.len() == 6 => {
                let [_, red, green, blue] = number.to_be_bytes();
                Ok(Self([red, green, blue]))
            }
            _ => Err(complain("a colour of six hexadecimal digits", format!("'{text}'"))
                .advice("write ffffff for white, 000000 for black")
                .into()),
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "{red:02x}{green:02x}{blue:02x}")
    }
}
