//! `toalign train`: one run in its folder.

use std::path::PathBuf;

use clap::Args;
use toalign::Result;
use toalign::config::{Overlay, Preset};
use toalign::device;
use toalign::error::complain;
use toalign::runs::folder::RunFolder;
use toalign::runs::session::Session;
use toalign::train::progress::Best;

use super::bar::Bar;
use super::say::{remark, say};
use super::stop;

const EXAMPLES: &str = "\
Examples:
  toalign train --data mini --task Cl-Rw --method dannp --toalign --seed 1 --out runs
  toalign train --data mini --task Cl-Rw --method dannp --toalign --seed 1 --out runs --resume
  toalign train --config my-run.toml --steps 2000
A file for --config has one `key = value` line per setting; its keys are the flags with _ in place of -.";

/// All settings, and where the run goes.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Train {
    /// Starting point of all settings [default: mini for the data mini, else office-home].
    #[arg(long)]
    preset: Option<Preset>,
    /// A TOML file of settings, laid over the preset; flags are laid over the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of all runs; this one goes to DIR/<data>/<task>/<method>/<seed>.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Go on from the run's last checkpoint.
    #[arg(long)]
    resume: bool,
    /// Go on although pictures were added, deleted or changed since the checkpoint was taken.
    #[arg(long, requires = "resume")]
    accept_changed_data: bool,
    #[command(flatten)]
    settings: Overlay,
}

impl Train {
    /// Trains to the end and prints the outcome.
    pub fn run(self) -> Result<()> {
        let config = self.settings.over(self.preset, self.config.as_deref())?;
        let mut session =
            if self.resume { Session::to_resume(config, &self.out)? } else { Session::new(config)? };
        session.accept_changed_data = self.accept_changed_data;
        remark(&session.task.remarks);
        let folder = RunFolder::path_of(&self.out, &session.config);
        say(format!("run: {}\ndevice: {}", folder.display(), device::name(session.model.device())))?;
        stop::listen();
        let mut bar = Bar::over(session.config.steps);
        let outcome = session.run_in(&self.out, self.resume, &mut [&mut bar])?;
        bar.finish();
        if outcome.was_finished {
            say("this run was finished before; nothing was done")?;
        }
        let summary = outcome.summary;
        match (summary.last_accuracy, summary.best) {
            (Some(last), Some(best)) => say(format!(
                "target accuracy: last {last:.1} %, best {:.1} % after step {} (oracle: chosen by target labels)",
                best.accuracy, best.step
            ))?,
            (None, Some(Best { entropy: Some(entropy), step, .. })) => say(format!(
                "the target has no labels; best after step {step}, by the smallest entropy of its predictions ({entropy:.3} \
                 nats)"
            ))?,
            _ => {}
        }
        say(format!("{:.3} seconds per step", summary.seconds_per_step))?;
        if summary.finished {
            return Ok(());
        }
        let (done, all) = (summary.step, session.config.steps);
        Err(complain(format!("{all} steps"), format!("a signal to stop after step {done}"))
            .at(outcome.folder.display())
            .advice("--resume goes on from there")
            .into())
    }
}
