//! A sweep, drawn while it runs: one field for each run, which fills as the run goes on and ends with its accuracy.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::in_place::InPlace;
use super::run_fields::{Field, RunFields};
use super::{Show, stop_is_wanted};
use crate::config::RunConfig;
use crate::error::Result;
use crate::lock::lock;
use crate::runs::folder::{RunFolder, read_metrics};
use crate::runs::sweep::{Ended, Overview, Plan};
use crate::train::observer::{Observer, StepReport, TestReport};
use crate::train::pace::Pace;
use crate::train::record::Record;

/// Does what is left of a plan under `root`, `jobs` runs at a time, drawn live in a notebook.
///
/// Stop in JupyterLab ends it softly: the runs at work keep a checkpoint, the others do not begin; the same call goes on.
///
/// # Errors
/// If a thread cannot be started. What a single run complains about is in its [`Ended::Failed`].
pub fn watch(plan: &Plan, root: impl AsRef<Path>, jobs: usize) -> Result<Vec<Ended>> {
    let board = Board::new(plan, root.as_ref());
    let ended = plan.run(root.as_ref(), jobs, &board)?;
    board.draw(true)?;
    Ok(ended)
}

/// What is drawn of a sweep.
struct Board {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

struct State {
    runs: RunFields,
    pace: Pace,
    is_stopped: bool,
    place: InPlace,
}

impl Board {
    fn new(plan: &Plan, root: &Path) -> Self {
        let fields = plan.runs.iter().map(|run| Field {
            task: run.task.clone(),
            method: run.method_name(),
            seed: run.seed,
            steps: run.steps,
            done: 0,
            accuracy: None,
            has_failed: false,
        });
        let state = State {
            runs: RunFields { fields: fields.collect(), words: String::new() },
            pace: Pace::begin(0),
            is_stopped: false,
            place: InPlace::new(),
        };
        Self { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    fn draw(&self, last: bool) -> Result<()> {
        lock(&self.state).draw_in_place(last)
    }
}

impl Overview for Board {
    fn goes_on(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_stopped |= stop_is_wanted();
        !state.is_stopped
    }

    fn begin(&self, number: usize, _run: &RunConfig) -> Box<dyn Observer> {
        Box::new(FieldObserver { number, state: self.state.clone() })
    }

    fn end(&self, number: usize, run: &RunConfig, ended: &Ended) {
        let mut state = lock(&self.state);
        let steps = run.steps;
        let Some(field) = state.runs.fields.get_mut(number) else { return };
        match ended {
            Ended::Finished(outcome) => field.accuracy = outcome.summary.last_accuracy,
            Ended::WasFinished => {
                let records = read_metrics(&RunFolder::path_of(&self.root, run)).unwrap_or_default();
                field.accuracy = records.iter().rev().find_map(|record| Some(record.accuracies()?.1[1]));
                field.done = steps;
                state.pace.find(steps);
            }
            Ended::Failed(error) => {
                field.has_failed = true;
                println!("{} {} seed {} failed: {error}", run.task, field.method, run.seed);
            }
            Ended::Stopped(_) | Ended::NotBegun | Ended::Elsewhere => {}
        }
    }
}

/// Tells the board about one run.
struct FieldObserver {
    number: usize,
    state: Arc<Mutex<State>>,
}

impl Observer for FieldObserver {
    fn on_record(&mut self, record: &Record) -> Result<()> {
        if let Record::Start { from_step, .. } = record {
            let mut state = lock(&self.state);
            state.pace.find(*from_step);
            if let Some(field) = state.runs.fields.get_mut(self.number) {
                field.done = *from_step;
            }
        }
        Ok(())
    }

    fn on_step(&mut self, report: &StepReport) -> Result<ControlFlow<()>> {
        let mut state = lock(&self.state);
        if let Some(field) = state.runs.fields.get_mut(self.number) {
            field.done = report.step;
        }
        if state.place.is_due() {
            state.draw_in_place(false)?;
        }
        state.is_stopped |= stop_is_wanted();
        Ok(if state.is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        if let Some(field) = lock(&self.state).runs.fields.get_mut(self.number) {
            field.accuracy = Some(report.target.accuracy).filter(|accuracy| !accuracy.is_nan());
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl State {
    fn draw_in_place(&mut self, last: bool) -> Result<()> {
        self.runs.words = self.progress();
        self.place.draw(|| self.runs.bundle(), || self.runs.words.clone(), last)
    }

    /// Such as "3 of 8 runs finished, 40 s left".
    fn progress(&self) -> String {
        let (done, steps) = self.runs.steps();
        let finished = self.runs.fields.iter().filter(|field| field.done == field.steps).count();
        let mut words = format!("{finished} of {} runs finished", self.runs.fields.len());
        if let Some(left) = self.pace.left(done, steps).filter(|_| !self.is_stopped) {
            words += &format!(", {left}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Weights;

    fn plan() -> Plan {
        let base =
            RunConfig { steps: 3, test_every: 3, batch_size: 2, weights: Weights::None, ..RunConfig::mini() };
        Plan::new(&base, &["Cl-Rw"], &["source-only", "dannp"], &[1, 2]).unwrap()
    }

    #[test]
    fn a_sweep_that_was_stopped_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let plan = plan();
        let board = Board::new(&plan, root.path());
        lock(&board.state).is_stopped = true;
        let ended = plan.run(root.path(), 1, &board).unwrap();
        assert!(ended.iter().all(|how| matches!(how, Ended::NotBegun)), "{ended:?}");
        let ended = watch(&plan, root.path(), 2).unwrap();
        assert!(ended.iter().all(|how| matches!(how, Ended::Finished(_))), "{ended:?}");
        let board = Board::new(&plan, root.path());
        plan.run(root.path(), 1, &board).unwrap();
        let state = lock(&board.state);
        assert_eq!(state.progress(), "4 of 4 runs finished");
        assert!(state.runs.fields.iter().all(|field| field.accuracy.is_some()));
    }
}
