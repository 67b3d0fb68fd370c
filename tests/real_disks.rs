//! Data sets as people really have them: what other programs leave behind, spellings that differ, lists that number classes
//! differently, targets without labels. Each run is a short one of the binary.

#[path = "common/toy.rs"]
mod toy;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toalign::runs::folder::read_metrics;
use toalign::train::record::Record;
use toy::{complaint, toalign};

const SHORT: [&str; 14] = [
    "--preset",
    "mini",
    "--steps",
    "6",
    "--test-every",
    "6",
    "--checkpoint-every",
    "3",
    "--batch-size",
    "6",
    "--weights",
    "none",
    "--discriminator-hidden",
    "8",
];
const CLASSES: [&str; 3] = ["Bike", "Cup", "Mug"];

/// `good/` with Art and Clipart, three classes, four pictures each.
fn good() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let toy = toy::pictures(folder.path(), 3, 4);
    let good = folder.path().join("good");
    for (from, to) in [("Art", "Art"), ("Real", "Clipart")] {
        std::fs::create_dir_all(good.join(to)).unwrap();
        for (number, class) in CLASSES.iter().enumerate() {
            std::fs::rename(toy.join(from).join(format!("class{number}")), good.join(to).join(class))
                .unwrap();
        }
    }
    (folder, good)
}

fn train<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--data", data, "--task", "Art-Clipart", "--method", "dannp"], &SHORT[..], more].concat()
}

/// Standard output and error of a call that succeeds.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = toalign(folder, arguments);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{out}{err}");
    out + &err
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no '{part}' in: {text}");
    }
}

/// Lines for every picture of a domain, whose classes have these numbers.
fn list(good: &Path, domain: &str, order: [u32; 3], label: impl Fn(u32) -> String) -> String {
    lines(good, domain, CLASSES.iter().copied().zip(order), label)
}

fn lines<'a>(
    good: &Path,
    domain: &str,
    classes: impl IntoIterator<Item = (&'a str, u32)>,
    label: impl Fn(u32) -> String,
) -> String {
    let mut lines = String::new();
    for (class, number) in classes {
        for entry in std::fs::read_dir(good.join(domain).join(class)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with("000") {
                lines += &format!("{domain}/{class}/{name}{}\n", label(number));
            }
        }
    }
    lines
}

fn labelled(number: u32) -> String {
    format!(" {number}")
}

#[test]
fn lists_that_number_classes_differently_are_refused_with_both_places() {
    let (folder, good) = good();
    std::fs::write(good.join("Art.txt"), list(&good, "Art", [0, 1, 2], labelled)).unwrap();
    std::fs::write(good.join("Clipart.txt"), list(&good, "Clipart", [1, 0, 2], labelled)).unwrap();
    for arguments in [train("lists:good", &[]), vec!["data", "check", "lists:good"]] {
        let message = complaint(folder.path(), &arguments);
        assert_says(
            &message,
            &["Clipart.txt:1: expected the label 0 for Bike, as in good/Art.txt:1, found 1"],
        );
    }
    // Also between a domain's own two lists, and between two sources.
    std::fs::write(good.join("Clipart.txt"), list(&good, "Clipart", [0, 1, 2], labelled)).unwrap();
    assert_says(&said(folder.path(), &train("lists:good", &[])), &["seconds per step"]);
    std::fs::rename(good.join("Clipart.txt"), good.join("Clipart_train.txt")).unwrap();
    std::fs::write(good.join("Clipart_test.txt"), list(&good, "Clipart", [0, 2, 1], labelled)).unwrap();
    let message = complaint(folder.path(), &train("lists:good", &["--seed", "2"]));
    assert_says(&message, &["Clipart_test.txt:", "expected the label 1 for Cup, as in good/Art.txt:"]);
    // Without a class in the paths nothing can be compared, and that is said.
    std::fs::remove_file(good.join("Clipart_test.txt")).unwrap();
    std::fs::remove_file(good.join("Clipart_train.txt")).unwrap();
    let flat = list(&good, "Clipart", [1, 0, 2], labelled);
    let mut lines = String::new();
    for line in flat.lines() {
        let (path, label) = line.split_once(' ').unwrap();
        let name = path.replace('/', "_");
        std::fs::copy(good.join(path), good.join(&name)).unwrap();
        lines += &format!("{name} {label}\n");
    }
    std::fs::write(good.join("Clipart.txt"), lines).unwrap();
    let text = said(folder.path(), &train("lists:good", &["--seed", "3"]));
    assert_says(&text, &["Clipart.txt: the paths do not show the class, so its labels could not be checked"]);
}

