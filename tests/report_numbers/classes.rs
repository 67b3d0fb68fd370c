//! Tests of `report/classes.rs`.

use super::made_up::run;
use toalign::report::classes::*;
use toalign::runs::study::{Study, StudyRun};
use toalign::train::record::Record;

fn noted(method: &str, seed: u64, counts: &[(u32, u32, usize)]) -> StudyRun {
    let mut run = run("Cl-Rw", method, seed, 50.0);
    let classes = ["Bike", "Mug", "Alarm_Clock"].map(String::from).to_vec();
    run.records.insert(0, Record::Confusion { step: 500, classes, counts: counts.to_vec() });
    run
}

fn study() -> Study {
    Study {
        runs: vec![
            noted("hda", 1, &[(0, 0, 8), (0, 1, 2), (1, 1, 5), (1, 2, 5), (2, 2, 10)]),
            noted("hda", 2, &[(0, 0, 10), (1, 1, 10), (2, 2, 10)]),
            noted("hda+toalign", 1, &[(0, 0, 10), (1, 1, 4), (1, 2, 6), (2, 2, 10), (9, 9, 4)]),
            run("Cl-Rw", "hda+toalign", 2, 50.0),
        ],
    }
}

#[test]
fn confusions_add_up_over_runs() {
    let found = confusion(&study(), "hda").unwrap();
    assert_eq!(found.counts, [[18, 2, 0], [0, 15, 5], [0, 0, 20]]);
    assert_eq!((found.runs, found.percent()[1][2]), (2, 25.0));
    assert_eq!(found.worst(2).classes, ["Bike", "Mug"]);
    assert_eq!(found.worst(2).counts, [[18, 2], [0, 15]]);
    assert_eq!(found.most_confused(1).rows(), [["Mug", "Alarm Clock", "5", "25 %"]]);
    assert_eq!(confusion(&study(), "hda+toalign").unwrap().runs, 1);
    assert_eq!(confusion(&study(), "dannp"), None);
}

#[test]
fn gains_are_of_pairs_only() {
    let gains = class_gains(&study(), "hda+toalign", "hda");
    let found: Vec<(&str, f64, usize)> =
        gains.iter().map(|gain| (gain.class.as_str(), gain.points(), gain.pictures)).collect();
    assert_eq!(found, [("Bike", 20.0, 10), ("Alarm_Clock", 0.0, 10), ("Mug", -10.0, 10)]);
    let table = class_gains_table(&gains, 1);
    assert_eq!(table.rows(), [["Bike", "+20.0", "8", "10", "10"], ["Mug", "-10.0", "5", "4", "10"]]);
    assert_eq!(extremes(&gains, 2).len(), 3);
    assert!(class_gains(&study(), "hda", "dannp").is_empty());
}
