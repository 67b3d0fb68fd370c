//! A list of pictures as the published codes have it: `path label` in each line; of a target perhaps `path` alone.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use crate::data::decode::EXTENSIONS;
use crate::error::{Complaint, Result, complain, file_error};

/// At most this many letters of a line are shown in a message.
const SHOWN: usize = 80;

/// One picture of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLine {
    /// The path as it is written; it may contain spaces, but no `..`.
    pub path: String,
    /// The class, from 0; none where the label is -1 or is not there.
    pub label: Option<u32>,
    /// The number of the line in its file, from 1.
    pub line: usize,
}

/// Reads a list; `file` is only for messages.
///
/// The label is what follows the last space, so that a path may contain spaces. A line may have no label, or -1, as lists of
/// targets do; whether that is allowed is for the task to say. Windows line ends, backslashes, a byte order
/// mark and blank lines are accepted. Labels are checked one by one here; whether they leave a gap is for
/// the whole task to say.
///
/// # Errors
/// If the text is not UTF-8, a line is neither a picture nor a picture and a whole number from -1 on, a path leads out of
/// its folder by `..`, or there is no line; with `file:line`.
///
/// ```
/// use std::path::Path;
/// use toalign::data::list_file::parse;
/// let lines = parse(b"art/Alarm Clock/00001.jpg 0\r\nart/Mug/00007.jpg 1\r\n", Path::new("art.txt"))?;
/// assert_eq!((lines[0].path.as_str(), lines[0].label), ("art/Alarm Clock/00001.jpg", Some(0)));
/// assert_eq!((lines[1].label, lines[1].line), (Some(1), 2));
/// assert_eq!(parse(b"mug cup.jpg\n", Path::new("art.txt"))?[0].label, None);
/// let message = parse(b"mug.jpg 1\ncup\n", Path::new("art.txt")).unwrap_err().to_string();
/// assert!(message.starts_with("art.txt:2: expected a path, a space and a label, found 'cup'"));
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn parse(bytes: &[u8], file: &Path) -> Result<Vec<ListLine>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        complain("text in UTF-8", "other bytes")
            .at_line(file, line)
            .advice("save the list as UTF-8; a picture is no list")
    })?;
    let mut lines = Vec::new();
    for (number, written) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = number + 1;
        let (path, label) = parse_line(written.trim()).map_err(|complaint| complaint.at_line(file, line))?;
        lines.push(ListLine { path, label, line });
    }
    if lines.is_empty() {
        return Err(complain("a picture and its label in each line", "an empty list")
            .at(file.display())
            .advice("list at least one picture, as in: art/Mug/00001.jpg 0")
            .into());
    }
    Ok(lines)
}

/// Whether a line ends as the path of a picture does.
fn is_picture(line: &str) -> bool {
    line.rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.contains(&extension.to_lowercase().as_str()))
}

/// Whether a file may be a list: one of its first lines has a picture in it, or it is empty.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn may_be_list(file: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let opened = File::open(file).and_then(|file| file.take(1 << 16).read_to_end(&mut start));
    opened.map_err(|error| file_error("read", file, error))?;
    let mut lines = start.split(|byte| *byte == b'\n').take(100).map(String::from_utf8_lossy);
    Ok(start.trim_ascii().is_empty() || lines.any(|line| line.split_whitespace().any(is_picture)))
}

fn parse_line(line: &str) -> std::result::Result<(String, Option<u32>), Complaint> {
    let example = "write one picture a line, as in: art/Mug/00001.jpg 0";
    if is_picture(line) {
        return Ok((checked_path(line)?, None));
    }
    let Some((path, label)) = line.rsplit_once(char::is_whitespace) else {
        return Err(complain("a path, a space and a label", shown(line)).advice(example));
    };
    if label == "-1" {
        return Ok((checked_path(path)?, None));
    }
    let label_number = label.parse::<u32>().map_err(|_| {
        let whole = label.strip_prefix(['-', '+']).unwrap_or(label);
        let is_number = !whole.is_empty() && whole.bytes().all(|letter| letter.is_ascii_digit());
        match is_number {
            true => complain("a label from 0 on, below the number of pictures", shown(label))
                .advice("number the classes 0, 1, 2, …"),
            false => complain("a whole number as label behind the last space", shown(line)).advice(example),
        }
    })?;
    Ok((checked_path(path)?, Some(label_number)))
}

