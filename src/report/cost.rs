//! What a step costs: seconds from the runs, memory from `toalign bench`, both as ratios beside the paper's.

use std::path::Path;

use serde::Deserialize;

use super::accuracy::methods;
use crate::draw::style::display_name;
use crate::error::{Result, complain, file_error};
use crate::method::shown::Variant;
use crate::method::table::{self, StepCost, baseline_of};
use crate::report::statistics::median;
use crate::report::table::{Align, Table};
use crate::runs::study::{Study, StudyRun};

/// What a step of DANNP with MetaAlign costs in the paper.
const META_ALIGN: StepCost = StepCost { milliseconds: 1000.0, megabytes: 10004.0 };

/// What runs do not record and how to measure it.
pub const MEMORY_NOTE: &str = "\
    Runs do not record their memory. To have its ratio, measure method and baseline, each in a process of its own, and \
    give the lines to --bench: `toalign bench --method dannp --toalign false --json >> bench.jsonl` and \
    `toalign bench --method dannp --json >> bench.jsonl`.";

/// Median seconds per step over all runs of a method; none without a finished run.
pub fn seconds_per_step(study: &Study, method: &str) -> Option<f64> {
    let runs = study.runs.iter().filter(|run| run.method == method);
    median(&runs.filter_map(seconds_of).collect::<Vec<_>>())
}

/// Median seconds per step of a finished run.
fn seconds_of(run: &StudyRun) -> Option<f64> {
    run.finish().map(|finish| finish.seconds_per_step).filter(|seconds| seconds.is_finite())
}

/// The median, over all pairs of runs with the same task and seed, of the ratio of their seconds per step; none without a
/// pair. Pairs run one soon after the other, so that a machine's changing load matters less than in a ratio of medians.
pub fn step_ratio(study: &Study, method: &str, baseline: &str) -> Option<f64> {
    let ours = study.runs.iter().filter(|run| run.method == method);
    let ratios = ours.filter_map(|run| {
        let twin = study.of(&run.task, baseline).find(|twin| twin.seed == run.seed)?;
        Some(seconds_of(run)? / seconds_of(twin)?)
    });
    median(&ratios.filter(|ratio| ratio.is_finite()).collect::<Vec<_>>())
}

/// Seconds per step of each method and their ratio to the baseline's ([`step_ratio`]), beside the paper's.
pub fn cost_table(study: &Study) -> Table {
    let mut table = Table::new([
        ("method", Align::Left),
        ("seconds per step", Align::Right),
        ("ratio", Align::Right),
        ("to", Align::Left),
        ("paper's ms", Align::Right),
        ("paper's ratio", Align::Right),
    ]);
    for method in methods(study) {
        let baseline = baseline_of(method);
        let seconds = seconds_per_step(study, method);
        let times = baseline.and_then(|baseline| step_ratio(study, method, baseline));
        let paper = |name| published_step(name).map(|cost| cost.milliseconds);
        table.push([
            display_name(method),
            seconds.map_or("–".into(), |seconds| format!("{seconds:.3}")),
            ratio(times, Some(1.0)),
            baseline.filter(|_| times.is_some()).map_or(String::new(), display_name),
            paper(method).map_or(String::new(), |ms| format!("{ms:.0}")),
            ratio(paper(method), baseline.and_then(paper)),
        ]);
    }
    table
}

fn published_step(method: &str) -> Option<StepCost> {
    let (entry, variant) = table::find(method)?;
    entry.published_cost[match variant {
        Variant::PLAIN => 0,
        Variant::TOALIGN => 1,
        _ => return None,
    }]
}

/// The paper's costs in a sentence.
pub fn published_cost() -> String {
    let Some((base, ours)) = published_step("dannp").zip(published_step("dannp+toalign")) else {
        return String::new();
    };
    let times = |of: StepCost| (of.milliseconds / base.milliseconds, of.megabytes / base.megabytes);
    let says = |of: StepCost| format!("{} ms and {} MB", of.milliseconds, of.megabytes);
    format!(
        "The paper's step (PyTorch, ResNet-50, 36 + 36 pictures): DANNP {}; with ToAlign {}, {:.2} and {:.3} times as much; \
         with MetaAlign {}, {:.2} and {:.2} times.",
        says(base),
        says(ours),
        times(ours).0,
        times(ours).1,
        says(META_ALIGN),
        times(META_ALIGN).0,
        times(META_ALIGN).1
    )
}

/// One line of `toalign bench --json`, as far as it is needed here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BenchLine {
    /// The method's name.
    pub method: String,
    /// The backbone's name.
    pub backbone: String,
    /// Pictures of each domain in a step.
    pub batch: usize,
    /// Side of the pictures in pixels.
    pub image: usize,
    /// Where the step was computed.
    pub device: String,
    /// Seconds of a whole step.
    pub seconds_per_step: f64,
    /// Largest resident memory of the process in MB.
    pub peak_mb: Option<f64>,
    /// The most that tensors took on the GPU in MB.
    pub device_peak_mb: Option<f64>,
}

impl BenchLine {
    /// Memory of the device that computes, in MB.
    pub fn memory(&self) -> Option<f64> {
        self.device_peak_mb.or(self.peak_mb)
    }

    fn same_setting(&self, other: &Self) -> bool {
        let of = |line: &Self| (line.backbone.clone(), line.batch, line.image, line.device.clone());
        of(self) == of(other)
    }
}

/// Reads the lines of `toalign bench --json` in a file.
///
/// # Errors
/// If it cannot be read, holds none, or a line is none.
pub fn read_bench(file: &Path) -> Result<Vec<BenchLine>> {
    let text = std::fs::read_to_string(file).map_err(|error| file_error("read", file, error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(index, line): (usize, &str)| -> Result<BenchLine> {
        Ok(serde_json::from_str(line).map_err(|error| {
            complain("a line of `toalign bench --json`", error.to_string())
                .at_line(file, index + 1)
                .advice("make the file with `toalign bench --json >> FILE`")
        })?)
    };
    let lines: Vec<BenchLine> = lines.map(read).collect::<Result<_>>()?;
    match lines.is_empty() {
        true => Err(complain("lines of `toalign bench --json`", "none").at(file.display()).into()),
        false => Ok(lines),
    }
}

/// Seconds and memory of each measured method, and the ratio to its baseline where that was measured in the same setting.
pub fn bench_table(lines: &[BenchLine]) -> Table {
    let mut table = Table::new([
        ("method", Align::Left),
        ("setting", Align::Left),
        ("seconds", Align::Right),
        ("ratio", Align::Right),
        ("MB", Align::Right),
        ("ratio", Align::Right),
    ]);
    for line in lines {
        let before = lines.iter().find(|other| {
            Some(other.method.as_str()) == baseline_of(&line.method) && line.same_setting(other)
        });
        table.push([
            display_name(&line.method),
            format!("{}, {}+{}, {}², {}", line.backbone, line.batch, line.batch, line.image, line.device),
            format!("{:.3}", line.seconds_per_step),
            ratio(Some(line.seconds_per_step), before.map(|before| before.seconds_per_step)),
            line.memory().map_or("–".into(), |memory| format!("{memory:.0}")),
            ratio(line.memory(), before.and_then(BenchLine::memory)),
        ]);
    }
    table
}

fn ratio(value: Option<f64>, baseline: Option<f64>) -> String {
    match (value, baseline) {
        (Some(value), Some(baseline)) if baseline > 0.0 => format!("{:.2}", value / baseline),
        _ => String::new(),
    }
}
