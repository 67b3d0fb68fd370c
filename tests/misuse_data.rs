//! What a user reads when pictures on disk are not as they have to be.

use std::path::{Path, PathBuf};

use candle_core::Device;
use tempfile::TempDir;
use toalign::data::batches::{BatchLoader, test_batches};
use toalign::data::dataset::Task;
use toalign::data::folder::{Options, check, domains, task};
use toalign::data::transform::Transform;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

/// A folder with the given files: copies of a PNG, JPEG, … by extension.
fn folder_with(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        let source = match path.extension().and_then(|extension| extension.to_str()) {
            Some("jpg" | "JPG" | "jpeg") => "baseline.jpg",
            Some("webp") => "lossless.webp",
            Some("bmp") => "rgb.bmp",
            Some("GIF" | "gif") => "palette.gif",
            _ => "rgb.PNG",
        };
        std::fs::copy(fixture(source), path).expect("a copy");
    }
    folder
}

fn two_domains() -> TempDir {
    folder_with(&[
        "Art/Bike/1.jpg",
        "Art/Bike/2.JPG",
        "Art/Cup/10.png",
        "Art/Cup/9.webp",
        "Real World/Bike/a.bmp",
        "Real World/Cup/b.GIF",
        "Real World/Cup/c.jpeg",
    ])
}

fn plain(folder: &Path, name: &str) -> toalign::Result<Task> {
    task(folder, name, &Options::default())
}

fn message(folder: &Path, name: &str) -> String {
    plain(folder, name).map(|task| task.name).expect_err("an error").to_string()
}

/// Cuts a file to its first `part` bytes.
fn cut_off(file: &Path, part: usize) {
    let bytes = std::fs::read(file).expect("a file");
    std::fs::write(file, &bytes[..part]).expect("written");
}

#[test]
fn a_good_folder() {
    let folder = two_domains();
    std::fs::write(folder.path().join("Art/Cup/.hidden.png"), "x").expect("written");
    let good = plain(folder.path(), "ar-rw").expect("a task");
    assert_eq!(good.name, "Ar-Rw");
    assert_eq!((good.source.name.as_str(), good.target.name.as_str()), ("Art", "Real World"));
    assert_eq!(good.classes, ["Bike", "Cup"]);
    assert!(good.remarks.is_empty(), "{:?}", good.remarks);
    let source = &good.source.pictures;
    let names: Vec<String> = (0..source.len())
        .map(|index| source.name(index).rsplit('/').next().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["1.jpg", "2.JPG", "10.png", "9.webp"]);
    let labels: Vec<u32> = (0..source.len()).map(|index| source.label(index)).collect();
    assert_eq!(labels, [0, 0, 1, 1]);
    assert!(check(&**source).is_empty() && check(&*good.target.pictures).is_empty());
    assert_eq!(domains(folder.path()).expect("domains"), ["Art", "Real World"]);
}

#[test]
fn missing_folder() {
    assert_eq!(
        message(Path::new("/no/such/folder"), "Ar-Rw"),
        "cannot read /no/such/folder: No such file or directory (os error 2)\n  \
         what to do: check the spelling of the path"
    );
}

#[test]
fn no_domains() {
    let empty = tempfile::tempdir().expect("a folder");
    let place = empty.path().display();
    assert_eq!(
        message(empty.path(), "Ar-Rw"),
        format!(
            "{place}: expected FOLDER/<domain>/<class>/ with pictures in it, found no subfolder\n  \
             what to do: name the folder that holds the domains, not one domain and not one class"
        )
    );
    let folder = two_domains();
    let one_too_deep = folder.path().join("Art");
    assert!(message(&one_too_deep, "Ar-Rw").contains("found no folder inside Bike, Cup\n"));
}

#[test]
fn unknown_domain() {
    let folder = two_domains();
    assert_eq!(
        message(folder.path(), "Art-Real Wrold"),
        "--task: expected a domain of Art, Real World, found 'Real Wrold'\n  what to do: did you mean Real World?"
    );
}

#[test]
fn domain_without_pictures() {
    let folder = two_domains();
    std::fs::create_dir(folder.path().join("Clipart")).expect("a folder");
    let place = folder.path().join("Clipart");
    assert_eq!(
        message(folder.path(), "Cl-Art"),
        format!(
            "{0}: expected a folder for each class in this domain, found no subfolder\n  \
             what to do: put the pictures into {0}/<class>",
            place.display()
        )
    );
    std::fs::copy(fixture("rgb.PNG"), place.join("1.png")).expect("a copy");
    assert!(message(folder.path(), "Cl-Art").contains("found no subfolder, but 1 picture\n"));
}