#[test]
fn names_that_look_alike_are_one_name_and_that_is_said() {
    let (folder, good) = good();
    for (domain, class) in [("Art", "Caf\u{e9}"), ("Clipart", "Cafe\u{301}")] {
        std::fs::rename(good.join(domain).join("Cup"), good.join(domain).join(class)).unwrap();
    }
    std::fs::rename(good.join("Art/Mug"), good.join("Art/Alarm_Clock")).unwrap();
    std::fs::rename(good.join("Clipart/Mug"), good.join("Clipart/alarm clock ")).unwrap();
    let text = said(folder.path(), &train("folder:good", &[]));
    assert_says(
        &text,
        &[
            "note: taken for the same class, although spelled differently",
            "'Alarm_Clock' (Art) = 'alarm clock '",
        ],
    );
    assert!(!text.contains("lacks"), "{text}");
    // One domain has both spellings, the other a third.
    std::fs::create_dir(good.join("Clipart/ALARM CLOCK")).unwrap();
    std::fs::copy(good.join("Clipart/Bike/00000.png"), good.join("Clipart/ALARM CLOCK/1.png")).unwrap();
    let message = complaint(folder.path(), &train("folder:good", &["--seed", "2"]));
    assert_says(&message, &["'ALARM CLOCK' (Clipart) and 'Alarm_Clock' (Art) and 'alarm clock ' (Clipart)"]);
    std::fs::remove_dir_all(good.join("Clipart/ALARM CLOCK")).unwrap();

    // Lists that spell the disk otherwise.
    let art = list_of(&good, "Art").replace("Caf\u{e9}", "cafe\u{301}").replace(".png", ".PNG");
    std::fs::write(good.join("Art.txt"), art).unwrap();
    std::fs::write(good.join("Clipart.txt"), list_of(&good, "Clipart")).unwrap();
    let text = said(folder.path(), &train("lists:good", &["--seed", "3"]));
    assert_says(&text, &["Art.txt: paths are spelled differently on this disk, such as", "which is 'Art/"]);
    assert!(!text.contains("lacks"), "{text}");
}

/// Lines for every picture of a domain; classes are numbered in the order of their letters.
fn list_of(good: &Path, domain: &str) -> String {
    let mut classes: Vec<String> = std::fs::read_dir(good.join(domain))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    classes.sort_by_key(|name| name.to_lowercase());
    lines(good, domain, classes.iter().map(String::as_str).zip(0..), labelled)
}

#[test]
fn what_systems_leave_behind_is_ignored_with_one_note() {
    let (folder, good) = good();
    for junk in [
        "__MACOSX/Art/Bike",
        "@eaDir",
        "lost+found",
        "Art/@eaDir",
        "Art/Bike/.AppleDouble",
        "Archive",
        ".git",
    ] {
        std::fs::create_dir_all(good.join(junk)).unwrap();
    }
    for junk in
        ["Thumbs.db", "Art/Thumbs.db", "Art/Bike/desktop.ini", "Clipart/Mug/._00000.png", "README.txt"]
    {
        std::fs::write(good.join(junk), b"x").unwrap();
    }
    let text = said(folder.path(), &train("folder:good", &[]));
    let notes: Vec<&str> = text.lines().filter(|line| line.starts_with("note: ")).collect();
    let expected = "note: ignored what programs and systems left behind: .AppleDouble, @eaDir, Thumbs.db, __MACOSX, desktop.ini, lost+found";
    assert_eq!(notes, [expected]);
    let sweep = [&["sweep", "--data", "folder:good", "--methods", "source-only", "--seeds", "1"], &SHORT[..]]
        .concat();
    let text = said(folder.path(), &sweep);
    assert_says(
        &text,
        &[
            "2 runs in runs: 2 finished",
            "note: no domains, since no folder inside them has pictures: Archive",
        ],
    );
    let text = said(folder.path(), &["data", "check", "folder:good"]);
    assert_says(&text, &["note: no domains", "nothing is missing, extra or unreadable"]);

    for (name, order) in [("Art", [0, 1, 2]), ("Clipart", [0, 1, 2])] {
        std::fs::write(good.join(format!("{name}.txt")), list(&good, name, order, labelled)).unwrap();
    }
    std::fs::write(good.join("classes.txt"), "Bike\nCup\nMug\n").unwrap();
    std::fs::write(good.join("category.txt"), "0 Bike\n1 Cup\n2 Mug\n").unwrap();
    let sweep: Vec<&str> =
        sweep.iter().map(|&word| if word == "folder:good" { "lists:good" } else { word }).collect();
    let text = said(folder.path(), &[&sweep[..], &["--out", "of-lists"]].concat());
    assert_says(
        &text,
        &[
            "2 runs in of-lists: 2 finished",
            "no line of them names a picture: README.txt, category.txt, classes.txt",
        ],
    );
}

