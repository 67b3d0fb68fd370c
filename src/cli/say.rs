//! Printing that neither panics nor hides a full disk.

use std::io::{ErrorKind, Write, stdout};

use toalign::Result;
use toalign::error::file_error;

/// Prints a line to standard output. A reader who has seen enough (`| head`) is no error.
pub fn say(line: impl std::fmt::Display) -> Result<()> {
    let line = line.to_string();
    let mut out = stdout().lock();
    match writeln!(out, "{}", line.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(file_error("write", "standard output", error))
        }
        _ => Ok(()),
    }
}

/// Prints what the user should know to standard error.
pub fn remark(lines: &[String]) {
    for line in lines {
        eprintln!("note: {line}");
    }
}