#[test]
fn empty_class() {
    let folder = two_domains();
    let place = folder.path().join("Art/Drill");
    std::fs::create_dir(&place).expect("a folder");
    assert_eq!(
        message(folder.path(), "Art-Real World"),
        format!(
            "{}: expected pictures (jpg, jpeg, jpe, jfif, png, webp, bmp, gif, tif, tiff) of the class Drill, found an empty folder\n  \
             what to do: put pictures there, or delete the folder: a class may be missing in one domain",
            place.display()
        )
    );
    std::fs::write(place.join("notes.txt"), "nothing").expect("written");
    assert!(message(folder.path(), "Art-Real World").contains("found none, but 1 other file or folder\n"));
}

#[test]
fn lopsided_classes_and_other_files_are_remarked() {
    let folder = folder_with(&[
        "A/x/1.png",
        "A/y/1.png",
        "A/z/1.png",
        "B/y/1.png",
        "B/w/1.png",
        "A/y/readme.txt",
        "A/list.csv",
    ]);
    let found = plain(folder.path(), "A-B").expect("a task");
    assert_eq!(found.classes, ["w", "x", "y", "z"]);
    assert_eq!(
        found.remarks,
        [
            "A lacks 1 of the 2 classes of B: w",
            "A: ignored 2 files that are no picture in a class folder (1 .csv, 1 .txt)",
            "B lacks 2 of the 3 classes of A: x, z",
        ]
    );
    assert_eq!(found.target.pictures.label(1), 2, "labels are those of the union");
}

#[test]
fn no_class_in_common() {
    let folder = folder_with(&["A/cup/1.png", "B/mug/1.png"]);
    assert_eq!(
        message(folder.path(), "A-B"),
        format!(
            "{}: expected class folders of the same name in both domains, found cup in A and mug in B\n  \
             what to do: give the folders of a class the same name in both domains",
            folder.path().display()
        )
    );
}

#[test]
fn bad_pictures_are_named_or_skipped() {
    let folder = two_domains();
    let cut = folder.path().join("Art/Bike/1.jpg");
    cut_off(&cut, 200);
    let text = folder.path().join("Art/Cup/10.png");
    std::fs::write(&text, "no picture at all").expect("written");

    let strict = plain(folder.path(), "Art-Real World").expect("nothing is decoded yet");
    let mut loader =
        BatchLoader::new(strict.source, Transform::office_home(), 4, 1, "source", 0, 1, &Device::Cpu)
            .expect("a loader");
    let error = loader.next().expect_err("a bad picture").to_string();
    let advice =
        "\n  what to do: replace or delete this file, or add --skip-bad-images to leave such files out";
    let cut_message = format!(
        "{}: expected a picture (jpg, png, webp, bmp, gif or tif), found a JPEG that is cut off (its end marker is missing)",
        cut.display()
    );
    let text_message = format!(
        "{}: expected a picture (jpg, png, webp, bmp, gif or tif), found other content \
         (the first bytes decide, whatever the extension says)",
        text.display()
    );
    assert!(
        error == format!("{cut_message}{advice}") || error == format!("{text_message}{advice}"),
        "{error}"
    );

    let options = Options { skip_bad_images: true, ..Options::default() };
    let skipped = task(folder.path(), "Art-Real World", &options).expect("a task");
    assert_eq!((skipped.source.pictures.len(), skipped.target.pictures.len()), (2, 3));
    assert_eq!(
        skipped.remarks,
        [format!(
            "Art: left out 2 of 4 pictures, which cannot be decoded:\n  {cut_message}\n  {text_message}"
        )]
    );
    assert!(skipped.source.pictures.name(0).ends_with("2.JPG"));
    assert_eq!(skipped.source.pictures.label(1), 1);
}

#[test]
fn nothing_left_after_skipping() {
    let folder = folder_with(&["A/cup/1.png", "B/cup/1.png", "B/cup/2.png"]);
    std::fs::write(folder.path().join("A/cup/1.png"), "").expect("written");
    let options = Options { skip_bad_images: true, ..Options::default() };
    let error = task(folder.path(), "A-B", &options).map(|task| task.name).expect_err("an error").to_string();
    assert!(
        error.starts_with(
            "expected a picture in the domain A that can be decoded, found A: left out 1 of 1 pictures"
        ),
        "{error}"
    );
    assert!(
        error.contains("1.png: expected a picture (jpg, png, webp, bmp, gif or tif), found an empty file"),
        "{error}"
    );
}

