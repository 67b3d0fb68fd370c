//! Office-Home from the hub into folders of pictures, counted against the published list.

use std::collections::HashMap;
use std::fs::create_dir_all;
use std::path::{Path, PathBuf};

use super::parquet_rows::{LabelledPicture, each_picture};
use super::{Event, Hub, Place, Watch};
use crate::data::class_folders::list;
use crate::data::decode::EXTENSIONS;
use crate::data::names::letters;
use crate::data::office_home::{ClassCounts, DOMAINS};
use crate::error::{Result, complain, file_error, nearest};
use crate::files::write_atomically;

/// The repository of the hub that has Office-Home as parquet files.
pub const REPOSITORY: &str = "flwrlabs/office-home";

/// Fetches the parquet files of `place` and writes their pictures to `folder/<domain>/<class>/<picture>`.
///
/// Classes and domains go by their names, as in `classes` and [`DOMAINS`]; the hub's numbers for them are others.
/// Pictures that are there already stay; where all of `classes` are complete, nothing is fetched. Returns how many
/// pictures are in `folder`.
///
/// # Errors
/// As [`Hub::fetch`]; if a file is not of this form; if a class has more or fewer pictures than `classes` says.
pub fn office_home(
    hub: &Hub,
    place: &Place,
    folder: &Path,
    classes: &[ClassCounts],
    watch: Watch,
) -> Result<usize> {
    let all = classes.iter().flat_map(|class| class.pictures).sum();
    if count(folder, classes).is_ok() {
        return Ok(all);
    }
    let shards = hub.fetch(place, |path| path.ends_with(".parquet"), watch)?;
    let mut folders = Folders { root: folder, classes, taken: HashMap::new() };
    let mut done = 0;
    for shard in shards {
        each_picture(&shard, |picture| {
            folders.keep(picture, &shard)?;
            done += 1;
            watch(Event::Pictures { done, all });
            Ok(())
        })?;
    }
    count(folder, classes)?;
    Ok(all)
}

/// Checks that `folder` has as many pictures of each class in each domain as `classes` says.
fn count(folder: &Path, classes: &[ClassCounts]) -> Result<()> {
    for class in classes {
        for (domain, &expected) in DOMAINS.iter().zip(&class.pictures) {
            let place = folder.join(domain).join(&class.class);
            let found = list(&place).map_or(0, |listing| listing.pictures.len());
            if found != expected {
                return Err(complain(
                    format!("{expected} pictures of {} in {domain}", class.class),
                    found.to_string(),
                )
                .at(place.display())
                .advice(
                    "delete this folder and give the same command again; if this comes back, the repository \
                         is not the published Office-Home: name another with --repo",
                )
                .into());
            }
        }
    }
    Ok(())
}

/// The folders while they are being filled.
struct Folders<'a> {
    root: &'a Path,
    classes: &'a [ClassCounts],
    /// The names that were given, by folder, and how many pictures the folder got.
    taken: HashMap<PathBuf, Vec<String>>,
}

impl Folders<'_> {
    fn keep(&mut self, picture: LabelledPicture, shard: &Path) -> Result<()> {
        let classes = self.classes.iter().map(|class| class.class.as_str());
        let domain = meant(&picture.domain, DOMAINS.iter().copied(), "domain", shard)?;
        let class = meant(&picture.class, classes, "class", shard)?;
        let Ok(format) = image::guess_format(&picture.bytes) else {
            return Err(complain("a picture", format!("{} other bytes", picture.bytes.len()))
                .at(format!("{}, {domain}/{class}", shard.display()))
                .advice("name another repository with --repo")
                .into());
        };
        let folder = self.root.join(domain).join(class);
        let taken = self.taken.entry(folder.clone()).or_default();
        if taken.is_empty() {
            create_dir_all(&folder).map_err(|error| file_error("create", &folder, error))?;
        }
        let name = picture.name.as_deref().and_then(|name| plain_name(name, taken)).unwrap_or_else(|| {
            let extension = format.extensions_str().first().copied().unwrap_or("jpg");
            let numbers = taken.len() + 1..;
            let mut names = numbers.map(|number| format!("{number:05}.{extension}"));
            names.find(|name| !taken.contains(name)).unwrap_or_default()
        });
        let path = folder.join(&name);
        taken.push(name);
        // Written by an earlier, interrupted call: each file is either absent or whole.
        if path.metadata().is_ok_and(|found| found.len() == picture.bytes.len() as u64) {
            return Ok(());
        }
        write_atomically(&path, &picture.bytes)
    }
}

/// The last part of an uploaded name, if it is a picture's and not taken.
fn plain_name(uploaded: &str, taken: &[String]) -> Option<String> {
    let name = uploaded.rsplit(['/', '\\']).next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let known = EXTENSIONS.contains(&extension.to_lowercase().as_str());
    let plain = !stem.is_empty() && !stem.starts_with('.') && !name.contains(':');
    (known && plain && !taken.iter().any(|other| other == name)).then(|| name.to_owned())
}

/// The published name that `written` means: upper and lower case, spaces and underscores do not matter.
fn meant<'a>(
    written: &str,
    mut names: impl Iterator<Item = &'a str> + Clone,
    what: &str,
    shard: &Path,
) -> Result<&'a str> {
    let known = names.clone();
    names.find(|name| letters(name) == letters(written)).ok_or_else(|| {
        let hint = nearest(written, known).map_or(String::new(), |name| format!(" (the nearest is {name})"));
        complain(format!("a {what} of Office-Home{hint}"), format!("'{written}'"))
            .at(shard.display())
            .advice("name a repository of Office-Home with --repo")
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::office_home::classes;

    #[test]
    fn names_are_matched_by_their_letters() {
        let classes = classes().unwrap();
        let find = |written| {
            meant(written, classes.iter().map(|class| class.class.as_str()), "class", Path::new("s"))
        };
        assert_eq!(find("alarm clock").unwrap(), "Alarm_Clock");
        assert_eq!(find("TV").unwrap(), "TV");
        assert_eq!(
            meant("RealWorld", DOMAINS.iter().copied(), "domain", Path::new("s")).unwrap(),
            "Real World"
        );
        assert_eq!(
            find("Alarm_Clok").unwrap_err().to_string(),
            "s: expected a class of Office-Home (the nearest is Alarm_Clock), found 'Alarm_Clok'\n  \
             what to do: name a repository of Office-Home with --repo"
        );
    }

    #[test]
    fn an_uploaded_name_stays_inside_its_folder() {
        assert_eq!(plain_name("Art/Drill/00001.jpg", &[]).as_deref(), Some("00001.jpg"));
        assert_eq!(plain_name("..\\..\\00001.PNG", &[]).as_deref(), Some("00001.PNG"));
        for bad in ["../..", "..jpg", "a.txt", "picture", "c:a.jpg", ""] {
            assert_eq!(plain_name(bad, &[]), None, "{bad}");
        }
        assert_eq!(plain_name("00001.jpg", &["00001.jpg".to_owned()]), None);
    }
}
