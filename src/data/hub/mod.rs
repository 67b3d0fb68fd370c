//! Files from the hub: fetched with resuming, checked, and kept in the cache that the hub's other tools share.

mod client;
mod download;
mod parquet_rows;
pub mod unpack;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};

use crate::error::{Result, complain};
use crate::files::user_path;

/// How the hub is reached, and where its files are kept.
#[derive(Default)]
pub struct Settings {
    /// Another address than the hub's own, such as that of a mirror.
    pub endpoint: Option<String>,
    /// Goes to the endpoint and nowhere else; never printed.
    pub token: Option<String>,
    /// The folder of the cache; by default the one that all tools of the hub share.
    pub cache: Option<PathBuf>,
    /// Only what is in the cache already, without a connection.
    pub offline: bool,
    /// The pause before the second try; it doubles from try to try.
    pub pause: Duration,
}

impl Settings {
    /// As the hub's users expect: `HF_ENDPOINT`, `HF_TOKEN` (or the file that its login leaves), `HF_HUB_CACHE`,
    /// `HF_HOME` and `HF_HUB_OFFLINE`. Proxies are read from `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    pub fn from_env() -> Self {
        let set = |name: &str| {
            std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        // No shell replaces a ~ inside quotes or a file of settings.
        let home = set("HF_HOME").map(|home| user_path(&home));
        let of_home = home.map(|home| home.join("hub"));
        let login = of_home.clone().map_or_else(Cache::from_env, Cache::new);
        let cache = set("HF_HUB_CACHE").map(|cache| user_path(&cache)).or(of_home);
        let offline = set("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
        Self {
            endpoint: set("HF_ENDPOINT"),
            token: set("HF_TOKEN").or_else(|| login.token()),
            cache,
            offline: ["1", "true", "yes", "on"].contains(&offline.as_str()),
            pause: Duration::from_millis(500),
        }
    }
}

/// What is going on, for whoever draws a bar.
pub enum Event<'a> {
    /// So many bytes of a file are here.
    Bytes {
        /// The file's path in its repository.
        file: &'a str,
        /// Bytes on the disk.
        done: u64,
        /// Bytes of the whole file.
        size: u64,
    },
    /// So many sets of icons are here.
    Sets {
        /// The name of the set that comes next.
        set: &'a str,
        /// Sets on the disk.
        done: usize,
        /// Sets of the data set.
        all: usize,
    },
    /// So many pictures are in their folders.
    Pictures {
        /// Pictures in their folders.
        done: usize,
        /// Pictures of the data set.
        all: usize,
    },
    /// A request failed and will be tried again.
    Waiting {
        /// What happened.
        reason: &'a str,
        /// How long the pause is.
        pause: Duration,
    },
}

/// Is told what is going on.
pub type Watch<'a> = &'a dyn Fn(Event<'_>);

/// A repository of the hub at a revision.
#[derive(Debug, Clone)]
pub struct Place {
    name: String,
    revision: String,
    kind: RepoType,
}

impl Place {
    /// A data set, by owner and name, at a branch, a tag or a commit.
    pub fn dataset(name: &str, revision: &str) -> Self {
        Self { name: name.to_owned(), revision: revision.to_owned(), kind: RepoType::Dataset }
    }

    /// A model, by owner and name, at a branch, a tag or a commit.
    pub fn model(name: &str, revision: &str) -> Self {
        Self { name: name.to_owned(), revision: revision.to_owned(), kind: RepoType::Model }
    }

    fn repo(&self) -> Repo {
        self.at(&self.revision)
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.name.clone(), self.kind, revision.to_owned())
    }
}

/// One large file of a repository, as the hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, in 64 hexadecimal digits.
    pub sha256: String,
}

/// The hub, or a mirror of it, with the cache on this machine.
pub struct Hub {
    api: Api,
    agent: ureq::Agent,
    cache: Cache,
    token: Option<String>,
    offline: bool,
    pause: Duration,
}

