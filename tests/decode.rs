//! Every kind of picture file in `tests/pictures` (written by Pillow 13) shows the same four coloured quarters; odd files,
//! made here, show what Pillow 13 makes of them.

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
            // A PNG that lacks but its last chunk, of twelve bytes, is complete.
            let cut_off = &bytes[..(bytes.len() * part / 100).min(bytes.len() - 13)];
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
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", "opj_decompress"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", "djxl"),
        (b"8BPS\0\x01", "a Photoshop document", "export it as PNG"),
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

const DARK: [u8; 3] = [10, 20, 30];
const RED: [u8; 3] = [200, 40, 30];
const GREEN: [u8; 3] = [40, 160, 60];
const BLUE: [u8; 3] = [30, 60, 190];

/// A GIF whose only frame has the indices 1, 2, 3 in each row, at (2, 1) of a canvas.
fn gif(
    canvas: (u16, u16),
    rows: u16,
    transparent: Option<u8>,
    global: &[u8],
    local: Option<&[u8]>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, canvas.0, canvas.1, global).expect("an encoder");
    let frame = gif::Frame {
        left: 2,
        top: 1,
        width: 3,
        height: rows,
        transparent,
        palette: local.map(<[u8]>::to_vec),
        buffer: [1, 2, 3].repeat(rows.into()).into(),
        ..Default::default()
    };
    encoder.write_frame(&frame).expect("a frame");
    drop(encoder);
    bytes
}

