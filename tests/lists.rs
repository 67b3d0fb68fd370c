//! Data sets by their published lists, and what a user reads when a list is not as it has to be.

#[path = "common/toy.rs"]
mod toy;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toalign::config::DataSource;
use toalign::data::dataset::{Domain, Task};
use toalign::data::lists::Lists;
use toalign::data::picture_files::Options;
use toy::toalign;

/// Toy pictures of two domains, three classes, four pictures each, and an empty folder for lists.
fn workplace() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let images = toy::pictures(folder.path(), 3, 4);
    let lists = folder.path().join("lists");
    std::fs::create_dir(&lists).unwrap();
    (folder, images, lists)
}

/// Lines for the pictures `numbers` of every class of a domain, with something before the path.
fn lines(before: &str, domain: &str, numbers: &[usize]) -> String {
    let of_class = |class: usize| {
        let line = move |number| format!("{before}{domain}/class{class}/{number:05}.png {class}\n");
        numbers.iter().map(line).collect::<String>()
    };
    (0..3).map(of_class).collect()
}

fn task(lists: &Path, images: Option<&Path>, name: &str) -> toalign::Result<Task> {
    Lists { folder: lists, images }.task(name, &Options::default())
}

fn message(lists: &Path, images: Option<&Path>) -> String {
    task(lists, images, "Ar-Re").map(|task| task.name).unwrap_err().to_string()
}

fn names(domain: &Domain, from: &Path) -> Vec<(String, u32)> {
    let pictures = &domain.pictures;
    let name = |index| pictures.name(index).replace(&format!("{}/", from.display()), "");
    (0..pictures.len()).map(|index| (name(index), pictures.label(index))).collect()
}

#[test]
fn one_list_for_each_domain() {
    let (_folder, images, lists) = workplace();
    std::fs::write(lists.join("Art.txt"), lines("", "Art", &[1, 0])).unwrap();
    // CDAN's form: another name, and somebody else's absolute paths, which lose their first folders.
    std::fs::write(lists.join("Real_list.txt"), lines("/data/toy/images/", "Real", &[3])).unwrap();
    let found = task(&lists, Some(&images), "Ar-Re").unwrap();
    assert_eq!((found.name.as_str(), found.remarks.len()), ("Ar-Re", 0));
    assert_eq!(found.classes, ["class0", "class1", "class2"]);
    let source = names(&found.source, &images);
    assert_eq!(source[0], ("Art/class0/00001.png".to_owned(), 0));
    assert_eq!(source[3], ("Art/class1/00000.png".to_owned(), 1));
    assert_eq!(source, names(&found.source_test, &images));
    assert_eq!(names(&found.target, &images)[2], ("Real/class2/00003.png".to_owned(), 2));
    assert_eq!(found.target.pictures.decode(2).unwrap().dimensions(), (40, 40));

    // Without a folder of pictures, paths start beside the lists.
    std::fs::copy(lists.join("Art.txt"), images.join("Art.txt")).unwrap();
    std::fs::write(images.join("Real.TXT"), lines("", "Real", &[3])).unwrap();
    assert_eq!(names(&task(&images, None, "Ar-Re").unwrap().source, &images), source);
}