#[test]
fn batch_larger_than_the_domain() {
    let folder = two_domains();
    let good = plain(folder.path(), "Real World-Art").expect("a task");
    let start = |batch_size| {
        BatchLoader::new(good.source.clone(), Transform::mini(), batch_size, 1, "source", 0, 2, &Device::Cpu)
            .map(|loader| loader.batches_per_epoch())
    };
    assert_eq!(
        start(4).expect_err("too large").to_string(),
        "--batch-size: expected a batch size of at most 3, the number of pictures in Real World, found 4\n  \
         what to do: --batch-size 3 or less"
    );
    assert_eq!(
        start(0).expect_err("no batch").to_string(),
        "--batch-size: expected a batch size of at least 1, found 0"
    );
    assert_eq!(start(3).expect("exactly one batch"), 1);
}

#[test]
fn pictures_of_extreme_shape_work() {
    let folder = folder_with(&["A/cup/1.png", "B/cup/1.png"]);
    let shapes = [("one.png", 1, 1), ("wide.png", 20_000, 1), ("tall.png", 1, 20_000)];
    for (name, width, height) in shapes {
        image::RgbImage::from_pixel(width, height, image::Rgb([200, 100, 50]))
            .save(folder.path().join("A/cup").join(name))
            .expect("saved");
    }
    let found = plain(folder.path(), "A-B").expect("a task");
    for transform in [Transform::office_home(), Transform::mini()] {
        let expected = toalign::data::transform::normalise(&image::RgbImage::from_pixel(
            1,
            1,
            image::Rgb([200, 100, 50]),
        ));
        let batches =
            test_batches(found.source.clone(), transform.clone(), 4, &Device::Cpu).expect("batches");
        for batch in batches {
            let images = batch.expect("a batch").images;
            let side = transform.crop as usize;
            assert_eq!(images.dims(), [4, side, side, 3]);
            // Picture 0 is the coloured one; the other three are of one colour, whatever their shape.
            for picture in 1..4 {
                let numbers: Vec<f32> =
                    images.get(picture).and_then(|image| image.flatten_all()?.to_vec1()).expect("numbers");
                assert!(numbers.chunks(3).all(|pixel| pixel == expected), "{picture} under {transform:?}");
            }
        }
    }
}

#[test]
fn a_decompression_bomb_is_refused() {
    let folder = folder_with(&["A/cup/1.png", "B/cup/1.png"]);
    // 60,000×60,000 pixels by the header of a PNG, and of a BMP that has no pixels at all.
    let header = |bytes: &mut Vec<u8>, at: usize, number: [u8; 4]| bytes[at..at + 4].copy_from_slice(&number);
    let mut png = std::fs::read(fixture("rgb.PNG")).expect("a file");
    header(&mut png, 16, 60_000u32.to_be_bytes());
    header(&mut png, 20, 60_000u32.to_be_bytes());
    let checksum = png_checksum(&png[12..29]);
    header(&mut png, 29, checksum.to_be_bytes());
    std::fs::write(folder.path().join("A/cup/1.png"), &png).expect("written");
    let mut bmp = std::fs::read(fixture("rgb.bmp")).expect("a file");
    header(&mut bmp, 18, 60_000u32.to_le_bytes());
    header(&mut bmp, 22, 60_000u32.to_le_bytes());
    std::fs::write(folder.path().join("A/cup/2.bmp"), &bmp).expect("written");

    let found = plain(folder.path(), "A-B").expect("a task");
    for index in 0..2 {
        let error = found.source.pictures.decode(index).expect_err("a bomb").to_string();
        assert!(
            error.contains(
                "at most 256 MiB once decoded, and 65535 pixels a side, found one of 60000×60000 pixels"
            ),
            "{error}"
        );
    }
}

/// CRC-32 as in PNG's chunks.
fn png_checksum(bytes: &[u8]) -> u32 {
    let mut checksum = u32::MAX;
    for byte in bytes {
        checksum ^= u32::from(*byte);
        for _ in 0..8 {
            checksum = (checksum >> 1) ^ (0xEDB8_8320 * (checksum & 1));
        }
    }
    !checksum
}
