//! One file into the cache: from where it stopped, of the right size, with the right checksum.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all, remove_file, rename};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::client::Trouble;
use super::{Event, Hub, Place, RemoteFile, Watch};
use crate::error::{Result, complain, file_error};

impl Hub {
    /// The path of `file` in the cache, once it is there and checked.
    pub(super) fn fetch_file(
        &self,
        place: &Place,
        commit: &str,
        file: &RemoteFile,
        watch: Watch,
    ) -> Result<PathBuf> {
        let inside = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || !Path::new(commit).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(complain("a path inside the repository", format!("'{}'", file.path))
                .at(place.repo().url())
                .advice("do not trust this repository; name another with --repo")
                .into());
        }
        let cached = self.cache.repo(place.repo());
        let pointer = cached.pointer_path(commit).join(&file.path);
        let whole = |path: &Path| path.metadata().is_ok_and(|found| found.len() == file.size);
        if !whole(&pointer) {
            let blob = cached.blob_path(&file.sha256);
            if !whole(&blob) {
                self.fetch_blob(place, commit, file, &blob, watch)?;
            }
            link(&blob, &pointer, &file.path).map_err(|error| file_error("write", &pointer, error))?;
        }
        Ok(pointer)
    }

    fn fetch_blob(
        &self,
        place: &Place,
        commit: &str,
        file: &RemoteFile,
        blob: &Path,
        watch: Watch,
    ) -> Result<()> {
        // The name under which the hub's own tool keeps what it has so far: either can go on for the other.
        let part = PathBuf::from(format!("{}.incomplete", blob.display()));
        let failed = |error| file_error("write", &part, error);
        create_dir_all(blob.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let mut out = OpenOptions::new().create(true).append(true).open(&part).map_err(failed)?;
        if matches!(out.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(complain("a file that nobody else is fetching", "another process that is")
                .at(part.display())
                .advice("wait for the other process, or end it")
                .into());
        }
        let address = self.api.repo(place.at(commit)).url(&file.path);
        let where_from = format!("{}/{}", place.repo().url(), file.path);
        self.patiently(watch, || self.go_on(&address, &where_from, &mut out, &part, file, watch))?;
        out.sync_all().map_err(failed)?;
        let found = sha256(&part)?;
        if found != file.sha256 {
            remove_file(&part).map_err(failed)?;
            return Err(complain(format!("the SHA-256 {}", file.sha256), found)
                .at(where_from)
                .advice("give the same command again to fetch the file anew; if this comes back, change HF_ENDPOINT")
                .into());
        }
        rename(&part, blob).map_err(failed)
    }

    /// Appends what is missing, as far as the connection lasts.
    fn go_on(
        &self,
        address: &str,
        where_from: &str,
        out: &mut File,
        part: &Path,
        file: &RemoteFile,
        watch: Watch,
    ) -> std::result::Result<(), Trouble> {
        let failed = |error| Trouble::Lasting(file_error("write", part, error));
        let wrong_size = |found: u64| {
            Trouble::Lasting(
                complain(format!("{} bytes, as the hub tells", file.size), format!("{found} bytes"))
                    .at(where_from)
                    .advice("give the same command again later; if this comes back, change HF_ENDPOINT or --revision")
                    .into(),
            )
        };
        let mut have = out.metadata().map_err(failed)?.len();
        let before = have;
        if have > file.size {
            out.set_len(0).map_err(failed)?;
            have = 0;
        }
        if have == file.size {
            return Ok(());
        }
        let answer = self.get(address, (have > 0).then_some(have), where_from)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (start, size) = match header("content-range").and_then(content_range) {
            Some((start, size)) => (start, Some(size)),
            None => (0, header("content-length").and_then(|length| length.parse().ok())),
        };
        if let Some(size) = size.filter(|size| *size != file.size) {
            return Err(wrong_size(size));
        }
        if start != have {
            // The server began elsewhere, most likely at the beginning, because it knows no ranges.
            out.set_len(0).map_err(failed)?;
            if start != 0 {
                return Err(wrong_size(start));
            }
            have = 0;
        }
        let (mut body, mut buffer) = (answer.into_body().into_reader(), vec![0; 1 << 16]);
        let reason = loop {
            watch(Event::Bytes { file: &file.path, done: have, size: file.size });
            match body.read(&mut buffer) {
                Ok(0) => break "the connection was closed".to_owned(),
                Ok(length) => {
                    out.write_all(&buffer[..length]).map_err(failed)?;
                    have += length as u64;
                }
                Err(error) => break error.to_string(),
            }
        };
        if have > file.size {
            out.set_len(0).map_err(failed)?;
            return Err(wrong_size(have));
        }
        if have == file.size {
            return Ok(());
        }
        let error = complain(format!("{} bytes", file.size), format!("{have} bytes, then {reason}"))
            .at(where_from)
            .advice("check the network, then give the same command again; it goes on where it stopped")
            .into();
        Err(Trouble::Passing { error, reason, pause: None, progress: have > before })
    }
}

/// `bytes 100-199/200` begins at 100, and the whole file has 200.
fn content_range(value: &str) -> Option<(u64, u64)> {
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

fn sha256(path: &Path) -> Result<String> {
    let failed = |error| file_error("read", path, error);
    let mut digest = Sha256::new();
    std::io::copy(&mut File::open(path).map_err(failed)?, &mut digest).map_err(failed)?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Puts the file under its name: a relative link, as the hub's own tool does, or a second name where links need rights.
fn link(blob: &Path, pointer: &Path, name: &str) -> std::io::Result<()> {
    if let Some(folder) = pointer.parent() {
        create_dir_all(folder)?;
    }
    if pointer.symlink_metadata().is_ok() {
        remove_file(pointer)?;
    }
    #[cfg(unix)]
    {
        // From snapshots/<commit>/a/b up to snapshots' parent.
        let up = "../".repeat(Path::new(name).components().count() + 1);
        let blob = blob.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(Path::new(&up).join("blobs").join(blob), pointer)
    }
    #[cfg(not(unix))]
    {
        let _ = name;
        std::fs::hard_link(blob, pointer)
    }
}