/// What the log, the table, the report and the predictions of a run on an unlabelled target say.
fn assert_label_free(folder: &Path, data: &str, seed: &str, pictures: usize) {
    let text = said(folder, &train(data, &["--seed", seed]));
    assert_says(
        &text,
        &[
            "Clipart: ",
            "pictures without a class; no accuracy counts them",
            "the target has no labels; best after step 6",
        ],
    );
    let name = data.split(':').nth(1).unwrap();
    let run = folder.join(format!("runs/{name}/Ar-Cl/dannp/{seed}"));
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert_says(&log, &["| tar_entropy: ", "| tar_snd: "]);
    let records = read_metrics(&run).unwrap();
    let finish = records.iter().find_map(Record::finish).unwrap();
    assert!(finish.last_target_accuracy.is_nan());
    assert!(
        std::fs::read_to_string(run.join("metrics.jsonl")).unwrap().contains("\"last_target_accuracy\":null")
    );
    let report = said(folder, &["report", &format!("runs/{name}"), "--csv", "r.csv", "--html", "r.html"]);
    assert_says(&report, &["without target labels  runs  entropy", "Source accuracy in percent"]);
    assert!(!report.contains("NaN") && !report.contains("oracle"), "{report}");
    let page = std::fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("without target labels"));
    // Nothing is drawn of accuracies and classes that nobody knows.
    for empty in ["percent of each true class", "Target accuracy of every run while training"] {
        assert!(!page.contains(empty), "{empty}");
    }
    let run = run.display().to_string();
    assert_says(&said(folder, &["eval", "--run", &run]), &["Clipart (target)", "no labels"]);
    let text = said(folder, &["predict", "--domain", "--run", &run, "--csv", "p.csv"]);
    assert_says(&text, &[&format!("{pictures} pictures of Clipart in p.csv; accuracy: no labels")]);
    let csv = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + pictures);
    let text = said(folder, &["predict", "--domain", "Art", "--run", &run, "--csv", "a.csv"]);
    assert_says(&text, &["12 pictures of Art in a.csv; accuracy: ", " %"]);
    let row: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert!(
        CLASSES.contains(&row[1]) && row[2].parse::<f64>().unwrap() > 0.33 && row[3].is_empty(),
        "{row:?}"
    );
}

