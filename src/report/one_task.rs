//! Several methods on one task: what the main job found out beside the records of its runs, and its table.

use image::RgbImage;

use super::accuracy::signed;
use super::table::{Align, Table};
use crate::draw::style::display_name;
use crate::method::table::SOURCE_ONLY;
use crate::runs::study::{Study, StudyRun};
use crate::train::record::{Finish, Record};

/// What the columns of [`results_table`] mean.
pub const RESULTS_NOTE: &str = "\
    Accuracies are those on the target domain. \
    last: after the last step. \
    best (oracle): the best of all tests of the run, chosen by target labels, so nobody without these labels could \
    have chosen it. \
    gain: last accuracy minus that of source-only, in percentage points.";

/// Several methods on one task, ready to be shown.
#[derive(Debug, Clone, Default)]
pub struct OneTask {
    /// Headline of the report.
    pub title: String,
    /// What was found, one paragraph each.
    pub summary: Vec<String>,
    /// The task in words, such as "Clipart → Real World of Mini Office-Home".
    pub task: String,
    /// Sample pictures: one strip for each domain.
    pub domains: Vec<SampleStrip>,
    /// One run of each method, in the order of the table.
    pub study: Study,
    /// Heat maps of several methods on the same target pictures.
    pub explanations: Vec<Explanation>,
    /// Settings, as name and value.
    pub settings: Vec<(String, String)>,
    /// The command that makes this report again.
    pub command: String,
    /// How long everything took, in seconds.
    pub seconds: f64,
}

/// Sample pictures of one domain.
#[derive(Debug, Clone, Default)]
pub struct SampleStrip {
    /// Such as "Clipart (source)".
    pub caption: String,
    /// Pictures with their classes.
    pub pictures: Vec<(RgbImage, String)>,
}

/// One target picture and what each method sees in it.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// The picture.
    pub picture: RgbImage,
    /// Its class.
    pub true_class: String,
    /// Chance level of the energy, 0 to 1: the share of the picture that the object covers; `None` without a mask.
    pub chance: Option<f64>,
    /// One panel for each method.
    pub panels: Vec<Panel>,
}

/// What one method sees in a picture.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// The method's name, such as `source-only`.
    pub method: String,
    /// The class it predicts.
    pub predicted_class: String,
    /// The probability it gives that class, 0 to 1.
    pub probability: f64,
    /// Whether the prediction is right.
    pub correct: bool,
    /// The Grad-CAM map of the predicted class over the picture; `None` if there is no positive evidence, which the report then says in words.
    pub overlay: Option<RgbImage>,
    /// The share of the heat on the object, 0 to 1; `None` without a mask or without positive evidence.
    pub energy_in_mask: Option<f64>,
}

/// How a run stands: its end, or the last test of a run that was stopped, in which case nobody knows its seconds.
pub fn standing(run: &StudyRun) -> Finish {
    let test = |record: &Record| match record {
        Record::Test { step, target_accuracy, best_target_accuracy, .. } => Some(Finish {
            step: *step,
            last_target_accuracy: *target_accuracy,
            best_target_accuracy: *best_target_accuracy,
            best_step: *step,
            seconds_per_step: f64::NAN,
        }),
        _ => None,
    };
    let found = run.finish().copied().or_else(|| run.records.iter().rev().find_map(test));
    let nothing = f64::NAN;
    found.unwrap_or(Finish {
        step: 0,
        last_target_accuracy: nothing,
        best_target_accuracy: nothing,
        best_step: 0,
        seconds_per_step: nothing,
    })
}

/// The table of the main job: last, best (oracle), gain over source-only, seconds per step.
///
/// The gain is blank for source-only itself and if there is no such run. Print [`RESULTS_NOTE`] below it.
pub fn results_table(study: &Study) -> Table {
    let baseline = study.runs.iter().find(|run| run.method == SOURCE_ONLY).map(standing);
    let mut table = Table::new([
        ("method", Align::Left),
        ("last %", Align::Right),
        ("best % (oracle)", Align::Right),
        ("gain over source-only", Align::Right),
        ("seconds per step", Align::Right),
    ]);
    for run in &study.runs {
        let found = standing(run);
        let gain = baseline
            .filter(|_| run.method != SOURCE_ONLY)
            .map(|baseline| number(found.last_target_accuracy - baseline.last_target_accuracy, signed));
        table.push([
            display_name(&run.method),
            number(found.last_target_accuracy, |percent| format!("{percent:.1}")),
            number(found.best_target_accuracy, |percent| format!("{percent:.1}")),
            gain.unwrap_or_default(),
            number(found.seconds_per_step, |seconds| format!("{seconds:.3}")),
        ]);
    }
    table
}

fn number(value: f64, format: impl Fn(f64) -> String) -> String {
    if value.is_finite() { format(value) } else { "–".to_owned() }
}
