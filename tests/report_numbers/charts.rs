//! Tests of `report/charts.rs`.

use super::made_up::{run, run_of_tests, study};
use toalign::report::charts::*;
use toalign::report::classes::{ClassGain, ConfusionMatrix};
use toalign::report::selection::Choice;
use toalign::runs::study::Study;
use toalign::train::record::Record;

#[test]
fn bars_have_the_means_of_tasks_and_of_all() {
    let bars = accuracy_bars(&study(), "hda+toalign", "hda", Choice::Last);
    assert_eq!(bars.groups, ["Ar-Cl", "Cl-Rw", "mean"]);
    assert_eq!(bars.series[0].values, [(54.0, Some(2.0)), (64.0, Some(2.0)), (59.0, Some(2.0))]);
    assert_eq!(bars.series[1].values, [(56.0, Some(3.0)), (68.0, Some(3.0)), (62.0, Some(3.0))]);
    assert!(bars.to_svg().unwrap().contains("HDA and HDA+ToAlign, accuracy last"));
}

#[test]
fn every_run_has_its_curve_and_every_method_one_entry() {
    let mut study = Study { runs: vec![run_of_tests(&[(60.0, 0.5, 2.0), (70.0, 0.4, 2.5)])] };
    study.runs.push(study.runs[0].clone());
    let chart = learning_curves(&study, "Cl-Rw");
    assert_eq!(chart.curves.len(), 2);
    assert_eq!(chart.curves[1].points, [(100.0, 60.0), (200.0, 70.0)]);
    let svg = chart.to_svg().unwrap();
    assert_eq!(svg.matches("\nHDA\n").count(), 1, "{svg}");
}

#[test]
fn a_resumed_run_counts_its_repeated_steps_once() {
    let mut run = run_of_tests(&[(1.0, 0.5, 2.0), (2.0, 0.5, 2.0), (3.0, 0.5, 2.0)]);
    let again = run_of_tests(&[(0.0, 0.5, 2.0), (4.0, 0.5, 2.0)]).records[1].clone();
    run.records.push(again);
    let chart = learning_curves(&Study { runs: vec![run] }, "Cl-Rw");
    assert_eq!(chart.curves[0].points, [(100.0, 1.0), (200.0, 4.0)]);
}

#[test]
fn a_method_without_the_loss_is_not_in_its_legend() {
    let with = |method: &str, names: &[&str]| {
        let mut run = run("Cl-Rw", method, 1, 50.0);
        run.records.push(Record::Train {
            step: 10,
            learning_rate: 0.1,
            coefficient: 0.0,
            losses: names.iter().map(|name| (name.to_string(), 1.0)).collect(),
            seconds_per_step: 0.1,
        });
        run
    };
    let plain = with("source-only", &["total", "classification"]);
    let aligned = with("dannp", &["alignment", "classification", "total"]);
    let study = Study { runs: vec![plain, aligned] };
    assert_eq!(loss_names(&study), ["total", "alignment", "classification"]);
    let svg = loss_curves(&study, "alignment").to_svg().unwrap();
    assert!(svg.contains("DANNP") && !svg.contains("Source only"));
    let svg = loss_curves(&study, "total").to_svg().unwrap();
    assert!(svg.contains("DANNP") && svg.contains("Source only") && svg.contains("#E69F00"), "{svg}");
}

#[test]
fn many_classes_are_cut_to_the_worst() {
    let classes: Vec<String> = (0..30).map(|class| format!("Class_{class}")).collect();
    let counts =
        (0..30).map(|row| (0..30).map(|column| usize::from(row == column) * (10 + row) + 1).collect());
    let matrix = ConfusionMatrix { classes, counts: counts.collect(), runs: 1 };
    let svg = confusion_map(&matrix, "m").to_svg().unwrap();
    assert!(svg.contains("Class 0") && !svg.contains("Class 29"));
    // 11 of 40 pictures: the share is that of all pictures, not of those in the map.
    assert!(svg.contains("\n28\n"), "{svg}");
}

#[test]
fn a_gain_and_a_loss_have_their_colours() {
    let gain = |class: &str, after| ClassGain { class: class.into(), pictures: 10, before: 5, after };
    let bars = class_gain_bars(&[gain("Bike", 7), gain("Alarm_Clock", 2)], "hda+toalign");
    assert_eq!((bars.bars[0].value, bars.bars[0].colour), (20.0, [0x1F, 0x6F, 0xB4]));
    assert_eq!((bars.bars[1].value, bars.bars[1].label.as_str()), (-30.0, "Alarm Clock"));
    assert_eq!(bars.bars[1].colour, [0xC2, 0x4A, 0x2C]);
}