fn checked_path(path: &str) -> std::result::Result<String, Complaint> {
    let path = path.trim_end();
    // A list from Windows; elsewhere a backslash may be part of a name, but then hardly without any slash.
    let path = if path.contains('/') && !has_drive(path) { path.to_owned() } else { path.replace('\\', "/") };
    // A drive's letter is no folder here; what follows it is somebody else's absolute path.
    let path = if has_drive(&path) { path[2..].to_owned() } else { path };
    if path.chars().any(char::is_control) {
        return Err(complain("a path without control characters", shown(&path))
            .advice("write one picture a line, as in: art/Mug/00001.jpg 0"));
    }
    if Path::new(&path).components().any(|part| part == Component::ParentDir) {
        return Err(complain("a path inside the folder of pictures", shown(&path))
            .advice("write it without '..'; lists:DIR@IMAGES names the folder that paths start from"));
    }
    Ok(path)
}

/// Whether a path begins as Windows writes it, `D:\\a` or `D:/a`.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// The text in quotes; its beginning if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => format!("'{}'", text.escape_debug()),
        Some((end, _)) => format!("'{}…'", text[..end].escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Result<Vec<(String, Option<u32>)>> {
        Ok(parse(text, Path::new("art.txt"))?.into_iter().map(|line| (line.path, line.label)).collect())
    }

    fn message(text: &[u8]) -> String {
        parsed(text).unwrap_err().to_string()
    }

    #[test]
    fn spaces_tabs_windows_and_a_byte_order_mark_are_accepted() {
        let text = b"\xEF\xBB\xBFart/Alarm Clock/1.jpg\t 0\r\n\r\nart\\Mug\\2 b.jpg 12 \r\n/data/art/Caf\xC3\xA9/3.jpg 7";
        let expected = [("art/Alarm Clock/1.jpg", 0), ("art/Mug/2 b.jpg", 12), ("/data/art/Café/3.jpg", 7)];
        assert_eq!(parsed(text).unwrap(), expected.map(|(path, label)| (path.to_owned(), Some(label))));
        let text = b"D:\\a b\\Mug\\1.jpg 3\nd:/a\\Mug/2.jpg 4\nMug/3 c.JPG\nMug/4.png -1\n";
        let expected = [
            ("/a b/Mug/1.jpg", Some(3)),
            ("/a/Mug/2.jpg", Some(4)),
            ("Mug/3 c.JPG", None),
            ("Mug/4.png", None),
        ];
        assert_eq!(parsed(text).unwrap(), expected.map(|(path, label)| (path.to_owned(), label)));
    }

    #[test]
    fn what_is_malformed_is_named_with_its_line() {
        for (text, expected) in [
            (&b"a.jpg 0\nb.txt\n"[..], "art.txt:2: expected a path, a space and a label, found 'b.txt'\n"),
            (b"7\n", "art.txt:1: expected a path, a space and a label, found '7'\n"),
            (
                b"\na.jpg -2",
                "art.txt:2: expected a label from 0 on, below the number of pictures, found '-2'\n",
            ),
            (
                b"a.jpg 99999999999",
                "art.txt:1: expected a label from 0 on, below the number of pictures, found",
            ),
            (
                b"a.jpg 1.5",
                "art.txt:1: expected a whole number as label behind the last space, found 'a.jpg 1.5'",
            ),
            (
                b"a.jpg Mug",
                "art.txt:1: expected a whole number as label behind the last space, found 'a.jpg Mug'",
            ),
            (
                b"a.jpg -",
                "art.txt:1: expected a whole number as label behind the last space, found 'a.jpg -'",
            ),
            (
                b"x/../../b.jpg 0",
                "art.txt:1: expected a path inside the folder of pictures, found 'x/../../b.jpg'",
            ),
            (b"..\\b.jpg 0", "art.txt:1: expected a path inside the folder of pictures, found '../b.jpg'"),
            (b"a\0.jpg 0", "art.txt:1: expected a path without control characters, found 'a\\0.jpg'"),
            (
                b"a.jpg 0\rb.jpg 1",
                "art.txt:1: expected a path without control characters, found 'a.jpg 0\\rb.jpg'",
            ),
            (b"a.jpg 0\nb\xFF.jpg 0", "art.txt:2: expected text in UTF-8, found other bytes\n"),
            (b"", "art.txt: expected a picture and its label in each line, found an empty list\n"),
            (b"\r\n \n", "art.txt: expected a picture and its label in each line, found an empty list\n"),
        ] {
            let message = message(text);
            assert!(message.starts_with(expected), "{message}");
            assert!(message.contains("what to do: "), "{message}");
        }
    }

    #[test]
    fn a_long_line_is_cut_in_the_message() {
        let message = message("é".repeat(100_000).as_bytes());
        assert!(message.contains(&format!("found '{}…'\n", "é".repeat(SHOWN))), "{}", message.len());
    }
}