/// Pillow: `Image.open(file).convert('RGB')`.
#[test]
fn a_gif_whose_frame_is_not_its_canvas_is_filled_as_pillow_fills_it() {
    let palette = [DARK, RED, GREEN, BLUE].concat();
    let local = [[1, 2, 3], [250, 0, 0], [0, 250, 0], [0, 0, 250]].concat();
    let expect = |file: Vec<u8>, size: (u32, u32), around: [u8; 3], frame: [[u8; 3]; 3], what: &str| {
        let picture = decode(&file, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(picture.dimensions(), size, "{what}");
        for (x, y, pixel) in picture.enumerate_pixels() {
            let inside = (2..5).contains(&x) && (1..size.1.min(3)).contains(&y);
            let expected = if inside { frame[x as usize - 2] } else { around };
            // Of the frame that reaches beyond its canvas all rows but the first are inside.
            if y < 3 {
                assert_eq!(pixel.0, expected, "{what} at {x}, {y}");
            }
        }
    };
    let colours = [RED, GREEN, BLUE];
    expect(gif((6, 4), 2, None, &palette, None), (6, 4), DARK, colours, "first colour");
    expect(gif((6, 4), 2, Some(2), &palette, None), (6, 4), GREEN, colours, "transparent colour");
    let bright = [[250, 0, 0], [0, 250, 0], [0, 0, 250]];
    expect(gif((6, 4), 2, None, &palette, Some(&local)), (6, 4), [1, 2, 3], bright, "own palette");
    expect(gif((6, 4), 2, None, &[], Some(&local)), (6, 4), [1, 2, 3], bright, "only its own palette");
    expect(gif((4, 3), 3, None, &palette, None), (5, 4), DARK, colours, "beyond the canvas");

    // Under transparency lies the background that was asked for, inside the frame and around it.
    let over = decode(&gif((6, 4), 2, Some(2), &palette, None), Some([9, 8, 7])).expect("a picture");
    assert_eq!(
        [over.get_pixel(0, 0).0, over.get_pixel(3, 1).0, over.get_pixel(2, 1).0],
        [[9, 8, 7], [9, 8, 7], RED]
    );
}

/// `baseline.jpg` with a segment of metadata behind its first marker.
fn with_segment(content: &[u8]) -> Vec<u8> {
    let file = std::fs::read(path("baseline.jpg")).expect("a file");
    let length = u16::try_from(content.len() + 2).expect("a short segment").to_be_bytes();
    [&file[..2], &[0xFF, 0xE1], &length, content, &file[2..]].concat()
}

/// EXIF data with the orientation 6 in a type of TIFF's, little-endian or big.
fn exif(kind: u16, little: bool) -> Vec<u8> {
    let two = |number: u16| if little { number.to_le_bytes() } else { number.to_be_bytes() };
    let four = |number: u32| if little { number.to_le_bytes() } else { number.to_be_bytes() };
    let value = match kind {
        1 | 6 => [6, 0, 0, 0],
        3 | 8 => [two(6), [0; 2]].concat().try_into().expect("four bytes"),
        5 | 10 => four(26),
        _ => four(6),
    };
    let start = if little { b"II\x2a\0" } else { b"MM\0\x2a" };
    [
        b"Exif\0\0",
        &start[..],
        &four(8),
        &two(1),
        &two(0x112),
        &two(kind),
        &four(1),
        &value,
        &four(0),
        &four(6),
        &four(1),
    ]
    .concat()
}

/// Pillow: `ImageOps.exif_transpose(Image.open(file))`, which turns for every type of number but a BYTE, and for XMP data.
#[test]
fn the_orientation_is_read_in_whatever_type_it_was_written() {
    let [top_left, top_right, bottom_left, bottom_right] = COLOURS;
    let turned = [bottom_left, top_left, bottom_right, top_right];
    let expect = |file: &[u8], turns: bool, what: &str| {
        let picture = decode(file, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(picture.dimensions(), if turns { (16, 24) } else { (24, 16) }, "{what}");
        if turns {
            for ((x, y), expected) in [(3, 5), (12, 5), (3, 18), (12, 18)].into_iter().zip(turned) {
                let found = picture.get_pixel(x, y).0;
                assert!(found.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= 2), "{what}: {found:?}");
            }
        }
    };
    for little in [true, false] {
        for kind in [3, 4, 5, 6, 8, 9, 10] {
            expect(
                &with_segment(&exif(kind, little)),
                true,
                &format!("type {kind}, little-endian: {little}"),
            );
        }
        expect(&with_segment(&exif(1, little)), false, "a BYTE");
    }
    let xmp = |inside: &str| {
        with_segment(
            format!("http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">{inside}")
                .as_bytes(),
        )
    };
    expect(&xmp("<rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>"), true, "an attribute of XMP");
    expect(&xmp("<tiff:Orientation>6</tiff:Orientation></x:xmpmeta>"), true, "an element of XMP");
    expect(&xmp("<tiff:Orientation>1</tiff:Orientation></x:xmpmeta>"), false, "upright in XMP");
}

/// Pillow reads such a PNG without a word and refuses such a JPEG, whose picture is as complete.
#[test]
fn a_complete_picture_without_its_end_is_read() {
    for (name, ends) in [
        ("rgb.PNG", &[1, 4, 8, 12][..]),
        ("palette.png", &[1, 12]),
        ("grey_16.png", &[12]),
        ("baseline.jpg", &[1, 2]),
        ("progressive.jpg", &[1, 2]),
        ("subsampled.jpeg", &[1, 2]),
        ("cmyk.jpg", &[2]),
        ("palette.gif", &[1]),
    ] {
        let bytes = std::fs::read(path(name)).expect("a file");
        let whole = decode(&bytes, None).expect("a picture");
        for &end in ends {
            let picture = decode(&bytes[..bytes.len() - end], None);
            let picture =
                picture.unwrap_or_else(|error| panic!("{name} without its last {end} bytes: {error}"));
            assert!(picture == whole, "{name} without its last {end} bytes looks otherwise");
        }
    }
    for (name, end) in [("baseline.jpg", 8), ("progressive.jpg", 8), ("subsampled.jpeg", 8)] {
        let bytes = std::fs::read(path(name)).expect("a file");
        let complaint = decode(&bytes[..bytes.len() - end], None).unwrap_err().to_string();
        assert!(complaint.contains("cut off (its end marker is missing)"), "{complaint}");
    }
}

#[test]
fn a_jpeg_of_a_rare_coding_is_named() {
    let file = std::fs::read(path("baseline.jpg")).expect("a file");
    let frame = file.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame header");
    for (marker, bits, found) in [
        (0xC9, 8, "an arithmetic-coded JPEG"),
        (0xCA, 8, "an arithmetic-coded JPEG"),
        (0xC3, 8, "a lossless JPEG"),
        (0xC1, 12, "a JPEG of 12 bits"),
    ] {
        let mut file = file.clone();
        (file[frame + 1], file[frame + 4]) = (marker, bits);
        let complaint = decode(&file, None).unwrap_err().to_string();
        assert!(
            complaint.contains(&format!("found {found}\n")) && complaint.contains("djpeg"),
            "{complaint}"
        );
    }
}
