//! The progress bar with its estimate of the time left.

use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use toalign::Result;
use toalign::train::observer::{Observer, StepReport, TestReport};
use toalign::train::record::Record;

/// A bar over all steps of one run or several; invisible where standard error is no terminal.
pub struct Bar {
    bar: ProgressBar,
    method: String,
}

impl Bar {
    /// A bar over `steps` steps.
    pub fn over(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style = "{msg}\n{wide_bar} {pos}/{len} steps, {elapsed} so far, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, method: String::new() }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn on_step(&mut self, _report: &StepReport) -> Result<ControlFlow<()>> {
        self.bar.inc(1);
        Ok(ControlFlow::Continue(()))
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        self.bar.set_message(format!(
            "{}: target accuracy {:.1} % after step {}",
            self.method, report.target.accuracy, report.step
        ));
        Ok(ControlFlow::Continue(()))
    }

    fn on_record(&mut self, record: &Record) -> Result<()> {
        match record {
            Record::Start { method, from_step, .. } => {
                self.method.clone_from(method);
                self.bar.inc(*from_step as u64);
                self.bar.reset_eta();
                self.bar.set_message(format!("{method}: training"));
            }
            Record::Finish { last_target_accuracy, .. } => self.bar.suspend(|| {
                eprintln!("{:<16} {last_target_accuracy:5.1} % on the target", self.method);
            }),
            _ => {}
        }
        Ok(())
    }
}
