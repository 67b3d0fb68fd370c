//! `toalign sweep`: many runs, resumable.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use toalign::Result;
use toalign::config::{Overlay, Preset, RunConfig};
use toalign::error::{complain, file_error};
use toalign::files::write_atomically;
use toalign::main_job::METHODS;
use toalign::runs::folder::{RunFolder, RunState};
use toalign::runs::session::Outcome;
use toalign::runs::slurm::{Requests, Script, script_of_this_command};
use toalign::runs::study::keep;
use toalign::runs::sweep::{Ended, Overview, Plan};
use toalign::setup::{initial_weights_file, left_out};
use toalign::train::observer::{Observer, StepReport, TestReport};
use toalign::train::record::{Record, percent};

use super::bar::Steps;
use super::say::{remark, say};
use super::stop;

const EXAMPLES: &str = "\
Examples:
  toalign sweep --tasks Cl-Rw,Pr-Ar --methods dannp,dannp+toalign --seeds 1,2,3
  toalign sweep --tasks all --methods hda,hda+toalign --seeds 1,2,3 --jobs 2 --out runs
  toalign sweep --data folder:office_home --tasks all --methods hda+toalign --seeds 1 --weights resnet50.safetensors
  toalign sweep --methods hda,hda+toalign --slurm sweep.sbatch --gpus 1 --time 6:00:00 && sbatch sweep.sbatch
The same command again goes on where the last one was stopped, by Ctrl-C or a crash; what is finished is left alone.";

/// Which runs, and all settings that they share.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Sweep {
    /// Tasks such as `Ar-Cl`, separated by commas, or `all`.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    tasks: Vec<String>,
    /// Methods such as `hda+toalign`, separated by commas [default: the six of the main job].
    #[arg(long, value_delimiter = ',', default_values = METHODS, hide_default_value = true)]
    methods: Vec<String>,
    /// Seeds, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Runs at a time; each takes its share of the processor's cores.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Folder of all runs; each goes to DIR/<data>/<task>/<method>/<seed>.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Copy the metrics of every finished run to DIR/<data>/<task>/<method>/<seed>.jsonl, small files to keep.
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Let runs go on although pictures were added, deleted or changed since their checkpoint was taken.
    #[arg(long)]
    accept_changed_data: bool,
    /// Train nothing, but write this sweep as an array job for Slurm, one index per run; `-` prints it.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "sweep.sbatch", help_heading = "Slurm")]
    slurm: Option<PathBuf>,
    /// Do run number K of this sweep alone, counted from 0.
    #[arg(long, value_name = "K", conflicts_with = "slurm", help_heading = "Slurm")]
    index: Option<usize>,
    #[command(flatten)]
    requests: Requests,
    /// Starting point of all settings [default: mini for the data mini, else office-home].
    #[arg(long)]
    preset: Option<Preset>,
    /// A TOML file of settings, laid over the preset; flags are laid over the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Overlay,
}

impl Sweep {
    /// Does the runs that are left, and says how each ended.
    pub fn run(self) -> Result<()> {
        for (key, instead) in [
            ("task", "--tasks"),
            ("method", "--methods"),
            ("toalign", "--methods, such as hda+toalign"),
            ("control", "--methods, such as hda+labels"),
            ("seed", "--seeds"),
        ] {
            if self.settings.names(key) {
                return Err(complain("settings that all runs share", format!("--{key}"))
                    .advice(format!("in a sweep this is {instead}"))
                    .into());
            }
        }
        let base = self.settings.over(self.preset, self.config.as_deref())?;
        remark(&left_out(&base.data)?);
        let mut plan = Plan::new(&base, &self.tasks, &self.methods, &self.seeds)?;
        // Said once and now, not by every run when its turn comes; a run that has begun needs no initial weights.
        if let Err(error) = initial_weights_file(&base) {
            let absent =
                |run| matches!(RunState::of(&RunFolder::path_of(&self.out, run), run), Ok(RunState::Absent));
            if plan.runs.iter().any(|run| absent(run)) {
                return Err(error);
            }
        }
        if let Some(file) = &self.slurm {
            let script = script_of_this_command(plan.runs.len(), &self.out, &self.requests)?;
            return write_script(file, &script);
        }
        if let Some(index) = self.index {
            plan = plan.only(index)?;
        }
        stop::listen();
        let bars = Bars { accept_changed_data: self.accept_changed_data, ..Bars::over(&plan) };
        let ended = plan.run(&self.out, self.jobs, &bars)?;
        bars.finish();
        if let Some(kept) = &self.records {
            for (run, ended) in plan.runs.iter().zip(&ended) {
                if matches!(ended, Ended::Finished(_) | Ended::WasFinished) {
                    keep(&self.out, run, kept)?;
                }
            }
        }
        say_how_it_ended(&plan, &ended, &self.out)
    }
}

