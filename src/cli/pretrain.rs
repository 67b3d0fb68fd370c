//! `toalign pretrain`: makes the weights that the small backbone starts from.

use std::path::PathBuf;

use clap::Args;
use toalign::Result;
use toalign::config::DeviceChoice;
use toalign::files::write_atomically;
use toalign::train::pretrain::Pretraining;

use super::bar::Bar;
use super::say::say;

/// Seed, length and file.
#[derive(Args)]
#[command(after_help = "\
Example:
  toalign pretrain --seed 1 --out src/model/small.safetensors")]
pub struct Pretrain {
    /// Decides every random number, the pictures among them; 1 made the committed weights.
    #[arg(long, default_value_t = Pretraining::default().seed)]
    seed: u64,
    /// Passes over the 20,000 pictures.
    #[arg(long, default_value_t = Pretraining::default().epochs)]
    epochs: usize,
    /// Where to write the weights.
    #[arg(long, value_name = "FILE", default_value = "small.safetensors")]
    out: PathBuf,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl Pretrain {
    /// Trains, writes the weights, prints the accuracy.
    pub fn run(self) -> Result<()> {
        let Self { seed, epochs, device, .. } = self;
        let pretraining = Pretraining { seed, epochs, device, ..Pretraining::default() };
        let mut bar = Bar::over(pretraining.steps());
        let pretrained = pretraining.run(&mut bar)?;
        bar.finish();
        write_atomically(&self.out, &pretrained.file)?;
        say(format!(
            "{}: {:.1} % on 4,000 pictures that were not trained on",
            self.out.display(),
            pretrained.validation_accuracy
        ))
    }
}