#[test]
fn pictures_that_are_kept_for_tests_are_not_trained_on() {
    let (folder, images, lists) = workplace();
    for domain in ["Art", "Real"] {
        std::fs::write(lists.join(format!("{domain}_train.txt")), lines("", domain, &[0, 1, 2])).unwrap();
        std::fs::write(lists.join(format!("{domain}_test.txt")), lines("", domain, &[3])).unwrap();
    }
    let found = task(&lists, Some(&images), "Re-Ar").unwrap();
    assert_eq!((found.source.pictures.len(), found.source_test.pictures.len()), (9, 3));
    assert_eq!(names(&found.target_test, &images)[1], ("Art/class1/00003.png".to_owned(), 1));

    let data = DataSource::Lists { lists: lists.clone(), images: Some(images.clone()) };
    assert_eq!(
        (data.short_name(), data.to_string().parse::<DataSource>().unwrap()),
        ("lists".into(), data.clone())
    );
    let data = data.to_string();
    let train = [
        ["train", "--preset", "mini", "--data", &data, "--task", "Re-Ar", "--method", "source-only"]
            .as_slice(),
        &["--steps", "2", "--batch-size", "9", "--weights", "none"],
    ]
    .concat();
    let output = toalign(folder.path(), &train);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = toalign(folder.path(), &["eval", "--run", "runs/lists/Re-Ar/source-only/0"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        table.contains("Art (target)          3 ") && table.contains("Real (source)         3 "),
        "{table}"
    );

    let output = toalign(folder.path(), &["data", "check", &data]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("class0    4     4\n"), "{text}");
    std::fs::remove_file(images.join("Art/class2/00003.png")).unwrap();
    std::fs::write(images.join("Art/class2/00001.png"), "oops").unwrap();
    let output = toalign(folder.path(), &["data", "check", &data]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let [missing, unreadable] = ["00003.png", "00001.png"].map(|name| images.join("Art/class2").join(name));
    assert!(text.contains(&format!("missing: {}\n", missing.display())), "{text}");
    assert!(text.contains(&format!("unreadable: {}: expected a picture", unreadable.display())), "{text}");
}

#[test]
fn classes_are_called_like_their_folders_where_these_agree() {
    let (_folder, images, lists) = workplace();
    // In Art's list folders and labels have little to do with each other; the target's names the classes, and lacks label 3.
    let more = "Art/class1/00001.png 1\nArt/class0/00001.png 1\nArt/class2/00001.png 3\n";
    std::fs::write(lists.join("Art.txt"), lines("", "Art", &[0]) + more).unwrap();
    std::fs::write(lists.join("Real.txt"), lines("", "Real", &[0])).unwrap();
    let found = task(&lists, Some(&images), "Ar-Re").unwrap();
    assert_eq!(found.classes, ["class0", "class1", "class2", "class 3"]);
    let silent = format!(
        "{}: the paths do not show the class, so its labels could not be checked",
        lists.join("Art.txt").display()
    );
    assert_eq!(found.remarks, [&silent, "Real lacks 1 of the 4 classes: class 3"]);
}

#[test]
fn what_is_wrong_with_a_list_is_named_with_its_line() {
    let (_folder, images, lists) = workplace();
    assert_eq!(
        message(&lists, Some(&images)),
        format!(
            "{}: expected a list <domain>.txt of 'path label' lines for each domain, found none\n  \
             what to do: name the folder of the lists; that of the pictures stands behind an @: lists:DIR@IMAGES",
            lists.display()
        )
    );
    let (art, real) = (lists.join("Art.txt"), lists.join("Real.txt"));
    std::fs::write(&real, lines("", "Real", &[0])).unwrap();
    std::fs::write(&art, "Art/class0/00000.png 0\nArt/class1/00000.png\n").unwrap();
    let malformed = message(&lists, Some(&images));
    let expected = format!(
        "{}:2: expected a path, a space and a label in a list of a source, found 'Art/class1/00000.png'",
        art.display()
    );
    assert!(malformed.starts_with(&expected), "{malformed}");

    for (label, found) in [("4", "4"), ("4294967295", "4294967295")] {
        std::fs::write(&art, format!("Art/class0/00000.png 0\nArt/class1/00000.png {label}\n")).unwrap();
        let gap = message(&lists, Some(&images));
        let expected = format!(
            "{}:2: expected labels without a gap, and so a picture of the label 3, found none, but the label {found}\n",
            art.display()
        );
        assert!(gap.starts_with(&expected), "{gap}");
    }

    std::fs::write(&art, "Art/class0/00000.png 0\nArt/class1/90000.png 1\nArt/class1/90001.png 1\n").unwrap();
    let absent = message(&lists, Some(&images));
    let expected = format!(
        "{}:2: expected a picture, found no file {}, and 1 more of this list are not there\n  what to do: name the folder \
         that the paths start from: lists:DIR@IMAGES; --skip-bad-images leaves them out",
        art.display(),
        images.join("Art/class1/90000.png").display()
    );
    assert_eq!(absent, expected);
    let skip = Options { skip_bad_images: true, ..Options::default() };
    let skipped = Lists { folder: &lists, images: Some(&images) }.task("Ar-Re", &skip).unwrap();
    assert_eq!(skipped.source.pictures.len(), 1);
    assert!(
        skipped.remarks[1].starts_with("Art: left out 2 of 3 pictures, which cannot be decoded:"),
        "{:?}",
        skipped.remarks
    );
    assert!(message(&lists, None).starts_with(&format!("{}:1: expected a picture", art.display())));

    std::fs::write(lists.join("Art_train.txt"), lines("", "Art", &[0])).unwrap();
    let both = message(&lists, Some(&images));
    let expected = "expected Art.txt, or Art_train.txt and Art_test.txt, found ";
    assert!(both.contains(expected) && both.contains(" and "), "{both}");
    std::fs::remove_file(&art).unwrap();
    assert!(message(&lists, Some(&images)).contains(expected));
    std::fs::write(lists.join("Art_test.txt"), "\n").unwrap();
    let empty = message(&lists, Some(&images));
    assert!(
        empty.contains("Art_test.txt: expected a picture and its label in each line, found an empty list"),
        "{empty}"
    );
}

#[test]
fn the_folder_of_pictures_stands_behind_the_last_at() {
    for (written, lists, images) in [
        ("lists:a", "a", None),
        ("lists:a@b", "a", Some("b")),
        ("lists:a@b@c", "a@b", Some("c")),
        ("lists:a@", "a@", None),
    ] {
        let expected = DataSource::Lists { lists: lists.into(), images: images.map(PathBuf::from) };
        let found: DataSource = written.parse().unwrap();
        assert_eq!((found.to_string().as_str(), &found), (written, &expected));
    }
    let message = "lists:".parse::<DataSource>().unwrap_err().to_string();
    assert!(message.starts_with(
        "expected mini, mini:PERCENT, office-home:PATH, icons:DIR, folder:PATH, lists:DIR or lists:DIR@IMAGES, found 'lists:'\n"
    ));
}
