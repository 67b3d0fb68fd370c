//! Tests of `report/text.rs`.

use super::made_up::{run, study};
use toalign::report::cost::BenchLine;
use toalign::report::selection::Choice;
use toalign::report::text::*;
use toalign::runs::find::FoundRuns;

#[test]
fn everything_is_said_within_the_width() {
    let mut study = study();
    for method in ["source-only", "target-bn-only", "dannp", "dannp+toalign"] {
        study.runs.extend((1..=3).map(|seed| run("Ar-Cl", method, seed, 50.0 - seed as f64)));
    }
    let found = FoundRuns {
        data: "mini".into(),
        study,
        show_published: true,
        unfinished: vec!["Cl-Rw hda seed 4: 200 of 500 steps".into()],
        remarks: Vec::new(),
    };
    let text = text(&found, &[], Choice::Last).unwrap();
    assert!(text.starts_with("24 finished runs on mini: 2 tasks, 6 methods, 3 seeds\n"), "{text}");
    for said in [
        "not finished, left out:\n  Cl-Rw hda seed 4: 200 of 500 steps",
        "HDA+ToAlign − HDA by task, last:",
        "NOT comparable",
        "69.33 in slides-reproduced-batch15",
        "VisDA-2017",
        "--bench",
        "chosen by target labels",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest}: {text}");
}

#[test]
fn measured_memory_takes_the_place_of_the_advice() {
    let line = BenchLine {
        method: "hda".into(),
        backbone: "small".into(),
        batch: 8,
        image: 40,
        device: "cpu".into(),
        seconds_per_step: 0.1,
        peak_mb: Some(120.0),
        device_peak_mb: None,
    };
    let found = FoundRuns { data: "mini".into(), study: study(), ..FoundRuns::default() };
    let text = text(&found, &[line], Choice::Last).unwrap();
    assert!(text.contains("small, 8+8, 40², cpu") && !text.contains("--bench"), "{text}");
}
