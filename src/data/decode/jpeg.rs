//! What has to be known of a JPEG before its decoder sees it: its coding, and whether all of it is there.
//!
//! The decoder fills what is missing with grey and says nothing.

use std::collections::BTreeSet;

use super::{no_picture, pixels};
use crate::error::Complaint;

const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
const START_OF_SCAN: u8 = 0xDA;

/// A segment's marker and its content, and where it ends.
struct Segment<'a> {
    marker: u8,
    content: &'a [u8],
    end: usize,
}

/// The segments from the first marker on, each skipped whole, since a thumbnail inside one has markers of its own; they end
/// where the file is cut off.
fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 2;
    std::iter::from_fn(move || {
        loop {
            match *bytes.get(at..at + 2)? {
                // Within a scan: its data, a stuffed zero, a restart. Before it: a fill byte.
                [0xFF, 0x00 | 0x01 | 0xD0..=0xD8] => at += 2,
                [0xFF, marker] if marker != 0xFF => {
                    let length = bytes.get(at + 2..at + 4)?;
                    let end = at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                    let content = bytes.get(at + 4..end)?;
                    at = end;
                    return Some(Segment { marker, content, end });
                }
                _ => at += 1,
            }
        }
    })
}

/// The frame header; its markers are those of the standard's table B.1.
fn frame<'a>(mut segments: impl Iterator<Item = Segment<'a>>) -> Option<Segment<'a>> {
    segments.find(|segment| {
        matches!(segment.marker, 0xC0..=0xCF) && ![0xC4, 0xC8, 0xCC].contains(&segment.marker)
    })
}

/// Complains about the codings of the standard that hardly any program reads.
pub(super) fn check_coding(bytes: &[u8]) -> Result<(), Complaint> {
    let Some(frame) = frame(segments(bytes)) else { return Ok(()) };
    let coding = match (frame.marker, frame.content.first()) {
        (0xC9..=0xCF, _) => "an arithmetic-coded JPEG".to_owned(),
        (0xC3 | 0xC7, _) => "a lossless JPEG".to_owned(),
        (0xC5 | 0xC6, _) => "a hierarchical JPEG".to_owned(),
        (_, Some(&bits)) if bits != 8 => format!("a JPEG of {bits} bits"),
        _ => return Ok(()),
    };
    Err(no_picture(coding)
        .advice("rewrite it as an ordinary JPEG: djpeg in.jpg | cjpeg -quality 95 > out.jpg"))
}

/// The bytes with their end marker if they lack it and nothing else, `None` if they have it.
///
/// Whether the last scan is complete shows in what the decoder makes of it: bytes after its last one change nothing.
pub(super) fn with_end(bytes: &[u8]) -> Result<Option<Vec<u8>>, Complaint> {
    let cut_off = || no_picture("a JPEG that is cut off (its end marker is missing)");
    let first_scan = segments(bytes).find(|segment| segment.marker == START_OF_SCAN).ok_or_else(cut_off)?.end;
    // The search starts at the end, where the marker stands in a whole file.
    if bytes[first_scan..].windows(2).rev().any(|pair| pair == END_OF_IMAGE) {
        return Ok(None);
    }
    // Half a marker would hide the one that is put behind it.
    let bytes = bytes.strip_suffix(&[0xFF]).unwrap_or(bytes);
    let ended = [bytes, &END_OF_IMAGE].concat();
    let longer = [bytes, &[0x5A; 4096], &END_OF_IMAGE].concat();
    let complete = every_scan_is_there(bytes) && pixels(&ended)? == pixels(&longer)?;
    complete.then_some(Some(ended)).ok_or_else(cut_off)
}

/// Whether every coefficient has been sent to its last bit; a progressive JPEG sends them in scans of some bits each.
fn every_scan_is_there(bytes: &[u8]) -> bool {
    const PROGRESSIVE: u8 = 0xC2;
    let Some(frame) = frame(segments(bytes)) else { return false };
    // Behind bits, height and width: the number of components, and three bytes of each, its name first.
    let components: Vec<u8> = frame.content.iter().skip(6).step_by(3).copied().collect();
    let mut missing: BTreeSet<(u8, u8)> =
        components.iter().flat_map(|&name| (0..64).map(move |coefficient| (name, coefficient))).collect();
    for scan in segments(bytes).filter(|segment| segment.marker == START_OF_SCAN) {
        let [count, rest @ ..] = scan.content else { return false };
        let (named, Some(&[first, last, bits])) =
            (rest.chunks_exact(2).take((*count).into()), rest.last_chunk())
        else {
            return false;
        };
        let (first, last, lowest) = match frame.marker {
            PROGRESSIVE => (first, last, bits & 0xF),
            _ => (0, 63, 0),
        };
        for name in named.map(|pair| pair[0]) {
            missing.retain(|&(of, coefficient)| {
                of != name || !(first..=last).contains(&coefficient) || lowest > 0
            });
        }
    }
    missing.is_empty()
}
