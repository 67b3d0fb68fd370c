//! Which way up a picture is, from the EXIF or XMP data in its file, as Pillow's `exif_transpose` reads them.

use image::ImageDecoder;
use image::metadata::Orientation;

/// The orientation that the file of `decoder` asks for.
///
/// The decoder itself knows the number in the one type that the standard allows, a SHORT; some programs write others.
pub(super) fn orientation(decoder: &mut impl ImageDecoder) -> image::ImageResult<Orientation> {
    let known = decoder.orientation()?;
    if known != Orientation::NoTransforms {
        return Ok(known);
    }
    let exif = decoder.exif_metadata()?.and_then(|exif| in_exif(&exif));
    let found = match exif {
        Some(found) => Some(found),
        None => decoder.xmp_metadata()?.and_then(|xmp| in_xmp(&xmp)),
    };
    Ok(found.and_then(Orientation::from_exif).unwrap_or(known))
}

/// The number in the first directory of EXIF data, a TIFF file of its own.
fn in_exif(exif: &[u8]) -> Option<u8> {
    let little = exif.starts_with(b"II");
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let bytes = exif.get(at..at.checked_add(bytes)?)?;
        let push = |number, &byte: &u8| number << 8 | usize::from(byte);
        Some(if little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) })
    };
    const ORIENTATION: usize = 0x112;
    let directory = number(4, 4)?;
    let mut entries = (0..number(directory, 2)?).map(|entry| directory + 2 + 12 * entry);
    let entry = entries.find(|&entry| number(entry, 2) == Some(ORIENTATION))?;
    let value = entry + 8;
    let found = match number(entry + 2, 2)? {
        3 | 8 => number(value, 2)?,
        4 | 9 => number(value, 4)?,
        6 => number(value, 1)?,
        5 | 10 => {
            let ratio = number(value, 4)?;
            number(ratio, 4)?.checked_div(number(ratio + 4, 4)?)?
        }
        _ => return None,
    };
    u8::try_from(found).ok()
}

/// The digit of `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn in_xmp(xmp: &[u8]) -> Option<u8> {
    let text = String::from_utf8_lossy(xmp);
    let mut after = text.split("tiff:Orientation").skip(1);
    after.find_map(|rest| {
        let digit = rest.strip_prefix("=\"").or(rest.strip_prefix('>'))?.chars().next()?;
        digit.to_digit(10).and_then(|digit| u8::try_from(digit).ok())
    })
}
