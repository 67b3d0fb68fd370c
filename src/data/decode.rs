//! A picture file to upright sRGB pixels.

mod gif;
mod jpeg;
mod orientation;
mod png;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use crate::data::listed::MOST_LISTED;
use crate::error::{Complaint, Error, Result, complain, file_error};
use crate::lock::lock;

/// Extensions that count as pictures, in lower case; a file's may be in any case.
pub const EXTENSIONS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// A decoded picture may take this many bytes: 89 million RGB pixels, where Pillow warns of a decompression bomb.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// The longest side, in pixels: what a JPEG can have.
const LONGEST_SIDE: u32 = 65_535;

/// Reads and decodes the picture in `file`; see [`decode`]. What should be said of the file goes to standard error, once.
///
/// # Errors
/// If the file cannot be read, or as [`decode`]. The message names the file.
pub fn decode_file(file: &Path, background: Option<[u8; 3]>) -> Result<RgbImage> {
    let bytes = std::fs::read(file).map_err(|error| file_error("read", file, error))?;
    let (picture, whole) =
        decode_bytes(&bytes, background).map_err(|complaint| Error::from(complaint.at(file.display())))?;
    if whole == Whole::ButForItsEnd {
        note_once(file);
    }
    Ok(picture)
}

/// Names a file whose end is missing the first time that it is read, and the first few of such files only.
fn note_once(file: &Path) {
    static NAMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut named = lock(&NAMED);
    if named.len() > MOST_LISTED || !named.insert(file.to_owned()) {
        return;
    }
    if named.len() > MOST_LISTED {
        eprintln!("note: more pictures lack the mark at their end; they are not named");
    } else {
        eprintln!("note: {}: all of the picture is there, but not the mark at its end", file.display());
    }
}

/// How much of a picture's file is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    All,
    ButForItsEnd,
}

/// Decodes the bytes of a picture file to `[height, width]` upright sRGB pixels of 8 bits.
///
/// - The content decides the format, not the extension.
/// - Grey becomes three equal channels; a palette is looked up; CMYK and YCCK become RGB; 16 bits become 8.
/// - Of an animation, the first frame. A colour profile is ignored, as by the published code.
/// - `background`: without one, transparency is dropped, which shows whatever colour the file stores under it. That is
///   what the published code does (Pillow's `convert('RGB')`). With one, the picture is laid over that colour.
/// - The EXIF orientation is applied. The published code does not apply it; its data sets do not need it, but
///   pictures from a phone lie on their side without.
///
/// # Errors
/// A complaint without a place if the bytes are no picture, are cut off, or would decode to more than 256 MiB or
/// 65,535 pixels a side.
///
/// ```
/// let complaint = toalign::data::decode::decode(b"some text", None).unwrap_err();
/// assert!(complaint.to_string().starts_with("expected a picture (jpg, png, webp, bmp, gif or tif), found other content"));
/// ```
pub fn decode(bytes: &[u8], background: Option<[u8; 3]>) -> std::result::Result<RgbImage, Complaint> {
    decode_bytes(bytes, background).map(|(picture, _)| picture)
}

fn decode_bytes(
    bytes: &[u8],
    background: Option<[u8; 3]>,
) -> std::result::Result<(RgbImage, Whole), Complaint> {
    if bytes.is_empty() {
        return Err(no_picture("an empty file"));
    }
    // A decoder that panics on a broken file must not take the run with it.
    match catch_unwind(AssertUnwindSafe(|| decode_upright(bytes))) {
        Ok(Ok((picture, _))) if picture.width() == 0 || picture.height() == 0 => {
            Err(no_picture("one without any pixel"))
        }
        Ok(Ok((picture, whole))) => Ok((to_rgb(picture, background), whole)),
        Ok(Err(complaint)) => Err(complaint),
        Err(_) => Err(no_picture("one that crashes its decoder")),
    }
}

fn decode_upright(bytes: &[u8]) -> std::result::Result<(DynamicImage, Whole), Complaint> {
    let format = image::guess_format(bytes).ok().filter(image::ImageFormat::reading_enabled);
    match format.ok_or_else(|| other_content(bytes))? {
        image::ImageFormat::Gif => Ok((gif::first_frame(bytes)?.into(), Whole::All)),
        format => {
            let ended = match format {
                image::ImageFormat::Jpeg => {
                    jpeg::check_coding(bytes)?;
                    jpeg::with_end(bytes)?
                }
                image::ImageFormat::Png => png::with_end(bytes),
                _ => None,
            };
            match ended {
                Some(ended) => Ok((pixels(&ended)?, Whole::ButForItsEnd)),
                None => Ok((pixels(bytes)?, Whole::All)),
            }
        }
    }
}

