//! The progress bar with its estimate of the time left.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use toalign::Result;
use toalign::train::observer::{Observer, StepReport, TestReport};
use toalign::train::pace::Pace;
use toalign::train::record::{Record, percent};

use super::stop;

/// A bar over steps; invisible where standard error is no terminal.
#[derive(Clone)]
pub struct Steps {
    pub bar: ProgressBar,
    pace: Arc<Mutex<Pace>>,
}

impl Steps {
    /// Draws `template`, in which `{left}` is the time left.
    pub fn over(steps: usize, template: &str) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let pace = Arc::new(Mutex::new(Pace::begin(0)));
        let shared = pace.clone();
        let left = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let pace = *shared.lock().unwrap_or_else(PoisonError::into_inner);
            let left = pace.left(state.pos() as usize, state.len().unwrap_or_default() as usize);
            let _ = out.write_str(&left.unwrap_or_default());
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("left", left));
        }
        Self { bar, pace }
    }

    /// Takes note of steps that were done before.
    pub fn find(&self, steps: usize) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).find(steps);
        self.bar.inc(steps as u64);
    }
}

/// Watches one run, or several one after the other.
pub struct Bar {
    steps: Steps,
    method: String,
}

impl Bar {
    /// A bar over `steps` steps.
    pub fn over(steps: usize) -> Self {
        let template = "{msg}\n{wide_bar} {pos}/{len} steps, {elapsed} so far, {left}";
        Self { steps: Steps::over(steps, template), method: String::new() }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.steps.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn on_step(&mut self, _report: &StepReport) -> Result<ControlFlow<()>> {
        self.steps.bar.inc(1);
        Ok(stop::go_on())
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        self.steps.bar.set_message(format!(
            "{}: target accuracy {} after step {}",
            self.method,
            percent(report.target.accuracy),
            report.step
        ));
        Ok(ControlFlow::Continue(()))
    }

    fn on_record(&mut self, record: &Record) -> Result<()> {
        match record {
            Record::Start { method, from_step, .. } => {
                self.method.clone_from(method);
                self.steps.find(*from_step);
                self.steps.bar.set_message(format!("{method}: training"));
            }
            Record::Finish(finish) => self.steps.bar.suspend(|| {
                eprintln!("{:<16} {:>7} on the target", self.method, percent(finish.last_target_accuracy));
            }),
            _ => {}
        }
        Ok(())
    }
}
