//! `toalign eval`: tests a trained run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use toalign::Result;
use toalign::config::transform;
use toalign::config::{DataSource, DeviceChoice, RunConfig};
use toalign::error::complain;
use toalign::report::table::{Align, Table};
use toalign::runs::session::Trained;
use toalign::setup::open_task;
use toalign::train::evaluate::evaluate;
use toalign::train::observer::Kept;

use super::say::{remark, say};

/// Which checkpoint of a run.
#[derive(Clone, Copy, ValueEnum)]
pub enum Which {
    /// After the last step
    Last,
    /// The best on the target's labels: an oracle
    Best,
}

impl From<Which> for Kept {
    fn from(which: Which) -> Self {
        match which {
            Which::Last => Kept::Last,
            Which::Best => Kept::Best,
        }
    }
}

/// The run, and optionally other data of the same classes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign eval --run runs/mini/Cl-Rw/hda/1
  toalign eval --run runs/mini/Cl-Rw/hda/1 --checkpoint best --task Cl-Ar")]
pub struct Eval {
    /// Folder of the run, as `toalign train` prints it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which of its checkpoints.
    #[arg(long, default_value = "last")]
    checkpoint: Which,
    /// Other pictures of the same classes [default: the run's].
    #[arg(long)]
    data: Option<DataSource>,
    /// Other domains [default: the run's].
    #[arg(long)]
    task: Option<String>,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

/// Refuses data that the settings of a run name and that are not there, seen from the current folder.
pub fn require_data(config: &RunConfig, instead: Option<&DataSource>) -> Result<()> {
    match config.data.folder() {
        Some(folder) if instead.is_none() && !folder.exists() => Err(complain(
            format!("the data of the run, 'data = {}' in its settings", config.data),
            "no such folder",
        )
        .at(folder.display())
        .advice("start from the folder that the run was started in, or say where the data are: --data")
        .into()),
        _ => Ok(()),
    }
}

impl Eval {
    /// Prints the accuracy on both domains.
    pub fn run(self) -> Result<()> {
        let trained = Trained::open(&self.run, self.checkpoint.into(), self.device)?;
        let mut config = trained.header.config.clone();
        require_data(&config, self.data.as_ref())?;
        config.data = self.data.unwrap_or(config.data);
        config.task = self.task.unwrap_or(config.task);
        let config = config.check()?;
        let task = open_task(&config)?;
        remark(&task.remarks);
        trained.require_classes(&task.classes)?;

        let mut table =
            Table::new([("domain", Align::Left), ("pictures", Align::Right), ("accuracy %", Align::Right)]);
        for (domain, part) in [(&task.source_test, "source"), (&task.target_test, "target")] {
            let transform = transform(&config);
            let result = evaluate(&trained.model, domain, &transform, config.test_batch_size)?;
            table.push([
                format!("{} ({part})", domain.name),
                result.predictions.len().to_string(),
                if result.accuracy.is_nan() { "no labels".into() } else { format!("{:.1}", result.accuracy) },
            ]);
        }
        say(table)
    }
}
