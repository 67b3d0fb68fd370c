//! Tests of `report/gains.rs`.

use super::made_up::{run, study};
use toalign::report::gains::*;
use toalign::report::selection::Choice;

#[test]
fn each_unit_has_its_own_interval() {
    let study = study();
    let of = |unit| gain(&study, "hda+toalign", "hda", Choice::Last, unit).unwrap();
    // By seed 2, 3, 4; by task 2, 4.
    let (low, high) = of(Unit::Seed).interval.unwrap();
    assert!((low - (3.0 - 4.302653 / 3f64.sqrt())).abs() < 1e-5 && (high + low - 6.0).abs() < 1e-9);
    let (low, _) = of(Unit::Task).interval.unwrap();
    assert!((low - (3.0 - 12.706205)).abs() < 1e-4, "{low}");
    assert_eq!([Unit::Seed, Unit::Task].map(|unit| of(unit).pairs), [3, 2]);
    let table = gains_table(&study, Choice::Last);
    let row = &table.rows()[0];
    assert_eq!(row[..], ["HDA+ToAlign − HDA", "+3.0", "+0.5 to +5.5", "-9.7 to +15.7", "6 of 6", "better"]);
}

#[test]
fn tasks_are_corrected_for_their_number() {
    let table = gains_by_task(&study(), "hda+toalign", "hda", Choice::Last);
    assert_eq!(
        table.rows()[0][..],
        ["Ar-Cl", "+2.0", "-0.5 to +4.5", "3", "0.074", "0.074", "not told apart"]
    );
    // 0.0202 alone, twice that for two tasks.
    assert_eq!(table.rows()[1][..], ["Cl-Rw", "+4.0", "+1.5 to +6.5", "3", "0.020", "0.040", "better"]);
}

#[test]
fn only_pairs_count_and_one_seed_has_no_interval() {
    let mut study = study();
    study.runs.retain(|run| run.seed == 1 || run.method == "hda");
    study.runs.push(run("Ar-Cl", "dannp", 1, 50.0));
    let found = gain(&study, "hda+toalign", "hda", Choice::Last, Unit::Seed).unwrap();
    assert_eq!((found.pairs, found.mean, found.interval), (1, 2.0, None));
    let table = gains_table(&study, Choice::Last);
    let row = &table.rows()[0];
    assert_eq!(
        (row[2].as_str(), row[4].as_str(), row[5].as_str()),
        ("none: only one", "2 of 2", "cannot be told")
    );
    let by_task = gains_by_task(&study, "hda", "dannp", Choice::Last);
    assert_eq!(by_task.rows()[0][1..4], ["+2.0", "none: only one", "1"]);
    assert_eq!(by_task.rows()[1][1..], ["–", "–", "0", "", "", "no pairs"]);
    // source-only is absent, so the baselines are alone.
    assert_eq!(comparisons(&study), [("hda+toalign", "hda")]);
    study.runs.retain(|run| run.seed == 1);
    assert!(gains_notes(&study)[1].contains("with one seed there is none"));
}

#[test]
fn what_batch_norm_may_have_done_is_named_until_it_is_told_apart() {
    let mut study = study();
    let of_batch_norm = |study: &toalign::runs::study::Study| {
        let notes = gains_notes(study);
        notes
            .iter()
            .filter(|note| note.contains("counts each source batch twice"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let notes = of_batch_norm(&study);
    assert!(notes[0].ends_with("not in this study: hda+toalign+once."), "{notes:?}");
    study.runs.push(run("Ar-Cl", "hda+toalign+once", 1, 50.0));
    assert_eq!(of_batch_norm(&study), [""; 0]);
    assert!(comparisons(&study).contains(&("hda+toalign+once", "hda")), "its own row");
}
