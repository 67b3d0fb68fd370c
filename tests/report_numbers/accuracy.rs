//! Tests of `report/accuracy.rs`.

use super::made_up::{run, run_of_tests, study};
use toalign::report::accuracy::*;
use toalign::report::published::published;
use toalign::report::selection::Choice;
use toalign::runs::study::Study;

#[test]
fn means_and_deviations_are_over_seeds() {
    let expected = "\
task          HDA  HDA+ToAlign
-----  ----------  -----------
Ar-Cl  54.0 ± 2.0   56.0 ± 3.0
Cl-Rw  64.0 ± 2.0   68.0 ± 3.0
mean   59.0 ± 2.0   62.0 ± 3.0
";
    assert_eq!(accuracy_table(&study(), Choice::Last).to_string(), expected);
}

#[test]
fn a_seed_without_all_tasks_is_not_in_the_mean_and_what_is_missing_is_a_dash() {
    let mut study = study();
    study.runs.retain(|run| (run.task.as_str(), run.method.as_str(), run.seed) != ("Cl-Rw", "hda", 3));
    study.runs.push(run("Cl-Rw", "source-only", 1, f64::NAN));
    study.runs.push(run("Ar-Cl", "source-only", 1, 40.0));
    let table = accuracy_table(&study, Choice::Last);
    assert_eq!(table.rows()[0][1..], ["40.0", "54.0 ± 2.0", "56.0 ± 3.0"]);
    assert_eq!(table.rows()[1][1..], ["–", "63.0 ± 1.4", "68.0 ± 3.0"]);
    assert_eq!(table.rows()[2][1..], ["–", "58.0 ± 1.4", "62.0 ± 3.0"]);
    assert_eq!(methods(&study), ["source-only", "hda", "hda+toalign"]);
}

#[test]
fn what_a_rule_loses_against_the_oracle_is_told() {
    let study = Study { runs: vec![run_of_tests(&[(60.0, 0.5, 2.0), (70.0, 0.4, 2.5), (65.0, 0.3, 2.1)])] };
    let expected = ["HDA", "65.0 (-5.0)", "70.0", "65.0 (-5.0)", "70.0 (+0.0)"];
    assert_eq!(choice_table(&study).rows(), [expected]);
    assert_eq!(choice_table(&super::made_up::study()).rows()[0][3..], ["–", "–"]);
}

#[test]
fn ours_stand_beside_the_published_with_a_warning() {
    let table = beside_published(&study(), &published().unwrap());
    assert_eq!(table.rows().len(), 4);
    assert_eq!(table.rows()[1], ["HDA+ToAlign", "62.0 ± 3.0", "62.0 ± 3.0", "71.85", "slides-paper-column"]);
    assert_eq!(table.rows()[3], ["", "", "", "72.0", "literature"]);
    assert!(data_note("mini").contains("NOT comparable"));
    assert!(data_note("office_home").contains("only if the data 'office_home' are"));
    assert_eq!((signed(-0.01), signed(1.25)), ("+0.0".into(), "+1.2".into()));
}
