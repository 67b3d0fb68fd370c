//! `toalign report`: many runs beside each other.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use toalign::Result;
use toalign::files::write_atomically;
use toalign::report::cost::read_bench;
use toalign::report::page::Page;
use toalign::report::selection::Choice;
use toalign::report::text::text;
use toalign::report::write::{csv, latex};
use toalign::runs::find::find_runs;

use super::say::say;

/// Which test of a run counts.
#[derive(Clone, Copy, ValueEnum)]
enum Rule {
    /// After the last step
    Last,
    /// The best on the target's labels: an oracle
    Best,
    /// The smallest entropy on the target, which needs no labels
    Entropy,
    /// The largest soft neighbourhood density on the target, which needs no labels
    Snd,
}

impl From<Rule> for Choice {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Last => Choice::Last,
            Rule::Best => Choice::Best,
            Rule::Entropy => Choice::Entropy,
            Rule::Snd => Choice::Density,
        }
    }
}

/// The runs, and what to write.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign report runs/mini
  toalign report runs/mini --html runs.html --csv runs.csv --latex runs.tex
  toalign report runs/office_home --choice best --latex as-published.tex
Unfinished runs are listed and left out.")]
pub struct Report {
    /// Folder of runs: `runs`, `runs/<data>`, or one that `toalign sweep --records` wrote.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Which test of a run counts for gains, bars and the LaTeX table.
    #[arg(long, default_value = "last")]
    choice: Rule,
    /// Write a page with tables and charts that needs no other file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write one row for each run.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the table of accuracies as the paper prints it.
    #[arg(long, value_name = "FILE")]
    latex: Option<PathBuf>,
    /// Show the published numbers of Office-Home beside runs on other data too.
    #[arg(long)]
    published: bool,
    /// Lines of `toalign bench --json`, for the memory of a step, which runs do not record.
    #[arg(long, value_name = "FILE")]
    bench: Vec<PathBuf>,
}

impl Report {
    /// Prints the tables and writes the files.
    pub fn run(self) -> Result<()> {
        let choice = Choice::from(self.choice);
        let mut found = find_runs(&self.folder)?;
        found.show_published |= self.published;
        let mut bench = Vec::new();
        for file in &self.bench {
            bench.extend(read_bench(file)?);
        }
        say(text(&found, &bench, choice)?)?;
        if let Some(path) = &self.html {
            Page::of_runs(&found, &bench, choice)?.write(path)?;
        }
        if let Some(path) = &self.csv {
            write_atomically(path, csv(&found.study).as_bytes())?;
        }
        if let Some(path) = &self.latex {
            write_atomically(path, latex(&found.study, &found.data, choice).as_bytes())?;
        }
        for path in [&self.html, &self.csv, &self.latex].into_iter().flatten() {
            say(format!("written: {}", path.display()))?;
        }
        Ok(())
    }
}