/// Writes the script, and makes the folder for what the runs say, since Slurm does not; or prints the script.
fn write_script(file: &Path, script: &Script) -> Result<()> {
    if file == Path::new("-") {
        return say(format!("{}\n# First: mkdir -p {}", script.text.trim_end(), script.logs.display()));
    }
    std::fs::create_dir_all(&script.logs).map_err(|error| file_error("create", &script.logs, error))?;
    write_atomically(file, script.text.as_bytes())?;
    say(format!("submit it with: sbatch {}", file.display()))
}

/// A bar over all steps of all runs, and one for each run at work.
struct Bars {
    group: MultiProgress,
    total: Steps,
    accept_changed_data: bool,
}

impl Bars {
    fn over(plan: &Plan) -> Self {
        let steps: usize = plan.runs.iter().map(|run| run.steps).sum();
        let group = MultiProgress::new();
        let runs = plan.runs.len();
        let template =
            format!("{{wide_bar}} {{pos}}/{{len}} steps of {runs} runs, {{elapsed}} so far, {{left}}");
        let total = Steps::over(steps, &template);
        group.add(total.bar.clone());
        total.bar.enable_steady_tick(Duration::from_secs(1));
        Self { group, total, accept_changed_data: false }
    }

    fn finish(&self) {
        self.total.bar.finish_and_clear();
    }

    /// A line for a file: where standard error is a terminal, the bars say it.
    fn note(&self, run: &RunConfig, what: std::fmt::Arguments) {
        if self.group.is_hidden() {
            eprintln!("{} {} seed {}: {what}", run.task, run.method_name(), run.seed);
        }
    }
}

impl Overview for Bars {
    fn goes_on(&self) -> bool {
        !stop::asked()
    }

    fn accepts_changed_data(&self) -> bool {
        self.accept_changed_data
    }

    fn begin(&self, _number: usize, run: &RunConfig) -> Box<dyn Observer> {
        let bar = self.group.add(ProgressBar::new(run.steps as u64));
        if let Ok(style) = ProgressStyle::with_template("{msg:40} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        let name = format!("{} {} seed {}", run.task, run.method_name(), run.seed);
        bar.set_message(name.clone());
        self.note(run, format_args!("begun"));
        Box::new(RunBar { bar, total: self.total.clone(), name })
    }

    fn end(&self, _number: usize, run: &RunConfig, ended: &Ended) {
        match ended {
            Ended::WasFinished | Ended::Elsewhere => {
                self.total.find(run.steps);
            }
            Ended::Failed(error) => self.group.suspend(|| {
                eprintln!("{} {} seed {} failed: {error}", run.task, run.method_name(), run.seed);
            }),
            Ended::Finished(Outcome { summary, .. }) => {
                let accuracy = percent(summary.last_accuracy.unwrap_or(f64::NAN));
                self.note(run, format_args!("finished, {accuracy} on the target"));
            }
            Ended::Stopped(Outcome { summary, .. }) => {
                self.note(run, format_args!("stopped after {} of {} steps", summary.step, run.steps));
            }
            Ended::NotBegun => {}
        }
    }
}

/// The bar of one run; it goes when the run ends.
struct RunBar {
    bar: ProgressBar,
    total: Steps,
    name: String,
}

impl Drop for RunBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for RunBar {
    fn on_step(&mut self, _report: &StepReport) -> Result<ControlFlow<()>> {
        self.bar.inc(1);
        self.total.bar.inc(1);
        Ok(stop::go_on())
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        self.bar.set_message(format!("{}: {}", self.name, percent(report.target.accuracy)));
        Ok(ControlFlow::Continue(()))
    }

    fn on_record(&mut self, record: &Record) -> Result<()> {
        if let Record::Start { from_step, .. } = record {
            self.bar.inc(*from_step as u64);
            self.total.find(*from_step);
        }
        Ok(())
    }
}

fn say_how_it_ended(plan: &Plan, ended: &[Ended], out: &Path) -> Result<()> {
    let mut counts = [
        ("finished", 0),
        ("finished before", 0),
        ("stopped", 0),
        ("not begun", 0),
        ("elsewhere", 0),
        ("failed", 0),
    ];
    let mut failures = Vec::new();
    for (run, ended) in plan.runs.iter().zip(ended) {
        let kind = match ended {
            Ended::Finished(_) => 0,
            Ended::WasFinished => 1,
            Ended::Stopped(_) => 2,
            Ended::NotBegun => 3,
            Ended::Elsewhere => 4,
            Ended::Failed(error) => {
                failures.push(format!("{} {} seed {}: {error}", run.task, run.method_name(), run.seed));
                5
            }
        };
        counts[kind].1 += 1;
    }
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let runs = match plan.runs.len() {
        1 => "1 run".to_owned(),
        several => format!("{several} runs"),
    };
    say(format!("{runs} in {}: {counts}", out.display()))?;
    match failures.len() {
        0 if stop::asked() => Err(complain("every run to finish", "a signal to stop")
            .advice("the same command again goes on")
            .into()),
        0 => Ok(()),
        count => Err(complain(
            "every run to finish",
            format!("{count} that failed:\n  {}", failures.join("\n  ")),
        )
        .advice("mend what the messages name, then give the same command again: it does only what is left")
        .into()),
    }
}
