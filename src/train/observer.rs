//! Who wants to hear of a run: a progress bar, the run's folder, a live plot in a notebook.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::checkpoint::Checkpoint;
use super::evaluate::Evaluation;
use super::label_free::LabelFree;
use super::progress::Best;
use super::record::Record;
use crate::error::Result;

/// One training step, just done.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// Length of the run in steps.
    pub steps: usize,
    /// Every loss by name: `total` and its unweighted parts.
    pub losses: BTreeMap<String, f64>,
    /// Learning rate of the backbone in this step.
    pub learning_rate: f64,
    /// Coefficient of the gradient reversal in this step.
    pub coefficient: f64,
    /// Seconds that the step took, waiting for its batches included.
    pub seconds: f64,
}

/// One test, just done.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// What can be said of the target without its labels.
    pub label_free: LabelFree,
    /// Steps done.
    pub step: usize,
    /// Length of the run in steps.
    pub steps: usize,
    /// On the whole source.
    pub source: Evaluation,
    /// On the whole target.
    pub target: Evaluation,
    /// The best test so far, this one included.
    pub best: Best,
    /// Seconds that the test took.
    pub seconds: f64,
}

/// Which of a run's two checkpoints is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The latest: a run resumes from it.
    Last,
    /// That of the best test so far.
    Best,
}

/// Listens to a run. Every method has a default that does nothing.
///
/// `ControlFlow::Break` ends the run softly: after this step (and its test), with a checkpoint from which it can go on.
pub trait Observer {
    /// After every training step.
    ///
    /// # Errors
    /// Whatever the observer cannot do; it ends the run.
    fn on_step(&mut self, _report: &StepReport) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// After every test.
    fn on_test(&mut self, _report: &TestReport) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// For every line of `metrics.jsonl`.
    fn on_record(&mut self, _record: &Record) -> Result<()> {
        Ok(())
    }

    /// When a checkpoint is due, which `take` makes.
    fn on_checkpoint(&mut self, _kept: Kept, _take: &dyn Fn() -> Result<Checkpoint>) -> Result<()> {
        Ok(())
    }
}

/// Keeps every record of a run.
#[derive(Debug, Default)]
pub struct Recorder(pub Vec<Record>);

impl Observer for Recorder {
    fn on_record(&mut self, record: &Record) -> Result<()> {
        self.0.push(record.clone());
        Ok(())
    }
}

/// Ends a run softly once this many steps are done.
#[derive(Debug, Clone, Copy)]
pub struct StopAfter(pub usize);

impl Observer for StopAfter {
    fn on_step(&mut self, report: &StepReport) -> Result<ControlFlow<()>> {
        Ok(match report.step >= self.0 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

/// Several observers, told in order. One `Break` is enough to end the run.
impl Observer for [&mut dyn Observer] {
    fn on_step(&mut self, report: &StepReport) -> Result<ControlFlow<()>> {
        told(self, |observer| observer.on_step(report))
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        told(self, |observer| observer.on_test(report))
    }

    fn on_record(&mut self, record: &Record) -> Result<()> {
        self.iter_mut().try_for_each(|observer| observer.on_record(record))
    }

    fn on_checkpoint(&mut self, kept: Kept, take: &dyn Fn() -> Result<Checkpoint>) -> Result<()> {
        self.iter_mut().try_for_each(|observer| observer.on_checkpoint(kept, take))
    }
}

fn told(
    observers: &mut [&mut dyn Observer],
    tell: impl Fn(&mut dyn Observer) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let mut flow = ControlFlow::Continue(());
    for observer in observers {
        if tell(*observer)?.is_break() {
            flow = ControlFlow::Break(());
        }
    }
    Ok(flow)
}
