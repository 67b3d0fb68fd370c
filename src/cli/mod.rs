//! The commands: each reads its flags, calls the library, prints. No logic of its own.

mod bar;
mod bench;
mod data;
mod demo;
mod eval;
mod explain;
mod fetch;
mod knowledge;
mod predict;
mod report;
mod say;
mod stop;
mod sweep;
mod train;

use clap::{Parser, Subcommand};
use toalign::Result;

const EXAMPLES: &str = "\
Examples:
  toalign                                     compare six methods on the offline default, write toalign-report.html
  toalign --seed 1 --task Pr-Ar               the same on another task with another seed
  toalign train --data mini --task Cl-Rw --method dannp --toalign --seed 1
  toalign train --data folder:pictures --task Ar-Pr --method hda --weights resnet50.safetensors
  toalign eval --run runs/mini/Cl-Rw/dannp+toalign/1
  toalign report runs/mini --html runs.html
  toalign predict photo.jpg --run runs/mini/Cl-Rw/dannp+toalign/1
  toalign explain photo.jpg --run runs/mini/Cl-Rw/dannp+toalign/1";

/// Task-oriented alignment for unsupervised domain adaptation (ToAlign, NeurIPS 2021).
///
/// Without a command: trains six methods on one task of Mini Office-Home, prints a table and writes a report page.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Demo,
}

#[derive(Subcommand)]
enum Command {
    /// Train one method on one task, in a folder of its own, resumable
    Train(Box<train::Train>),
    /// Train every task with every method and every seed, resumable
    Sweep(Box<sweep::Sweep>),
    /// Test a trained run on its source and target
    Eval(eval::Eval),
    /// Classify pictures and show where the evidence lies
    Predict(predict::Predict),
    /// Draw several kinds of heat map side by side, or measure which is better
    Explain(Box<explain::Explain>),
    /// Show what of the source a network uses in the target, as patches of pictures
    Knowledge(knowledge::ShowKnowledge),
    /// Measure a training step here, and estimate how long a study would take
    Bench(Box<bench::Bench>),
    /// Fetch pictures and weights, print the published list of a data set, or check the pictures on disk
    Data(data::Data),
    /// Compare many runs: tables, a page with charts, CSV, LaTeX
    Report(report::Report),
}

/// Reads the command line and does what it says.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        None => cli.demo.run(),
        Some(Command::Train(train)) => train.run(),
        Some(Command::Sweep(sweep)) => sweep.run(),
        Some(Command::Eval(eval)) => eval.run(),
        Some(Command::Predict(predict)) => predict.run(),
        Some(Command::Explain(explain)) => explain.run(),
        Some(Command::Knowledge(knowledge)) => knowledge.run(),
        Some(Command::Bench(bench)) => bench.run(),
        Some(Command::Data(data)) => data.run(),
        Some(Command::Report(report)) => report.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