#[test]
fn a_target_without_labels_is_what_adaptation_is_for() {
    let (folder, good) = good();
    std::fs::write(good.join("Art.txt"), list(&good, "Art", [0, 1, 2], labelled)).unwrap();
    std::fs::write(good.join("Clipart.txt"), list(&good, "Clipart", [0, 1, 2], |_| String::new())).unwrap();
    assert_label_free(folder.path(), "lists:good", "1", 12);
    std::fs::write(good.join("Clipart.txt"), list(&good, "Clipart", [0, 1, 2], |_| " -1".to_owned()))
        .unwrap();
    assert_label_free(folder.path(), "lists:good", "2", 12);
    // Labels that are partly there are used.
    let some = |number| if number == 0 { " 0".to_owned() } else { String::new() };
    std::fs::write(good.join("Clipart.txt"), list(&good, "Clipart", [0, 1, 2], some)).unwrap();
    let text = said(folder.path(), &train("lists:good", &["--seed", "3"]));
    assert_says(&text, &["Clipart: 8 pictures without a class", "target accuracy: last "]);
    // A source needs them.
    let swapped: Vec<&str> = train("lists:good", &[])
        .into_iter()
        .map(|word| if word == "Art-Clipart" { "Clipart-Art" } else { word })
        .collect();
    assert_says(
        &complaint(folder.path(), &swapped),
        &["Clipart.txt:5: expected a path, a space and a label"],
    );

    let flat = folder.path().join("flat");
    std::fs::create_dir_all(flat.join("Clipart")).unwrap();
    std::fs::rename(good.join("Art"), flat.join("Art")).unwrap();
    for (number, class) in CLASSES.iter().enumerate() {
        for picture in 0..4 {
            let name = format!("{picture:05}.png");
            std::fs::copy(
                good.join("Clipart").join(class).join(&name),
                flat.join("Clipart").join(format!("{number}{name}")),
            )
            .unwrap();
        }
    }
    assert_label_free(folder.path(), "folder:flat", "1", 12);
    std::fs::rename(flat.join("Clipart"), flat.join("unlabelled")).unwrap();
    std::fs::create_dir(flat.join("Clipart")).unwrap();
    std::fs::rename(flat.join("unlabelled"), flat.join("Clipart/unlabelled")).unwrap();
    assert_label_free(folder.path(), "folder:flat", "2", 12);
}

#[test]
fn one_level_more_is_named_and_predict_answers_what_it_can() {
    let (folder, good) = good();
    let deep = folder.path().join("deep/Art");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::rename(good.join("Art"), deep.join("train")).unwrap();
    let message = complaint(folder.path(), &train("folder:deep", &[]));
    assert_says(
        &message,
        &[
            "deep/Art: expected <domain>/<class>/<picture>, found one level more: deep/Art/train/Bike/<picture>",
            "lists:DIR",
        ],
    );
    std::fs::rename(deep.join("train"), good.join("Art")).unwrap();

    said(folder.path(), &train("folder:good", &[]));
    let run = "runs/good/Ar-Cl/dannp/0";
    std::fs::write(folder.path().join("bad.png"), "no picture").unwrap();
    let whole = std::fs::read(folder.path().join("good/Art/Bike/00001.png")).unwrap();
    std::fs::write(folder.path().join("endless.png"), &whole[..whole.len() - 12]).unwrap();
    std::fs::write(folder.path().join("00000-gradcam.png"), "a user's own").unwrap();
    let pictures = ["good/Art/Bike/00000.png", "bad.png", "endless.png", "good/Art/Mug/00000.png"];
    let output = toalign(folder.path(), &[&["predict", "--run", run], &pictures[..]].concat());
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert_says(&out, &["good/Art/Bike/00000.png", "endless.png", "good/Art/Mug/00000.png"]);
    assert_says(&err, &["note: endless.png: all of the picture is there, but not the mark at its end"]);
    assert_says(&err, &["bad.png: expected a picture", "expected 4 pictures, found 1 that are none"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("00000-gradcam.png")).unwrap(), "a user's own");
}

