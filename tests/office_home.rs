//! Office-Home in a folder: found whatever it is called, labelled as published, checked file by file.

#[path = "common/toy.rs"]
mod toy;

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use toalign::config::DataSource;
use toalign::data::check::Wrong;
use toalign::data::dataset::Task;
use toalign::data::office_home::{classes, on_disk, published_list};
use toalign::data::picture_files::Options;
use toy::{complaint, toalign};

/// One small picture under all of these names.
fn fill(root: &Path, files: impl IntoIterator<Item = String>) {
    let picture = root.with_extension("jpg");
    if !picture.exists() {
        std::fs::create_dir_all(root).unwrap();
        RgbImage::from_pixel(2, 2, Rgb([90, 120, 200])).save(&picture).unwrap();
    }
    for file in files {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::hard_link(&picture, path).unwrap();
    }
}

/// The files of a published list whose classes `keep` keeps, with the domain's folder spelt in another way.
fn published(domain: &str, folder: &str, keep: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = published_list::lines(domain).unwrap();
    let files = lines.iter().map(|line| line.split_once(' ').unwrap().0.split_once('/').unwrap().1);
    files.filter(|file| keep(file)).map(|file| format!("{folder}/{file}")).collect()
}

fn task(root: &Path, name: &str) -> Task {
    on_disk::task(root, name, &Options::default()).unwrap()
}

fn message(root: &Path, name: &str) -> String {
    on_disk::task(root, name, &Options::default()).map(|task| task.name).unwrap_err().to_string()
}

#[test]
fn a_whole_domain_is_recognised_as_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    fill(&root, published("Ar", "Art", |_| true));
    let checked = on_disk::check(&root).unwrap();
    let names: Vec<&str> = checked.iter().map(|domain| domain.name.as_str()).collect();
    assert_eq!(names, ["Art", "Clipart", "Product", "Real World"]);
    let counts: Vec<(Option<usize>, usize, [usize; 3])> =
        checked.iter().map(|domain| (domain.expected(), domain.found(), domain.counts())).collect();
    assert_eq!(counts[0], (Some(2427), 2427, [0, 0, 0]));
    assert_eq!(counts[1], (Some(4365), 0, [4365, 0, 0]));
    assert_eq!(counts[3], (Some(4357), 0, [4357, 0, 0]));
    assert_eq!(checked[3].findings[0].file, root.join("Real World/Drill/00014.jpg"));
}

#[test]
fn every_missing_extra_and_unreadable_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    let few = |file: &str| file.starts_with("Drill/") || file.starts_with("Exit_Sign/");
    fill(&root, published("Ar", "art", few).into_iter().filter(|file| !file.ends_with("Drill/00003.jpg")));
    fill(
        &root,
        ["art/Exit Sign.txt", "art/Drill/00016.jpg", "art/Drill/00014.png", "art/Chainsaw/1.jpg"]
            .map(String::from),
    );
    std::fs::remove_file(root.join("art/Drill/00004.jpg")).unwrap();
    std::fs::write(root.join("art/Drill/00004.jpg"), "no picture").unwrap();

    let art = &on_disk::check(&root).unwrap()[0];
    let drill = &art.classes[0];
    assert_eq!((drill.class.as_str(), drill.expected, drill.found), ("Drill", Some(15), 16));
    let named = |wrong: fn(&Wrong) -> bool| -> Vec<PathBuf> {
        let findings = art.findings.iter().filter(|finding| wrong(&finding.wrong));
        findings.map(|finding| finding.file.strip_prefix(&root).unwrap().to_owned()).collect()
    };
    let missing = named(|wrong| *wrong == Wrong::Missing);
    assert_eq!(missing.len(), 1 + 2427 - 15 - 21, "{:?}", &missing[..3]);
    assert_eq!(missing[0], Path::new("art/Drill/00003.jpg"));
    let extra = named(|wrong| *wrong == Wrong::Extra);
    // Of two files with one number, the first by name counts.
    let expected = ["art/Drill/00014.png", "art/Drill/00016.jpg", "art/Exit Sign.txt", "art/Chainsaw"];
    assert_eq!(extra, expected.map(PathBuf::from));
    let unreadable = named(|wrong| matches!(wrong, Wrong::Unreadable(_)));
    assert_eq!(unreadable, [PathBuf::from("art/Drill/00004.jpg")]);

    let data = format!("office-home:{}", root.display());
    let output = toalign(folder.path(), &["data", "check", &data]);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{err}");
    let row = out.lines().find(|line| line.starts_with("Drill ")).unwrap();
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["Drill", "16 of 15", "0 of 48", "0 of 67", "0 of 51"]);
    assert!(out.contains(&format!("missing: {}\n", root.join("art/Drill/00003.jpg").display())), "{out}");
    assert!(out.contains(&format!("extra: {}\n", root.join("art/Chainsaw").display())), "{out}");
    let reason = "expected a picture (jpg, png, webp, bmp, gif or tif), found other content";
    let line = format!("unreadable: {}: {reason}", root.join("art/Drill/00004.jpg").display());
    assert!(out.contains(&line), "{out}");
    assert!(err.contains("expected every file in its place and readable, found "), "{err}");
    assert!(err.contains("what to do: mend the files that are listed above"), "{err}");
}

