//! The charts of runs, of one task and of many.

use std::collections::BTreeSet;

use super::accuracy::{means_by_seed, methods, on_task, scores};
use super::classes::{ClassGain, ConfusionMatrix, extremes, spaced};
use super::one_task::standing;
use super::selection::Choice;
use crate::draw::HeatMap;
use crate::draw::style::{Colour, display_name, method_colour};
use crate::draw::{Bar, Bars, Chart, GroupedBars, Size};
use crate::method::measures::is_measure;
use crate::method::table::baseline_of;
use crate::report::statistics::{deviation, mean};
use crate::runs::study::{Study, StudyRun};
use crate::train::record::Record;

/// Most classes that a heat map has room for.
pub const CLASSES: usize = 12;

/// A gain and a loss; apart for every eye, and told by the side as well.
const GAIN: Colour = [0x1F, 0x6F, 0xB4];
const LOSS: Colour = [0xC2, 0x4A, 0x2C];

/// A method beside its baseline on every task and in the mean, with the sample standard deviation over seeds, as in the
/// figures of the paper and the slides.
pub fn accuracy_bars(study: &Study, method: &str, baseline: &str, choice: Choice) -> GroupedBars {
    let tasks = study.tasks();
    let groups = tasks.iter().copied().chain((tasks.len() > 1).then_some("mean"));
    let title = format!("{} and {}, accuracy {choice}", display_name(baseline), display_name(method));
    let mut bars = GroupedBars::new(&title, "target accuracy (%)", groups);
    for name in [baseline, method] {
        let scores = scores(study, name, choice);
        let of = |values: Vec<f64>| (mean(&values).unwrap_or(f64::NAN), deviation(&values));
        let values: Vec<_> = tasks.iter().map(|task| of(on_task(&scores, task))).collect();
        bars = bars.series(name, values.into_iter().chain([of(means_by_seed(&scores, &tasks))]));
    }
    bars
}

/// Last and best (oracle) accuracy of every run, each under its method's name: for studies of one run of each method.
pub fn method_bars(study: &Study, size: Size) -> Bars {
    let bar = |run: &StudyRun| {
        let found = standing(run);
        Bar {
            label: display_name(&run.method),
            colour: method_colour(&run.method),
            value: found.last_target_accuracy,
            diamond: Some(found.best_target_accuracy),
            ..Bar::default()
        }
    };
    Bars {
        decimals: 1,
        size,
        bars: study.runs.iter().map(bar).collect(),
        ..Bars::new("Target accuracy of each method", "target accuracy (%)")
    }
}

/// Target accuracy while training of every run on one task, in the colours of their methods.
pub fn learning_curves(study: &Study, task: &str) -> Chart {
    let chart = Chart::new(task, "training steps", "target accuracy (%)").narrow();
    let runs = methods(study).into_iter().flat_map(|method| study.of(task, method));
    runs.fold(chart, |chart, run| {
        let target = |record: &Record| record.accuracies().map(|(step, [_, target])| (step, target));
        chart.run(&run.method, run.points(target))
    })
}

/// The loss or measure called `name` while training, one curve for every run that has it.
pub fn loss_curves(study: &Study, name: &str) -> Chart {
    let kind = if is_measure(name) { "Measure" } else { "Loss" };
    let title = format!("{kind}: {}", name.replace('_', " "));
    let values = format!("{} (mean since last point)", kind.to_lowercase());
    let mut chart = Chart::new(&title, "training steps", &values).narrow().from_zero();
    chart.x_range = Some((0.0, study.planned_steps() as f64));
    let curves = study.runs.iter().map(|run| (&run.method, run.points(|record| record.loss(name))));
    curves
        .filter(|(_, points)| !points.is_empty())
        .fold(chart, |chart, (method, points)| chart.run(method, points))
}

/// The names of all losses in the records: `total` first, then by alphabet.
pub fn loss_names(study: &Study) -> Vec<String> {
    let names: BTreeSet<&String> = study
        .runs
        .iter()
        .flat_map(|run| &run.records)
        .filter_map(|record| match record {
            Record::Train { losses, .. } => Some(losses.keys()),
            _ => None,
        })
        .flatten()
        .collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_by_key(|name| (is_measure(name), name != "total"));
    names
}

/// The confusion matrix in percent of each true class; of more than [`CLASSES`] classes only those with the most errors.
pub fn confusion_map(matrix: &ConfusionMatrix, title: &str) -> HeatMap {
    let shown = matrix.worst(CLASSES);
    // Shares of all pictures of a class, also of those that were taken for a class that is not shown.
    let place = |class: &String| matrix.classes.iter().position(|known| known == class);
    let places: Vec<usize> = shown.classes.iter().filter_map(place).collect();
    let percent = matrix.percent();
    let values = places.iter().map(|&row| places.iter().map(|&column| percent[row][column]).collect());
    let names: Vec<String> = shown.classes.iter().map(|class| spaced(class)).collect();
    HeatMap::new(title, values.collect())
        .rows("true class", names.clone())
        .columns("taken for", names)
        .decimals(0)
}

/// The classes that gain and that lose most, in percentage points of their pictures.
pub fn class_gain_bars(gains: &[ClassGain], method: &str) -> Bars {
    let baseline = baseline_of(method).unwrap_or("its baseline");
    let mut bars = Bars::new(
        &format!("{} against {}", display_name(method), display_name(baseline)),
        "gain on the class (percentage points)",
    );
    bars.size = Size::Narrow;
    bars.bars = extremes(gains, CLASSES / 2)
        .into_iter()
        .map(|gain| Bar {
            label: spaced(&gain.class),
            colour: if gain.points() < 0.0 { LOSS } else { GAIN },
            value: gain.points(),
            ..Bar::default()
        })
        .collect();
    bars
}