#[test]
fn flags_are_spelled_alike_and_settings_that_hold_a_path_are_named() {
    let (folder, good) = good();
    let network = ["--backbone", "small", "--image", "40", "--batch", "2", "--classes", "3", "--steps", "1"];
    for (toalign, name) in [
        (&["--toalign"][..], "hda+toalign"),
        (&["--toalign", "false"], "hda with"),
        (&["--toalign=false"], "hda with"),
    ] {
        assert_says(&said(folder.path(), &[&["bench"], &network[..], toalign].concat()), &[name]);
    }
    for (seed, toalign, name) in [
        ("1", &["--toalign", "true"][..], "dannp+toalign"),
        ("2", &["--toalign"], "dannp+toalign"),
        ("3", &["--toalign", "false"], "dannp"),
    ] {
        let text = said(folder.path(), &train("folder:good", &[&["--seed", seed], toalign].concat()));
        assert_says(&text, &[&format!("Ar-Cl/{name}/{seed}")]);
    }
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let message = complaint(&elsewhere, &["eval", "--run", "../runs/good/Ar-Cl/dannp/3"]);
    assert_says(
        &message,
        &[
            "good: expected the data of the run, 'data = folder:good' in its settings, found no such folder",
            "--data",
        ],
    );
    said(&elsewhere, &["eval", "--run", "../runs/good/Ar-Cl/dannp/3", "--data", "folder:../good"]);

    for number in 0..4 {
        std::fs::write(good.join(format!("Clipart/Mug/{number:05}.png")), "no picture").unwrap();
    }
    let text = said(folder.path(), &train("folder:good", &["--skip-bad-images", "--seed", "4"]));
    assert_says(&text, &["Clipart: left out 4 of 12 pictures", "so no picture is left in good/Clipart/Mug"]);

    let message = complaint(folder.path(), &["train", "--data", "folder:good", "--task", "Ar-Cl"]);
    assert_says(
        &message,
        &["pretrained weights of resnet50", "what works now, without any file: --preset mini"],
    );
    let more = [
        "--preset",
        "small-resnet",
        "--weights",
        "none",
        "--batch-size",
        "2",
        "--test-every",
        "300",
        "--target-test-pictures",
        "2",
    ];
    let start = [
        "train",
        "--data",
        "folder:good",
        "--task",
        "Ar-Cl",
        "--method",
        "source-only",
        "--seed",
        "5",
        "--skip-bad-images",
    ];
    let text = said(folder.path(), &[&start[..], &more, &["--steps", "1"]].concat());
    assert_says(&text, &["runs/good/Ar-Cl/source-only/5"]);
    let config =
        std::fs::read_to_string(folder.path().join("runs/good/Ar-Cl/source-only/5/config.toml")).unwrap();
    assert_says(&config, &["backbone = \"resnet18\"", "crop = 64", "target_test_pictures = 2"]);
    let run = "runs/good/Ar-Cl/source-only/5";
    assert_says(&said(folder.path(), &["eval", "--run", run]), &["Clipart (target)         2"]);
    assert_eq!(toalign::config::RunConfig::small_resnet(800).steps, 1000);
}

#[test]
fn paths_with_an_at_sign_or_a_home_folder_are_understood() {
    let (folder, good) = good();
    let own = folder.path().join("u@uni");
    std::fs::create_dir(&own).unwrap();
    std::fs::rename(&good, own.join("pictures")).unwrap();
    let (good, lists) = (own.join("pictures"), own.join("lists@home"));
    std::fs::create_dir(&lists).unwrap();
    for domain in ["Art", "Clipart"] {
        std::fs::write(lists.join(format!("{domain}.txt")), list(&good, domain, [0, 1, 2], labelled))
            .unwrap();
    }
    let data = format!("lists:{}@{}", lists.display(), good.display());
    assert_says(&said(folder.path(), &train(&data, &[])), &["seconds per step"]);
    let output =
        toy::command(folder.path(), &train("folder:~/pictures", &[])).env("HOME", &own).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(good.join("Art/Bike/photo.heic"), b"\0\0\0\x18ftypheic").unwrap();
    std::fs::create_dir(good.join("Art/Bike/more")).unwrap();
    std::fs::write(good.join("Art/Bike/more/notes.txt"), "x").unwrap();
    let data = format!("folder:{}", good.display());
    let output = toalign(folder.path(), &["data", "check", &data]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_says(
        &text,
        &["note: Art: ignored 2 files that are no picture in a class folder (1 .heic, 1 .txt)"],
    );
    assert_says(&said(folder.path(), &train(&data, &["--seed", "2"])), &["(1 .heic, 1 .txt)"]);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = std::ffi::OsStr::from_bytes(b"Caf\xE9");
        std::fs::create_dir(good.join("Art").join(odd)).unwrap();
        let message = complaint(folder.path(), &train(&data, &["--seed", "3"]));
        assert_says(&message, &["expected a folder's name in UTF-8, found 'Caf", "convmv"]);
    }
}