impl Hub {
    /// Makes no connection yet.
    ///
    /// # Errors
    /// If the endpoint is not an address.
    pub fn new(settings: Settings) -> Result<Self> {
        let cache = settings.cache.map_or_else(Cache::from_env, Cache::new);
        // The token stays with our own requests: hf-hub 0.5 sends it along to wherever the hub redirects to.
        let mut builder = ApiBuilder::from_cache(cache.clone()).with_token(None);
        if let Some(endpoint) = settings.endpoint {
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return Err(complain(
                    "an address that begins with https:// or http://",
                    format!("'{endpoint}'"),
                )
                .at("HF_ENDPOINT")
                .advice("correct it, or unset HF_ENDPOINT to use the hub itself")
                .into());
            }
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let api =
            builder.build().map_err(|error| complain("a working client of the hub", error.to_string()))?;
        Ok(Self {
            api,
            agent: client::agent(),
            cache,
            token: settings.token,
            offline: settings.offline,
            pause: settings.pause,
        })
    }

    /// The files of `place` that `wanted` accepts by path, sorted by path: on this machine, complete and checked.
    ///
    /// What is in the cache is not fetched again; what was interrupted goes on. Offline, the cache is all there is.
    ///
    /// # Errors
    /// If there is no such repository or file, it may not be read, its size or checksum is wrong, or the connection
    /// fails again and again.
    pub fn fetch(&self, place: &Place, wanted: impl Fn(&str) -> bool, watch: Watch) -> Result<Vec<PathBuf>> {
        if self.offline {
            return self.fetched_before(place, wanted);
        }
        let (commit, mut files) = self.list(place, watch)?;
        files.retain(|file| wanted(&file.path));
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if files.is_empty() {
            return Err(complain("a repository with the wanted files", "none of them")
                .at(place.repo().url())
                .advice("check --repo and --revision")
                .into());
        }
        let paths: Result<Vec<PathBuf>> =
            files.iter().map(|file| self.fetch_file(place, &commit, file, watch)).collect();
        let paths = paths?;
        let cached = self.cache.repo(place.repo());
        cached
            .create_ref(&commit)
            .map_err(|error| crate::error::file_error("write", self.cache.path(), error))?;
        Ok(paths)
    }

    fn fetched_before(&self, place: &Place, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        if let Some(snapshot) = snapshot(&self.cache, place) {
            files_below(&snapshot, &mut paths);
            paths.retain(|path| {
                path.strip_prefix(&snapshot).is_ok_and(|path| wanted(&path.to_string_lossy()))
            });
            paths.sort();
        }
        // Shards are named 00000-of-00003 and so on.
        let of = paths.iter().find_map(|path| {
            let (_, all) = path.file_stem()?.to_str()?.rsplit_once("-of-")?;
            all.parse::<usize>().ok()
        });
        if paths.is_empty() || of.is_some_and(|all| paths.len() < all) {
            let found = match of {
                Some(all) => format!("{} of {all} files", paths.len()),
                None => "none of them".to_owned(),
            };
            return Err(complain(format!("the files of {} in the cache", place.repo().url()), found)
                .at(self.cache.path().display())
                .advice("unset HF_HUB_OFFLINE to fetch them, or name another cache with HF_HOME")
                .into());
        }
        Ok(paths)
    }
}

/// A file of `place` that was fetched before, by this program or by another tool of the hub.
pub fn find_in_cache(place: &Place, file: &str) -> Option<PathBuf> {
    let cache = Settings::from_env().cache.map_or_else(Cache::from_env, Cache::new);
    snapshot(&cache, place).map(|folder| folder.join(file)).filter(|path| path.is_file())
}

/// The folder of `place` in the cache: that of the commit which its revision meant at last, or is.
fn snapshot(cache: &Cache, place: &Place) -> Option<PathBuf> {
    let reference = cache.path().join(place.repo().folder_name()).join("refs").join(place.repo().revision());
    let commit = std::fs::read_to_string(reference).unwrap_or_else(|_| place.revision.clone());
    Some(cache.repo(place.repo()).pointer_path(commit.trim())).filter(|folder| folder.is_dir())
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files_below(&path, found),
            path => found.push(path),
        }
    }
}
