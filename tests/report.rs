//! `toalign report` on the kept records of 320 runs, and on folders that it cannot use.

#[path = "common/toy.rs"]
mod toy;

use std::fs;
use std::path::Path;

use toy::{complaint, toalign};

const RECORDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/notebooks/records/mini");

#[test]
fn kept_records_become_tables_a_page_csv_and_latex() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["--html", "r.html", "--csv", "r.csv", "--latex", "r.tex"];
    let output = toalign(folder.path(), &[&["report", RECORDS][..], &files].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("320 finished runs on mini: 12 tasks, 8 methods, 5 seeds\n"), "{text}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("r.csv").lines().count(), 321);
    assert!(read("r.csv").lines().nth(1).unwrap().starts_with("Ar-Cl,dannp,1,"));
    assert_eq!(read("r.tex").matches(" \\\\\n").count(), 1 + 8);
    let html = read("r.html");
    assert!(html.trim_end().ends_with("</html>"));
    for link in ["http://", "https://", "<script", "<link", "url("] {
        assert!(!html.contains(link), "{link}");
    }
}

#[test]
fn the_six_methods_of_the_main_job_fit_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let six = |method: &str| !method.ends_with("+once");
    for task in fs::read_dir(RECORDS).unwrap().map(Result::unwrap) {
        for method in fs::read_dir(task.path()).unwrap().map(Result::unwrap) {
            let to = folder.path().join("mini").join(task.file_name()).join(method.file_name());
            fs::create_dir_all(&to).unwrap();
            for run in fs::read_dir(method.path()).unwrap().map(Result::unwrap) {
                if six(method.file_name().to_str().unwrap()) {
                    fs::copy(run.path(), to.join(run.file_name())).unwrap();
                }
            }
        }
    }
    let text = String::from_utf8(toalign(folder.path(), &["report", "mini"]).stdout).unwrap();
    assert!(text.starts_with("240 finished runs on mini: 12 tasks, 6 methods, 5 seeds\n"), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest}: {text}");
}

#[test]
fn a_folder_that_cannot_be_reported_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |arguments: &[&str]| complaint(folder.path(), &[&["report"], arguments].concat());
    assert!(message(&["absent"]).contains("cannot read absent: No such file"));
    let empty = message(&["."]);
    assert!(empty.contains(".: expected runs, as <data>/<task>/<method>/<seed>/metrics.jsonl, found none"));
    assert!(empty.contains("what to do: "), "{empty}");
    let run = Path::new("mini/Cl-Rw/hda/1");
    fs::create_dir_all(folder.path().join(run)).unwrap();
    fs::write(folder.path().join(run).join("metrics.jsonl"), "{\"kind\":\"sta").unwrap();
    let half = message(&["."]);
    assert!(
        half.contains("expected at least one finished run, found 1 unfinished: Cl-Rw hda seed 1"),
        "{half}"
    );
    fs::write(folder.path().join("bench.jsonl"), "{}\n").unwrap();
    let bench = message(&[RECORDS, "--bench", "bench.jsonl"]);
    assert!(bench.contains("bench.jsonl:1: expected a line of `toalign bench --json`"), "{bench}");
    let unwritable = message(&[RECORDS, "--csv", "no/such/folder.csv"]);
    assert!(unwritable.contains("cannot write no/such/folder.csv"), "{unwritable}");
}
