//! `toalign bench --pictures` and `--maps`: what they measure, and what they say about bad input.

#[path = "common/toy.rs"]
mod toy;

use serde_json::Value;
use toy::{complaint, pictures, toalign};

#[test]
fn all_pictures_are_measured_in_their_parts() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 3, 5);
    for threads in [1, 2, 40] {
        let output = toalign(
            folder.path(),
            &["bench", "--pictures", "toy3x5", "--threads", &threads.to_string(), "--json"],
        );
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(measured["pictures"], 2 * 3 * 5);
        assert_eq!(measured["threads"], threads);
        let number = |key: &str| measured[key].as_f64().unwrap_or_else(|| panic!("{key}: {measured}"));
        let per_core = number("pictures_per_second") / f64::from(threads);
        assert!((number("pictures_per_second_per_core") / per_core - 1.0).abs() < 1e-9, "{measured}");
        for part in ["decode_seconds", "resize_seconds", "crop_seconds"] {
            assert!(number(part) > 0.0, "{measured}");
        }
        if threads == 1 {
            // One thread does nothing but the parts.
            let parts = number("decode_seconds") + number("resize_seconds") + number("crop_seconds");
            assert!(parts <= 1.0 / number("pictures_per_second"), "{measured}");
        }
        if cfg!(target_os = "linux") {
            assert!(number("pictures_per_cpu_second") > 0.0, "{measured}");
        }
    }
}

#[test]
fn people_get_a_table() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 1, 2);
    let output = toalign(folder.path(), &["bench", "--pictures", "."]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["read and decode", "resize", "crop, mirror, normalise", "4 pictures, 1 thread: "] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn every_kind_of_map_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let small =
        ["bench", "--maps", "--backbone", "small", "--image", "40", "--classes", "12", "--steps", "2"];
    let output = toalign(folder.path(), &[&small[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&measured["backbone"], &measured["image"]), (&"small".into(), &40.into()), "{measured}");
    let seconds = measured["seconds"].as_array().unwrap();
    let names: Vec<&str> = seconds.iter().map(|pair| pair[0].as_str().unwrap()).collect();
    let kinds: Vec<&str> = toalign::explain::maps::ALL.iter().map(|kind| kind.key).collect();
    let guided = ["guided-backpropagation", "guided-grad-cam", "guided-grad-cam++"];
    assert_eq!(names, [&kinds[..], &guided].concat());
    assert!(seconds.iter().all(|pair| pair[1].as_f64().unwrap() > 0.0), "{measured}");

    let output = toalign(folder.path(), &small);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("one picture of 40×40, small, device cpu, "), "{text}");
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    let refused = toalign(folder.path(), &["bench", "--maps", "--pictures", "."]);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && message.contains("cannot be used with"), "{message}");
}

#[test]
fn what_cannot_be_measured() {
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| complaint(folder.path(), &[&["bench", "--pictures"], arguments].concat());

    let message = said(&["absent"]);
    assert!(message.contains("cannot read absent: No such file or directory"), "{message}");

    std::fs::create_dir_all(folder.path().join("empty/inside")).unwrap();
    std::fs::write(folder.path().join("empty/notes.txt"), "no picture").unwrap();
    let message = said(&["empty"]);
    let expected = "empty: expected pictures (jpg, jpeg, jpe, jfif, png, webp, bmp, gif, tif, tiff) in this folder or below, found none";
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("what to do: "), "{message}");

    std::fs::write(folder.path().join("empty/inside/broken.jpg"), "no picture").unwrap();
    let message = said(&["empty"]);
    assert!(message.contains("empty/inside/broken.jpg: expected a picture"), "{message}");

    let message = said(&["empty", "--threads", "0"]);
    assert!(message.contains("--threads: expected at least 1 thread, found 0"), "{message}");

    for alone in [["--threads", "2"].as_slice(), &["--pictures", "empty", "--data", "mini"]] {
        let output = toalign(folder.path(), &[&["bench"], alone].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stderr).contains("--pictures"));
    }
}