/// The upright pixels in bytes of a known format.
fn pixels(bytes: &[u8]) -> std::result::Result<DynamicImage, Complaint> {
    let undecodable = |error: image::ImageError| {
        let reason = error.to_string().trim().replace('\n', " ");
        no_picture(format!("one that cannot be decoded ({reason})"))
    };
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| no_picture(format!("bytes that cannot be read ({error})")))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.color_type().bytes_per_pixel())?;
    let orientation = orientation::orientation(&mut decoder).map_err(undecodable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn check_size(width: u32, height: u32, bytes_per_pixel: u8) -> std::result::Result<(), Complaint> {
    let bytes = u64::from(width) * u64::from(height) * u64::from(bytes_per_pixel);
    if bytes <= MOST_BYTES && width.max(height) <= LONGEST_SIDE {
        return Ok(());
    }
    let most = format!(
        "a picture of at most {} MiB once decoded, and {LONGEST_SIDE} pixels a side",
        MOST_BYTES >> 20
    );
    Err(complain(most, format!("one of {width}×{height} pixels"))
        .advice("make it smaller; the network sees a few hundred pixels a side anyway"))
}

fn no_picture(found: impl Into<String>) -> Complaint {
    complain("a picture (jpg, png, webp, bmp, gif or tif)", found)
}

/// How files begin that are often called pictures; of HEIC and AVIF from the fifth byte on.
const OTHERS: [(&str, &str, &str); 12] = [
    ("ftypheic", "a HEIC picture of a phone", "convert it: heif-convert in.heic out.jpg"),
    ("ftypheix", "a HEIC picture of a phone", "convert it: heif-convert in.heic out.jpg"),
    ("ftypmif1", "a HEIF picture", "convert it: heif-convert in.heic out.jpg"),
    ("ftypavif", "an AVIF picture", "convert it: avifdec in.avif out.png"),
    ("jP  ", "a JPEG 2000 picture", "convert it: opj_decompress -i in.jp2 -o out.png"),
    ("JXL ", "a JPEG XL picture", "convert it: djxl in.jxl out.png"),
    ("8BPS", "a Photoshop document", "export it as PNG"),
    ("%PDF", "a PDF document", "convert it: pdftoppm -png in.pdf out"),
    ("<!doctype html", "a web page", "fetch the picture itself; a page may say why it was not given"),
    ("<html", "a web page", "fetch the picture itself; a page may say why it was not given"),
    ("version https://git-lfs", "a pointer of Git LFS in place of the file", "fetch the files: git lfs pull"),
    ("PK\u{3}\u{4}", "a zip archive", "unpack it"),
];

/// The complaint about bytes that are no picture that can be read here, by what they are instead.
fn other_content(bytes: &[u8]) -> Complaint {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    let start = start.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let begins = |mark: &str| {
        start.starts_with(&mark.to_lowercase())
            || bytes.get(4..).is_some_and(|rest| rest.starts_with(mark.as_bytes()))
    };
    if let Some((_, what, advice)) = OTHERS.iter().find(|(mark, ..)| begins(mark)) {
        return no_picture(format!("{what}, whatever its name says")).advice(*advice);
    }
    if start.starts_with("<svg") || start.starts_with("<?xml") && start.contains("<svg") {
        return no_picture("an SVG drawing, whatever its name says")
            .advice("convert it: rsvg-convert in.svg -o out.png");
    }
    no_picture("other content (the first bytes decide, whatever the extension says)")
}

fn to_rgb(picture: DynamicImage, background: Option<[u8; 3]>) -> RgbImage {
    let Some(background) = background.filter(|_| picture.color().has_alpha()) else {
        return picture.into_rgb8();
    };
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        let [under_red, under_green, under_blue] = background.map(u32::from);
        let over = |top, under| ((top * alpha + under * (255 - alpha) + 127) / 255) as u8;
        image::Rgb([over(red, under_red), over(green, under_green), over(blue, under_blue)])
    })
}
