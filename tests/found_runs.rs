//! Runs that are found in folders again.

use std::path::Path;

use toalign::runs::find::*;

const START: &str = r#"{"kind":"start","method":"hda","task":"Cl-Rw","seed":1,"steps":9,"from_step":0}"#;
const FINISH: &str = r#"{"kind":"finish","step":9,"last_target_accuracy":60.0,"best_target_accuracy":61.0,"best_step":4,"seconds_per_step":0.1}"#;

fn put(folder: &Path, path: &str, lines: &[&str]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn message(folder: &Path) -> String {
    find_runs(folder).unwrap_err().to_string()
}

#[test]
fn runs_and_records_are_found_from_every_level() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, "runs/mini/Cl-Rw/hda/2/metrics.jsonl", &[START, FINISH]);
    put(root, "runs/mini/Cl-Rw/hda/1/metrics.jsonl", &[START, FINISH, "{\"kind\":\"te"]);
    put(root, "runs/mini/Cl-Rw/dannp/1/metrics.jsonl", &[START]);
    put(root, "kept/mini/Cl-Rw/hda/7.jsonl", &[START, FINISH]);
    // Half a line at the end is what a kill leaves.
    let half = root.join("runs/mini/Cl-Rw/hda/1/metrics.jsonl");
    std::fs::write(&half, format!("{START}\n{FINISH}\n{{\"kind\":\"te")).unwrap();
    for start in ["runs", "runs/mini", "runs/mini/Cl-Rw"] {
        let found = find_runs(root.join(start)).unwrap();
        assert_eq!((found.data.as_str(), found.study.runs.len()), ("mini", 2), "{start}");
        assert_eq!((found.study.runs[0].seed, found.study.runs[1].method.as_str()), (1, "hda"));
        assert_eq!(found.unfinished, ["Cl-Rw dannp seed 1: 0 of 9 steps"]);
    }
    assert_eq!(find_runs(root.join("kept")).unwrap().study.runs[0].seed, 7);
    assert!(find_runs(root.join("kept")).unwrap().remarks.is_empty());
}

#[test]
fn what_cannot_be_reported_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let none = message(root);
    assert!(none.contains("expected runs, as <data>/<task>/<method>/<seed>/metrics.jsonl, found none"));
    assert!(none.contains("what to do: give the folder"), "{none}");
    assert!(message(&root.join("absent")).contains("check the spelling"));
    put(root, "mini/Cl-Rw/hda/1/metrics.jsonl", &[START]);
    let unfinished = message(root);
    assert!(unfinished.contains("expected at least one finished run, found 1 unfinished"), "{unfinished}");
    put(root, "toys/Cl-Rw/hda/1/metrics.jsonl", &[START, FINISH]);
    let several = message(root);
    assert!(several.contains("expected runs on one data set, found runs on mini, toys"), "{several}");
    put(root, "toys/Cl-Rw/hda/2/metrics.jsonl", &[START, "oops", FINISH]);
    let damaged = message(&root.join("toys"));
    assert!(damaged.contains("metrics.jsonl:2: expected a record in JSON"), "{damaged}");
    assert!(message(&root.join("toys/Cl-Rw/hda/1/metrics.jsonl")).contains("found none"));
}

#[test]
fn runs_of_different_lengths_are_remarked() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "mini/Cl-Rw/hda/1/metrics.jsonl", &[FINISH]);
    put(folder.path(), "mini/Cl-Rw/hda/2/metrics.jsonl", &[&FINISH.replace(":9", ":300")]);
    let remarks = find_runs(folder.path()).unwrap().remarks;
    assert_eq!(remarks, ["The runs are not equally long (9, 300 steps): compare with care."]);
}
