//! The page from made-up records. With `TOALIGN_LOOK=FILE` the page is also left there, to be looked at.

use std::path::Path;

use image::{Rgb, RgbImage};
use toalign::explain::overlay::overlay;
use toalign::files::write_atomically;
use toalign::report::one_task::{Explanation, OneTask, Panel, SampleStrip};
use toalign::report::page::Page;
use toalign::report::selection::Choice;
use toalign::runs::find::FoundRuns;
use toalign::runs::study::{Study, StudyRun};
use toalign::train::record::{Finish, Record};

/// A finished run that wrote down nothing but its end.
fn run(task: &str, method: &str, seed: u64, last: f64) -> StudyRun {
    let finish = Finish {
        step: 500,
        last_target_accuracy: last,
        best_target_accuracy: last,
        best_step: 400,
        seconds_per_step: 0.2,
    };
    StudyRun { task: task.into(), method: method.into(), seed, records: vec![Record::Finish(finish)] }
}

fn picture(seed: u8) -> RgbImage {
    RgbImage::from_fn(40, 40, |x, y| {
        let (dx, dy) = (x as i32 - 20, y as i32 - 20);
        if dx * dx + dy * dy < 150 {
            Rgb([220, seed.wrapping_mul(37), 60])
        } else {
            Rgb([200, 210, seed.wrapping_mul(61)])
        }
    })
}

fn records(level: f64, losses: &[&str]) -> Vec<Record> {
    let mut records = Vec::new();
    for step in (20..=300).step_by(20) {
        let progress = step as f64 / 300.0;
        records.push(Record::Train {
            step,
            learning_rate: 0.01,
            coefficient: progress,
            losses: losses
                .iter()
                .enumerate()
                .map(|(i, name)| (name.to_string(), (3.0 - i as f64 * 0.7) * (-2.0 * progress).exp()))
                .collect(),
            seconds_per_step: 0.1,
        });
        let target_accuracy = level - 30.0 * (-5.0 * progress).exp() + (step % 7) as f64 * 0.3;
        records.push(Record::Test {
            step,
            source_accuracy: 99.0,
            target_accuracy,
            best_target_accuracy: target_accuracy,
            label_free: None,
            seconds: 0.5,
        });
    }
    records
}

fn one_task() -> OneTask {
    let names = [
        ("source-only", 57.5),
        ("target-bn-only", 60.1),
        ("dannp", 71.6),
        ("dannp+toalign", 71.8),
        ("hda", 72.8),
        ("hda+toalign", 72.6),
    ];
    let runs = names
        .map(|(name, last)| {
            let losses: &[&str] = match name {
                "source-only" | "target-bn-only" => &["total", "classification"],
                name if name.starts_with("hda") => &["total", "classification", "alignment", "heuristic"],
                _ => &["total", "classification", "alignment"],
            };
            let mut run = run("Cl-Rw", name, 1, last);
            run.records.splice(0..0, records(last, losses));
            run
        })
        .to_vec();
    let classes = ["Alarm Clock", "Bike", "Calculator", "Desk Lamp", "Eraser", "Fan", "<b>Glasses</b>"];
    let pictures = |shift: u8| {
        classes.iter().enumerate().map(|(i, class)| (picture(i as u8 + shift), class.to_string())).collect()
    };
    let heat = |index: usize| -> Vec<f32> {
        (0..25).map(|i| 1.0 / (1.0 + (i as f32 - index as f32).abs())).collect()
    };
    let explanations = (0..4)
        .map(|i| Explanation {
            picture: picture(i),
            true_class: classes[usize::from(i)].into(),
            chance: Some(0.331),
            panels: ["source-only", "dannp", "dannp+toalign", "hda+toalign"]
                .map(|method| Panel {
                    method: method.into(),
                    predicted_class: classes[usize::from(i) + usize::from(method == "source-only")].into(),
                    probability: 0.873,
                    correct: method != "source-only",
                    overlay: (i != 2 || method != "dannp")
                        .then(|| overlay(&picture(i), &heat(12 + method.len() % 5), 5, 5, 4).unwrap()),
                    energy_in_mask: (i != 2 || method != "dannp").then_some(0.414),
                })
                .to_vec(),
        })
        .collect();
    OneTask {
        title: "Made-up numbers & nothing else".into(),
        summary: vec![
            "A page from a test: every number on it is invented, and it must not be quoted.".into(),
        ],
        task: "Clipart → Real World of Mini Office-Home".into(),
        domains: vec![
            SampleStrip { caption: "Clipart (source)".into(), pictures: pictures(0) },
            SampleStrip { caption: "Real World (target)".into(), pictures: pictures(9) },
        ],
        study: Study { runs },
        explanations,
        settings: vec![("seed".into(), "1".into()), ("out".into(), "runs/<script>alert(1)</script>".into())],
        command: "toalign --seed 1 --out \"a & b\"".into(),
        seconds: 312.4,
    }
}

