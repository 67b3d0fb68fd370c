//! What the main job found out, ready to be shown.

use image::RgbImage;

use super::table::{Align, Table};
use crate::draw::style::display_name;
use crate::method::table::SOURCE_ONLY;
use crate::train::record::Record;

/// What the columns of [`results_table`] mean.
pub const RESULTS_NOTE: &str = "\
    Accuracies are those on the target domain. \
    last: after the last step. \
    best (oracle): the best of all tests of the run, chosen by target labels, so nobody without these labels could \
    have chosen it. \
    gain: last accuracy minus that of source-only, in percentage points.";

/// Several methods on one task.
#[derive(Debug, Clone, Default)]
pub struct Study {
    /// Headline of the report.
    pub title: String,
    /// What was found, one paragraph each.
    pub summary: Vec<String>,
    /// The task in words, such as "Clipart → Real World of Mini Office-Home".
    pub task: String,
    /// Sample pictures: one strip for each domain.
    pub domains: Vec<SampleStrip>,
    /// The methods, in the order of the table.
    pub methods: Vec<MethodRun>,
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

/// One method's run.
#[derive(Debug, Clone, Default)]
pub struct MethodRun {
    /// The method's name, such as `dannp+toalign`.
    pub name: String,
    /// What the run wrote down.
    pub records: Vec<Record>,
    /// Target accuracy after the last step, in percent.
    pub last: f64,
    /// Best target accuracy of all tests, in percent: an oracle, since it is chosen by target labels.
    pub best: f64,
    /// Median seconds per training step.
    pub seconds_per_step: f64,
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

/// The table of the main job: last, best (oracle), gain over source-only, seconds per step.
///
/// The gain is blank for source-only itself and if there is no such run. Print [`RESULTS_NOTE`] below it.
pub fn results_table(runs: &[MethodRun]) -> Table {
    let baseline = runs.iter().find(|run| run.name == SOURCE_ONLY);
    let mut table = Table::new([
        ("method", Align::Left),
        ("last %", Align::Right),
        ("best % (oracle)", Align::Right),
        ("gain over source-only", Align::Right),
        ("seconds per step", Align::Right),
    ]);
    for run in runs {
        let gain = match baseline {
            Some(baseline) if run.name != SOURCE_ONLY => {
                number(run.last - baseline.last, |gain| format!("{gain:+.1}"))
            }
            _ => String::new(),
        };
        table.push([
            display_name(&run.name).to_owned(),
            number(run.last, |percent| format!("{percent:.1}")),
            number(run.best, |percent| format!("{percent:.1}")),
            gain,
            number(run.seconds_per_step, |seconds| format!("{seconds:.3}")),
        ]);
    }
    table
}

fn number(value: f64, format: impl Fn(f64) -> String) -> String {
    if value.is_finite() {
        // A gain of -0.04 would read "-0.0".
        format(value).replace("-0.0", "+0.0")
    } else {
        "–".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, last: f64, best: f64) -> MethodRun {
        MethodRun { name: name.into(), last, best, seconds_per_step: 0.0625, ..MethodRun::default() }
    }

    #[test]
    fn gains_are_over_source_only() {
        let table = results_table(&[
            run("source-only", 57.5, 58.0),
            run("dannp", 71.64, 72.0),
            run("hda", 57.46, f64::NAN),
        ]);
        let expected = "\
method       last %  best % (oracle)  gain over source-only  seconds per step
-----------  ------  ---------------  ---------------------  ----------------
Source only    57.5             58.0                                    0.062
DANNP          71.6             72.0                  +14.1             0.062
HDA            57.5                –                   +0.0             0.062
";
        assert_eq!(table.to_string(), expected);
        let widest = expected.lines().map(str::len).max().unwrap();
        assert!(widest <= 80, "{widest}");
    }

    #[test]
    fn without_source_only_there_is_no_gain() {
        let table = results_table(&[run("dannp", 71.0, 72.0)]);
        assert_eq!(table.rows()[0][3], "");
    }
}
