//! Small studies with made-up numbers, for tests.

use toalign::runs::study::{Study, StudyRun};
use toalign::train::label_free::LabelFree;
use toalign::train::record::{Finish, Record};

/// A finished run that wrote down nothing but its end.
pub fn run(task: &str, method: &str, seed: u64, last: f64) -> StudyRun {
    let finish = Record::Finish(Finish {
        step: 500,
        last_target_accuracy: last,
        best_target_accuracy: last,
        best_step: 400,
        seconds_per_step: if method.contains('+') { 0.3 } else { 0.2 },
    });
    StudyRun { task: task.into(), method: method.into(), seed, records: vec![finish] }
}

/// A finished run with tests at steps 100, 200, …: accuracy, entropy and density of each.
pub fn run_of_tests(tests: &[(f64, f64, f64)]) -> StudyRun {
    let mut run = run("Cl-Rw", "hda", 1, tests.last().map_or(f64::NAN, |(accuracy, _, _)| *accuracy));
    let tests = tests.iter().enumerate().map(|(place, &(accuracy, entropy, density))| Record::Test {
        step: 100 * (place + 1),
        source_accuracy: 99.0,
        target_accuracy: accuracy,
        best_target_accuracy: accuracy,
        label_free: Some(LabelFree { entropy, density }),
        seconds: 0.1,
    });
    run.records.splice(0..0, tests);
    run
}

/// Two methods on two tasks with three seeds. The gains of ToAlign are 1, 2, 3 on the first task and 3, 4, 5 on the second.
pub fn study() -> Study {
    let mut runs = Vec::new();
    for (task, level) in [("Ar-Cl", 50.0), ("Cl-Rw", 60.0)] {
        for seed in 1..=3 {
            let base = level + 2.0 * seed as f64;
            let gain = seed as f64 + if task == "Cl-Rw" { 2.0 } else { 0.0 };
            runs.push(run(task, "hda", seed, base));
            runs.push(run(task, "hda+toalign", seed, base + gain));
        }
    }
    Study { runs }
}
