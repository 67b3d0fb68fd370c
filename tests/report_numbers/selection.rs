//! Tests of `report/selection.rs`.

use super::made_up::{run, run_of_tests};
use toalign::report::selection::*;

#[test]
fn each_rule_chooses_its_test() {
    let run = run_of_tests(&[(60.0, 0.5, 2.0), (70.0, 0.4, 2.5), (65.0, 0.3, 2.1)]);
    let step = |choice| choose(&run, choice).map(|chosen| (chosen.step, chosen.accuracy));
    assert_eq!(step(Choice::Last), Some((500, 65.0)));
    assert_eq!(step(Choice::Best), Some((200, 70.0)));
    assert_eq!(step(Choice::Entropy), Some((300, 65.0)));
    assert_eq!(step(Choice::Density), Some((200, 70.0)));
    let names = Choice::ALL.map(|choice| choice.to_string());
    assert_eq!(names, ["last", "best (oracle)", "by entropy", "by SND"]);
}

#[test]
fn of_equals_the_first_counts_and_what_is_no_number_never() {
    let nan = f64::NAN;
    let run = run_of_tests(&[(50.0, nan, nan), (70.0, 0.4, 2.0), (70.0, 0.4, 2.0), (nan, 0.5, 1.0)]);
    let step = |choice| choose(&run, choice).map(|chosen| chosen.step);
    assert_eq!(step(Choice::Best), Some(200));
    assert_eq!(step(Choice::Entropy), Some(200));
    assert_eq!(step(Choice::Density), Some(200));
    assert_eq!(step(Choice::Last), None);
}

#[test]
fn old_records_have_no_choice_without_labels_and_unfinished_runs_none_at_all() {
    let mut run = run("Cl-Rw", "hda", 1, 60.0);
    assert_eq!(choose(&run, Choice::Best).unwrap().accuracy, 60.0);
    assert_eq!(choose(&run, Choice::Entropy), None);
    run.records.clear();
    assert_eq!(Choice::ALL.map(|choice| choose(&run, choice)), [None; 4]);
}
