//! Learning curves from the records of runs.

use std::collections::BTreeSet;

use crate::draw::Size;
use crate::draw::style::{display_name, method_colour, method_marker};
use crate::draw::{Chart, Curve};
use crate::error::Result;
use crate::train::record::Record;

/// A method's name and what its run wrote down.
pub type Run<'a> = (&'a str, &'a [Record]);

/// Target accuracy over training steps, one curve per method, as SVG.
///
/// # Errors
/// If the drawing library fails.
pub fn accuracy_curves(runs: &[Run], size: Size) -> Result<String> {
    let chart = Chart {
        title: "Target accuracy while training".into(),
        x_title: "training steps".into(),
        y_title: "target accuracy (%)".into(),
        from_zero: false,
        x_range: Some((0.0, planned_steps(runs))),
        legend_is_elsewhere: false,
        size,
        curves: curves(runs, |record| record.accuracies().map(|(step, [_, target])| (step, target))),
    };
    chart.to_svg()
}

/// The loss called `name` over training steps, one curve for every method that has it, as SVG.
///
/// # Errors
/// If the drawing library fails.
pub fn loss_curves(runs: &[Run], name: &str, size: Size) -> Result<String> {
    let chart = Chart {
        title: format!("Loss: {}", name.replace('_', " ")),
        x_title: "training steps".into(),
        y_title: "loss (mean since last point)".into(),
        from_zero: true,
        x_range: Some((0.0, planned_steps(runs))),
        legend_is_elsewhere: false,
        size,
        curves: curves(runs, |record| record.loss(name)),
    };
    chart.to_svg()
}

/// The names of all losses in the records: `total` first, then by alphabet.
pub fn loss_names(runs: &[Run]) -> Vec<String> {
    let names: BTreeSet<&String> = runs
        .iter()
        .flat_map(|(_, records)| *records)
        .filter_map(|record| match record {
            Record::Train { losses, .. } => Some(losses.keys()),
            _ => None,
        })
        .flatten()
        .collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_by_key(|name| name != "total");
    names
}

/// The length of the longest run, so that the axis of a chart that is drawn while training does not jump.
fn planned_steps(runs: &[Run]) -> f64 {
    let records = runs.iter().flat_map(|(_, records)| *records);
    let steps = records.map(|record| match record {
        Record::Start { steps, .. } => *steps,
        other => other.step(),
    });
    steps.max().unwrap_or(0) as f64
}

fn curves(runs: &[Run], point_of: impl Fn(&Record) -> Option<(usize, f64)>) -> Vec<Curve> {
    runs.iter()
        .map(|(method, records)| Curve {
            label: display_name(method).to_owned(),
            colour: method_colour(method),
            marker: method_marker(method),
            points: points_in_order(records, &point_of),
        })
        .filter(|curve| !curve.points.is_empty())
        .collect()
}

/// A run that was resumed may have repeated some steps: the later record counts.
fn points_in_order(
    records: &[Record],
    point_of: impl Fn(&Record) -> Option<(usize, f64)>,
) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (step, value) in records.iter().filter_map(point_of) {
        let step = step as f64;
        while points.last().is_some_and(|(last, _)| *last >= step) {
            points.pop();
        }
        points.push((step, value));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_at(step: usize, target_accuracy: f64) -> Record {
        Record::Test {
            step,
            source_accuracy: 100.0,
            target_accuracy,
            best_target_accuracy: target_accuracy,
            label_free: None,
            seconds: 1.0,
        }
    }

    fn losses_at(step: usize, names: &[&str]) -> Record {
        Record::Train {
            step,
            learning_rate: 0.1,
            coefficient: 0.0,
            losses: names.iter().map(|name| (name.to_string(), 1.0)).collect(),
            seconds_per_step: 0.1,
        }
    }

    #[test]
    fn a_resumed_run_counts_its_repeated_steps_once() {
        let records = [test_at(10, 1.0), test_at(20, 2.0), test_at(30, 3.0), test_at(20, 4.0)];
        let target = |record: &Record| match record {
            Record::Test { step, target_accuracy, .. } => Some((*step, *target_accuracy)),
            _ => None,
        };
        assert_eq!(points_in_order(&records, target), [(10.0, 1.0), (20.0, 4.0)]);
    }

    #[test]
    fn a_method_without_the_loss_is_not_in_its_legend() {
        let plain = [losses_at(10, &["total", "classification"])];
        let aligned = [losses_at(10, &["alignment", "classification", "total"])];
        let runs: [Run; 2] = [("source-only", &plain), ("dannp", &aligned)];
        assert_eq!(loss_names(&runs), ["total", "alignment", "classification"]);
        let svg = loss_curves(&runs, "alignment", Size::Wide).unwrap();
        assert!(svg.contains("DANNP") && !svg.contains("Source only"));
        let svg = loss_curves(&runs, "total", Size::Wide).unwrap();
        assert!(svg.contains("DANNP") && svg.contains("Source only"));
    }

    #[test]
    fn accuracy_curves_have_their_method_s_colour() {
        let records = [test_at(10, 50.0), test_at(20, 60.0)];
        let svg = accuracy_curves(&[("dannp", &records)], Size::Narrow).unwrap();
        assert!(svg.contains("#E69F00"), "{svg}");
        assert!(svg.contains("target accuracy (%)"), "{svg}");
    }
}