fn html(found: &OneTask) -> String {
    Page::of_one_task(found).unwrap().html().unwrap()
}

#[test]
fn the_page_holds_everything_and_links_to_nothing() {
    let html = html(&one_task());
    if let Some(path) = std::env::var_os("TOALIGN_LOOK") {
        write_atomically(Path::new(&path), html.as_bytes()).unwrap();
    }
    // Charts: bars and accuracy in two widths, four losses.
    assert_eq!(html.matches("data:image/svg+xml;base64,").count(), 2 * 2 + 4);
    // Pictures: 2 × 7 samples, 4 × (1 + 4) explanations less one without evidence, one colour scale.
    assert_eq!(html.matches("data:image/png;base64,").count(), 14 + 19 + 1);
    assert_eq!(html.matches("no positive evidence for this class").count(), 1);
    assert!(html.contains("chance 33\u{a0}%") && html.contains("41\u{a0}% on the object"));
    assert!(html.contains("chosen by target labels"));
    assert!(html.contains("5 min 12 s"));
    for link in ["http://", "https://", "<script", "<link", "url("] {
        assert!(!html.contains(link), "{link}");
    }
}

#[test]
fn words_from_outside_are_escaped() {
    let html = html(&one_task());
    assert!(html.contains("&#60;script&#62;alert(1)"));
    assert!(html.contains("&#60;b&#62;Glasses"));
    assert!(!html.contains("<b>Glasses"));
    assert!(html.contains("Made-up numbers &#38; nothing else"));
}

#[test]
fn an_empty_job_is_a_page_without_empty_sections() {
    let html = html(&OneTask::default());
    assert!(html.contains("How this was made"));
    for absent in ["Learning curves", "The pictures", "Where the networks look", "data:image/svg"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn the_file_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let page = Page::of_one_task(&one_task()).unwrap();
    page.write(&path).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    let full = page.write(Path::new("/dev/full")).unwrap_err();
    assert!(full.to_string().starts_with("cannot write /dev/full"), "{full}");
}

fn found() -> FoundRuns {
    let mut study = Study::default();
    for (task, method, seed) in ["Ar-Cl", "Cl-Rw"].into_iter().flat_map(|task| {
        let seeds = move |method| (1..=3).map(move |seed| (task, method, seed));
        ["hda", "hda+toalign"].into_iter().flat_map(seeds)
    }) {
        study.runs.push(run(task, method, seed, 50.0 + seed as f64));
    }
    for run in &mut study.runs {
        let classes = vec!["<i>Bike</i>".to_owned(), "Mug".to_owned()];
        run.records.insert(0, Record::Confusion { step: 9, classes, counts: vec![(0, 0, 5), (1, 0, 3)] });
    }
    study.runs.push(run("Cl-Rw", "hda", 1, 60.0));
    let unfinished = vec!["Cl-Rw hda seed 4: 200 of 500 steps".into()];
    FoundRuns { data: "mini".into(), study, show_published: true, unfinished, remarks: vec!["a < b".into()] }
}

#[test]
fn the_page_of_many_runs_holds_everything() {
    let html = Page::of_runs(&found(), &[], Choice::Last).unwrap().html().unwrap();
    // Bars in two widths, the curves of two tasks, the gains of classes, two confusion matrices.
    assert_eq!(html.matches("data:image/svg+xml;base64,").count(), 2 + 2 + 1 + 2);
    for said in [
        "13 finished runs on mini",
        "Cl-Rw hda seed 4: 200 of 500 steps",
        "a &#60; b",
        "&#60;i&#62;Bike",
        "NOT comparable",
        "69.33 in slides-reproduced-batch15",
        "chosen by target labels",
    ] {
        assert!(html.contains(said), "{said}");
    }
    for absent in ["http://", "https://", "<script", "<link", "url(", "<i>", "How this was made"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn runs_of_one_method_have_no_empty_sections() {
    let study = Study { runs: vec![run("Cl-Rw", "hda", 1, 60.0)] };
    let found = FoundRuns { data: "toys".into(), study, ..FoundRuns::default() };
    let html = Page::of_runs(&found, &[], Choice::Last).unwrap().html().unwrap();
    for absent in ["Gains", "Classes", "Not finished", "Results", "The pictures"] {
        assert!(!html.contains(&format!("<h2>{absent}")), "{absent}");
    }
    assert!(!html.contains("Beside the published numbers"), "{html}");
}