#[test]
fn labels_and_order_are_the_published_ones_whatever_the_folders_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    let inside = "OfficeHomeDataset_10072016";
    let files = ["Art/Alarm Clock/00002.jpg", "Art/Alarm Clock/00014.jpg", "Art/drill/00001.jpg"]
        .into_iter()
        .chain([
            "Art/drill/00014.jpg",
            "Art/drill/note.jpg",
            "RealWorld/Drill/00001.jpg",
            "clipart/TV/00009.jpg",
        ]);
    fill(&root, files.map(|file| format!("{inside}/{file}")));

    let found = task(&root, "art-rw");
    assert_eq!(found.name, "Ar-Rw");
    assert_eq!((found.source.name.as_str(), found.target.name.as_str()), ("Art", "Real World"));
    assert_eq!(
        (found.classes.len(), found.classes[0].as_str(), found.classes[64].as_str()),
        (65, "Drill", "Marker")
    );
    let source = &found.source.pictures;
    let names: Vec<(String, u32)> = (0..source.len())
        .map(|index| {
            let place = root.join(inside).join("Art").display().to_string();
            (source.name(index).replace(&format!("{place}/"), ""), source.label(index))
        })
        .collect();
    let alarm_clock =
        classes().unwrap().iter().position(|class| class.class == "Alarm_Clock").unwrap() as u32;
    let expected = [
        ("drill/00014.jpg", 0),
        ("drill/00001.jpg", 0),
        ("drill/note.jpg", 0),
        ("Alarm Clock/00014.jpg", alarm_clock),
        ("Alarm Clock/00002.jpg", alarm_clock),
    ];
    assert_eq!(names, expected.map(|(name, label)| (name.to_owned(), label)));
    assert_eq!(found.remarks[0], format!("Office-Home was found in {}", root.join(inside).display()));
    assert_eq!(
        found.remarks[1],
        format!(
            "Art: of the 2427 published pictures 2423 are missing, and 1 files are not among them; \
             `toalign data check office-home:{}` names them",
            root.display()
        )
    );
    assert_eq!(found.remarks.len(), 3);
    assert_eq!(task(&root.join(inside), "Cl-Ar").remarks.len(), 2);
}

