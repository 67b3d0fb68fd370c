//! Writing files so that a crash, a kill or a full disk never leaves half of one behind.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Result, file_error};

/// A path as a user writes it: `~/x` and `$HOME/x` begin in the home folder, also where no shell has replaced them.
///
/// ```
/// use toalign::files::user_path;
/// let home = std::env::var("HOME").unwrap_or_default();
/// assert_eq!(user_path("~/pictures"), std::path::Path::new(&home).join("pictures"));
/// assert_eq!(user_path("a/~/b"), std::path::Path::new("a/~/b"));
/// ```
pub fn user_path(written: &str) -> PathBuf {
    let rest = ["~", "$HOME", "${HOME}"].iter().find_map(|home| {
        let rest = written.strip_prefix(home)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    });
    match (rest, std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => written.into(),
    }
}

/// Writes `bytes` to `path`: the file is either the old one or the complete new one, never a part.
///
/// The bytes go to a temporary file in the same folder, are flushed to the disk, and are renamed. A symbolic link is
/// followed, so that it still points at the new content. A path that is not a regular file, such as `/dev/stdout`,
/// is written through to.
///
/// # Errors
/// If the folder is missing or read-only, if `path` is a folder, or if the disk is full. The message names `path`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = if is_stream(path) { write_through(path, bytes) } else { write_and_rename(path, bytes) };
    written.map_err(|error| file_error("write", path, error))
}

/// Whether `path` is a device, a pipe or an open descriptor, which must not be replaced by a file.
fn is_stream(path: &Path) -> bool {
    let special = path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    // `/dev/stdout` can lead to a regular file: `toalign > table.txt`.
    special || path.parent() == Some(Path::new("/dev")) || path.starts_with("/dev/fd")
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut stream = OpenOptions::new().append(true).open(path)?;
    stream.write_all(bytes)?;
    stream.flush()
}

fn write_and_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder; a file name is needed"));
    }
    let target: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("the folder {} does not exist", folder.display()),
        ));
    }
    let mut temporary = temporary_file(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(&target).map_err(|failed| failed.error)?;
    Ok(())
}

/// A file that removes itself unless it is renamed; readable by others as far as the umask allows.
fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".toalign-").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The temporary name that tempfile adds to its message would only distract: the kind of error says it all.
    builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_atomically(&path, b"first, and longer").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names_in(folder.path()), ["report.html"]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("report.html");
        let message = write_atomically(&path, b"x").unwrap_err().to_string();
        let expected = format!(
            "cannot write {}: the folder {} does not exist\n  what to do: check the spelling of the path",
            path.display(),
            folder.path().join("absent").display()
        );
        assert_eq!(message, expected);
    }

    #[test]
    fn a_folder_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let message = write_atomically(folder.path(), b"x").unwrap_err().to_string();
        assert!(message.contains("this is a folder"), "{message}");
        assert!(folder.path().is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_may_not_be_written_to_is_named() {
        // Even the superuser cannot make files here.
        let path = Path::new("/sys/toalign-report.html");
        let message = write_atomically(path, b"x").unwrap_err().to_string();
        assert!(message.starts_with("cannot write /sys/toalign-report.html: "), "{message}");
        assert!(message.ends_with("what to do: choose a folder that you may write to"), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error_and_stays_a_device() {
        use std::os::unix::fs::FileTypeExt;
        let path = Path::new("/dev/full");
        let message = write_atomically(path, b"x").unwrap_err().to_string();
        assert!(message.starts_with("cannot write /dev/full: No space left on device"), "{message}");
        assert!(message.contains("what to do: free some space"), "{message}");
        assert!(path.metadata().unwrap().file_type().is_char_device());
        write_atomically(Path::new("/dev/null"), b"x").unwrap();
    }
}
