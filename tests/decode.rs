//! Every kind of picture file in `tests/pictures` (written by Pillow 13) shows the same four coloured quarters.

use std::path::PathBuf;

use image::RgbImage;
use toalign::data::decode::{decode, decode_file};

type Quarters = [[u8; 3]; 4];

/// Top left, top right, bottom left, bottom right.
const COLOURS: Quarters = [[200, 40, 30], [40, 160, 60], [30, 60, 190], [230, 220, 120]];
/// What CMYK can show of them with a quarter of black everywhere; Pillow's own result.
const WITH_BLACK: Quarters = [[195, 40, 30], [40, 160, 60], [30, 60, 190], [195, 195, 120]];
const GREYS: Quarters = [[87; 3], [113; 3], [66; 3], [212; 3]];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

fn assert_quarters(name: &str, picture: &RgbImage, expected: Quarters, tolerance: u8) {
    assert_eq!(picture.dimensions(), (24, 16), "{name}");
    for ((x, y), expected) in [(5, 3), (18, 3), (5, 12), (18, 12)].into_iter().zip(expected) {
        let found = picture.get_pixel(x, y).0;
        let close = found.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= tolerance);
        assert!(close, "{name}: {found:?} instead of {expected:?} at {x}, {y}");
    }
}

#[test]
fn all_kinds_of_files() {
    let kinds = [
        ("alpha.png", COLOURS, 0),
        ("alpha.webp", COLOURS, 0),
        ("baseline.jpg", COLOURS, 2),
        ("cmyk.jpg", COLOURS, 2),
        ("cmyk_black.jpg", WITH_BLACK, 2),
        ("grey.jpg", GREYS, 1),
        ("grey.png", GREYS, 0),
        ("grey_16.png", [[200; 3], [40; 3], [30; 3], [230; 3]], 0),
        ("lossless.webp", COLOURS, 0),
        ("lossy.webp", COLOURS, 4),
        ("orientation_3.png", COLOURS, 0),
        ("orientation_6.jpg", COLOURS, 2),
        ("palette.bmp", COLOURS, 0),
        ("palette.gif", COLOURS, 0),
        ("palette.png", COLOURS, 0),
        ("palette_transparent.png", COLOURS, 0),
        ("progressive.jpg", COLOURS, 2),
        ("rgb.PNG", COLOURS, 0),
        ("rgb.bmp", COLOURS, 0),
        ("rgb_16.png", COLOURS, 0),
        ("subsampled.jpeg", COLOURS, 6),
        ("ycck.jpg", WITH_BLACK, 3),
    ];
    for (name, expected, tolerance) in kinds {
        let picture = decode_file(&path(name), None).unwrap_or_else(|error| panic!("{error}"));
        assert_quarters(name, &picture, expected, tolerance);
    }
    let files = std::fs::read_dir(path("")).expect("the folder of the pictures").count();
    assert_eq!(files, kinds.len(), "every file in tests/pictures is listed here");
}

#[test]
fn transparent_pictures_over_a_background() {
    for name in ["alpha.png", "alpha.webp"] {
        let picture = decode_file(&path(name), Some([255, 0, 101])).expect("a picture");
        // Top left is transparent, bottom left has alpha 128: (30·128 + 255·127) / 255 = 142.06 in red.
        assert_quarters(name, &picture, [[255, 0, 101], COLOURS[1], [142, 30, 146], COLOURS[3]], 0);
    }
    let picture = decode_file(&path("baseline.jpg"), Some([255, 0, 101])).expect("a picture");
    assert_quarters("a JPEG has no alpha", &picture, COLOURS, 2);
}

#[test]
fn the_content_decides_the_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let misnamed = folder.path().join("picture.gif");
    std::fs::copy(path("baseline.jpg"), &misnamed).expect("a copy");
    assert_quarters("a JPEG called GIF", &decode_file(&misnamed, None).expect("a picture"), COLOURS, 2);
}

#[test]
fn every_cut_off_file_is_refused() {
    for name in [
        "baseline.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "orientation_6.jpg",
        "grey.png",
        "palette.png",
        "rgb.PNG",
        "palette.gif",
        "rgb.bmp",
        "palette.bmp",
        "lossless.webp",
        "lossy.webp",
    ] {
        let bytes = std::fs::read(path(name)).expect("a file");
        assert!(decode(&bytes, None).is_ok(), "{name}");
        for part in [10, 30, 50, 70, 90] {
            let cut_off = &bytes[..bytes.len() * part / 100];
            let complaint = decode(cut_off, None).err();
            assert!(complaint.is_some(), "{name} decodes although only {part} % of it is there");
        }
    }
}

#[test]
fn what_is_no_picture_here_is_named_for_what_it_is() {
    for (bytes, found, advice) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "a HEIC picture", "heif-convert"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "an AVIF picture", "avifdec"),
        (b"%PDF-1.7\n", "a PDF document", "pdftoppm"),
        (b"\n<!DOCTYPE html><html><body>404", "a web page", "fetch"),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"x\"/>", "an SVG drawing", "rsvg-convert"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a pointer of Git LFS",
            "git lfs pull",
        ),
        (b"PK\x03\x04rest", "a zip archive", "unpack"),
    ] {
        let message = decode(bytes, None).unwrap_err().to_string();
        assert!(message.contains(&format!("found {found}")) && message.contains(advice), "{message}");
    }
}

#[test]
fn tiff_pictures_and_other_names_of_jpeg_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let tiff = folder.path().join("picture.TIF");
    decode_file(&path("rgb.PNG"), None)
        .expect("a picture")
        .save_with_format(&tiff, image::ImageFormat::Tiff)
        .expect("a file");
    assert_quarters("a TIFF", &decode_file(&tiff, None).expect("a picture"), COLOURS, 0);
    for extension in ["jfif", "jpe", "tif", "tiff"] {
        assert!(toalign::data::decode::EXTENSIONS.contains(&extension), "{extension}");
    }
}
