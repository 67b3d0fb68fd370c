//! `toalign` alone: the main job.

use std::path::PathBuf;

use clap::Args;
use toalign::Result;
use toalign::config::{DeviceChoice, RunConfig};
use toalign::files::write_atomically;
use toalign::main_job;
use toalign::report::one_task::{RESULTS_NOTE, results_table};
use toalign::report::page::Page;

use super::bar::Bar;
use super::say::say;

/// The settings of the main job that are worth a flag; all others are in `toalign train`.
#[derive(Args)]
pub struct Demo {
    /// Source and target domain of Mini Office-Home, as in `Cl-Rw`.
    #[arg(long, default_value = "Cl-Rw")]
    task: String,
    /// Decides every random number.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Length of each of the six runs in steps.
    #[arg(long, default_value_t = 500)]
    steps: usize,
    /// Where to compute: `auto` (an NVIDIA GPU where built for one and present, else the CPU), `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Where to write the report page.
    #[arg(long, default_value = "toalign-report.html")]
    out: PathBuf,
}

impl Demo {
    /// Trains six methods, prints the table, writes the page.
    pub fn run(self) -> Result<()> {
        let config = RunConfig {
            task: self.task.clone(),
            seed: self.seed,
            steps: self.steps,
            device: self.device,
            ..RunConfig::mini()
        };
        let config = config.check()?;
        // A page that cannot be written should be known before the minutes of training, not after.
        if !self.out.exists() {
            write_atomically(&self.out, b"")?;
            let _ = std::fs::remove_file(&self.out);
        }
        let mut bar = Bar::over(config.steps * main_job::METHODS.len());
        let mut found = main_job::run(&config, &mut bar)?;
        bar.finish();
        found.command = format!("toalign --task {} --seed {} --steps {}", self.task, self.seed, self.steps);
        say(results_table(&found.study))?;
        say(RESULTS_NOTE)?;
        Page::of_one_task(&found)?.write(&self.out)?;
        say(format!("{:.0} seconds; report: {}", found.seconds, self.out.display()))
    }
}
