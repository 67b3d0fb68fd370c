//! A package by way of npm, which knows where its user's packages come from.

use std::fs::create_dir_all;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::store::remove;
use super::tables::IconSet;
use crate::error::{Error, Result, complain, file_error};

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
/// What npm says of a package, or a version of one, that does not exist.
const GONE: [&str; 3] = ["E404", "ETARGET", "ENOVERSIONS"];

/// Whether npm is there at all.
///
/// # Errors
/// If it is not; the message says where it comes from.
pub(super) fn require() -> Result<()> {
    npm(&["--version"], Path::new(".")).map(|_| ())
}

/// Puts the package of `set` into `folder`, which is emptied first; returns where its files are, or `None` if npm has
/// neither this package nor this version any more. No script of the package runs.
///
/// # Errors
/// If npm is absent or fails otherwise, as without a network.
pub(super) fn install(set: &IconSet, folder: &Path) -> Result<Option<PathBuf>> {
    remove(folder)?;
    create_dir_all(folder).map_err(|error| file_error("create", folder, error))?;
    let package = format!("{}@{}", set.package(), set.version);
    let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
    let arguments = [&["install", "--prefix", "."], &quiet[..], &[&package]].concat();
    let (success, said) = npm(&arguments, folder)?;
    if success {
        return Ok(Some(folder.join("node_modules").join(set.package())));
    }
    if GONE.iter().any(|code| said.contains(code)) {
        return Ok(None);
    }
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    let found = if lines.is_empty() { "a failure without a word".to_owned() } else { lines.join("; ") };
    Err(complain("the package from npm", found)
        .at(format!("npm install {package}"))
        .advice("check the network and npm's settings, then give the same command again; it goes on where it stopped")
        .into())
}

/// Runs npm in `folder`; returns whether it succeeded, and what it said on standard error.
fn npm(arguments: &[&str], folder: &Path) -> Result<(bool, String)> {
    let mut command = Command::new(NPM);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    match command.output() {
        Ok(output) => Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(absent()),
        Err(error) => Err(file_error("run", NPM, error)),
    }
}

fn absent() -> Error {
    complain("the program npm, which fetches the sets of icons", "none on the PATH")
        .advice("install Node.js, which brings npm, then give the same command again")
        .into()
}