#[test]
fn what_systems_leave_behind_is_no_copy_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    fill(&root, ["Art/Drill/00001.jpg", "Clipart/Drill/00001.jpg"].map(|file| format!("officehome/{file}")));
    for junk in ["__MACOSX/officehome/Art/Drill", "officehome/@eaDir/Art", "officehome/Art/Drill/@eaDir"] {
        std::fs::create_dir_all(root.join(junk)).unwrap();
    }
    for junk in
        ["__MACOSX/officehome/Art/Drill/._00001.jpg", "officehome/Art/Thumbs.db", "officehome/desktop.ini"]
    {
        std::fs::write(root.join(junk), "x").unwrap();
    }
    let found = task(&root, "Ar-Cl");
    assert_eq!(
        found.source.pictures.name(0),
        root.join("officehome/Art/Drill/00001.jpg").display().to_string()
    );
    assert_eq!((found.source.pictures.len(), found.target.pictures.len()), (1, 1));
    let notes = found.remarks.iter().filter(|remark| remark.starts_with("ignored"));
    assert_eq!(
        notes.collect::<Vec<_>>(),
        ["ignored what programs and systems left behind: @eaDir, Thumbs.db, __MACOSX, desktop.ini"]
    );
    let art = &on_disk::check(&root).unwrap()[0];
    assert_eq!((art.found(), art.counts()), (1, [2426, 0, 0]));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    assert!(message(&root, "Ar-Cl").starts_with(&format!("cannot read {}: No such file", root.display())));
    fill(&root, ["painting/Drill/00001.jpg".to_owned()]);
    assert_eq!(
        message(&root, "Ar-Cl"),
        format!(
            "{}: expected a folder for each domain of Office-Home: Art, Clipart, Product, Real World, found none of them\n  \
             what to do: name the folder that holds them, such as OfficeHomeDataset_10072016",
            root.display()
        )
    );
    fill(&root, ["Art/Drill/00001.jpg".to_owned()]);
    let lacking = message(&root, "Ar-Cl");
    assert!(lacking.contains("expected a folder of the domain Clipart, found none"), "{lacking}");
    assert!(
        message(&root, "Ar-Sk")
            .contains("expected a domain of Art, Clipart, Product, Real World, found 'Sk'")
    );
    fill(&root, ["art/Drill/00001.jpg".to_owned()]);
    let twice = message(&root, "Ar-Cl");
    assert!(twice.contains("expected one folder of Art, found "), "{twice}");
    let other = folder.path().join("other");
    fill(&other, ["Art/TV/00001.jpg", "Art/tv/00001.jpg", "Clipart/TV/00001.jpg"].map(String::from));
    let twice = message(&other, "Ar-Cl");
    assert!(twice.contains("expected one folder of TV, found "), "{twice}");
    std::fs::remove_dir_all(other.join("Art")).unwrap();
    std::fs::create_dir(other.join("Art")).unwrap();
    let empty = message(&other, "Ar-Cl");
    assert!(empty.contains("expected pictures of Office-Home's classes, found none"), "{empty}");
}

#[test]
fn the_command_line_prints_the_published_list() {
    let folder = tempfile::tempdir().unwrap();
    let output = toalign(folder.path(), &["data", "list", "--domain", "real_world"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 4357);
    assert!(
        text.starts_with("real_world/Drill/00014.jpg 0\nreal_world/Drill/00027.jpg 0\n"),
        "{}",
        &text[..99]
    );
    assert!(text.ends_with("real_world/Marker/00007.jpg 64\n"));
    let message = complaint(folder.path(), &["data", "list", "--domain", "Sketch"]);
    assert!(
        message.contains("--domain: expected a domain of Art, Clipart, Product, Real World, found 'Sketch'")
    );
    let message = complaint(folder.path(), &["data", "check", "mini"]);
    assert!(
        message.contains("expected pictures on disk to check, found mini, whose pictures are drawn"),
        "{message}"
    );
}

#[test]
fn a_folder_of_ones_own_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = toy::pictures(folder.path(), 2, 2);
    let check = |folder: &Path, data: &Path| {
        toalign(folder, &["data", "check", &format!("folder:{}", data.display())])
    };
    let output = check(folder.path(), &data);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("class   Art  Real\n"), "{text}");
    assert!(text.contains("class1    2     2\n"), "{text}");
    assert!(text.ends_with("nothing is missing, extra or unreadable\n"), "{text}");
    std::fs::write(data.join("Art/class1/00000.png"), "oops").unwrap();
    std::fs::copy(data.join("Art/class1/00001.png"), data.join("Art/stray.png")).unwrap();
    let output = check(folder.path(), &data);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("extra: {}\n", data.join("Art/stray.png").display())), "{text}");
    assert!(text.contains(&format!("unreadable: {}: expected", data.join("Art/class1/00000.png").display())));
}

#[test]
fn a_run_on_office_home_goes_where_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy");
    for domain in ["Art", "Real World"] {
        fill(&root, published(domain, domain, |file| file.ends_with("/00001.jpg")));
    }
    let data = DataSource::OfficeHome(root.clone());
    assert_eq!(
        (data.to_string().parse::<DataSource>().unwrap(), data.short_name()),
        (data.clone(), "office-home".into())
    );
    let data = data.to_string();
    let train = [
        ["train", "--preset", "mini", "--data", &data].as_slice(),
        &["--task", "Ar-Rw", "--method", "source-only", "--steps", "1", "--batch-size", "4"],
    ]
    .concat();
    let output = toalign(folder.path(), &train);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("note: Art: of the 2427 published pictures 2362 are missing, and 0 files"),
        "{message}"
    );
    let run = "runs/office-home/Ar-Rw/source-only/0";
    assert!(folder.path().join(run).join("last.safetensors").exists());
    let output = toalign(folder.path(), &["eval", "--run", run]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("Real World (target)        65 "), "{table}");
}
