//! A sweep, drawn while it runs: one field for each run, which fills as the run goes on and ends with its accuracy.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::config::RunConfig;
use crate::error::Result;
use crate::report::method_style::{Colour, display_name, method_colour};
use crate::report::plot::bars::readable_on;
use crate::report::plot::canvas::{
    MARGIN, Sheet, drawing_error, font, rgb, svg_of, width_of, write, write_title,
};
use crate::report::show::in_place::{InPlace, in_words};
use crate::report::show::{Figure, Show, raster, stop_is_wanted};
use crate::train::observer::{Observer, StepReport, TestReport};
use crate::train::record::Record;
use crate::train::run::{RunFolder, read_metrics};
use crate::train::sweep::{Ended, Overview, Plan};

/// Width of the page.
const WIDTH: i32 = 856;
/// Where the fields begin.
const TOP: i32 = 112;
/// Height of a row of fields, gap included.
const ROW: i32 = 30;
/// The widest that a field is drawn, and the gap between two.
const FIELD: (i32, i32) = (56, 3);
const WAITING: Colour = [0xE4; 3];
const FAILED: Colour = [0xC4, 0x3C, 0x39];

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
    fields: Vec<Field>,
    begun: Instant,
    /// Steps that were done before this sweep.
    found: usize,
    is_stopped: bool,
    place: Option<InPlace>,
}

/// One run.
struct Field {
    task: String,
    method: String,
    seed: u64,
    steps: usize,
    done: usize,
    accuracy: Option<f64>,
    has_failed: bool,
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
            fields: fields.collect(),
            begun: Instant::now(),
            found: 0,
            is_stopped: false,
            place: Some(InPlace::new()),
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
        let Some(field) = state.fields.get_mut(number) else { return };
        match ended {
            Ended::Finished(outcome) => field.accuracy = outcome.summary.last_accuracy,
            Ended::WasFinished => {
                let records = read_metrics(&RunFolder::path_of(&self.root, run)).unwrap_or_default();
                field.accuracy = records.iter().rev().find_map(|record| Some(record.accuracies()?.1[1]));
                field.done = steps;
                state.found += steps;
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
            state.found += from_step;
            if let Some(field) = state.fields.get_mut(self.number) {
                field.done = *from_step;
            }
        }
        Ok(())
    }

    fn on_step(&mut self, report: &StepReport) -> Result<ControlFlow<()>> {
        let mut state = lock(&self.state);
        if let Some(field) = state.fields.get_mut(self.number) {
            field.done = report.step;
        }
        if state.place.as_ref().is_some_and(InPlace::is_due) {
            state.draw_in_place(false)?;
        }
        state.is_stopped |= stop_is_wanted();
        Ok(if state.is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        if let Some(field) = lock(&self.state).fields.get_mut(self.number) {
            field.accuracy = Some(report.target.accuracy);
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl State {
    fn draw_in_place(&mut self, last: bool) -> Result<()> {
        // Taken out while the drawing reads the rest.
        let Some(mut place) = self.place.take() else { return Ok(()) };
        let drawn = place.draw(|| self.bundle(), || self.progress(), last);
        self.place = Some(place);
        drawn
    }

    fn steps(&self) -> (usize, usize) {
        let sum = |of: fn(&Field) -> usize| self.fields.iter().map(of).sum();
        (sum(|field| field.done), sum(|field| field.steps))
    }

    /// Such as "3 of 8 runs finished, 40 s left".
    fn progress(&self) -> String {
        let (done, steps) = self.steps();
        let finished = self.fields.iter().filter(|field| field.done == field.steps).count();
        let mut words = format!("{finished} of {} runs finished", self.fields.len());
        if done > self.found && done < steps && !self.is_stopped {
            let per_step = self.begun.elapsed().as_secs_f64() / (done - self.found) as f64;
            words += &format!(", {} left", in_words(per_step * (steps - done) as f64));
        }
        words
    }

    fn draw_head(&self, sheet: &Sheet, seeds: &[u64]) -> Result<()> {
        write_title(sheet, self.title())?;
        write(sheet, &self.progress(), (WIDTH - MARGIN, 22), HPos::Right, font(14.0))?;
        let (done, steps) = self.steps();
        let end = MARGIN + (f64::from(WIDTH - 2 * MARGIN) * done as f64 / steps.max(1) as f64) as i32;
        for (end, colour) in [(WIDTH - MARGIN, WAITING), (end, [0x66; 3])] {
            fill(sheet, [(MARGIN, 40), (end, 50)], colour)?;
        }
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let key = match &seeds[..] {
            [one] => format!("Target accuracy (%) so far, seed {one}"),
            _ => format!("Target accuracy (%) so far; fields from left to right: seeds {}", seeds.join(", ")),
        };
        write(sheet, &key, (MARGIN, 68), HPos::Left, font(13.0))
    }
}

impl Figure for State {
    fn title(&self) -> &str {
        "Sweep"
    }

    fn draw(&self) -> Result<RgbImage> {
        let tasks = different(self.fields.iter().map(|field| &field.task));
        let methods = different(self.fields.iter().map(|field| &field.method));
        let seeds = different(self.fields.iter().map(|field| field.seed));
        let place = |in_list: Option<usize>| in_list.unwrap_or(0) as i32;
        let left = MARGIN + tasks.iter().map(|task| width_of(task, 14.0)).max().unwrap_or(0) + 8;
        let column = (WIDTH - left - MARGIN) / methods.len().max(1) as i32;
        let width = ((column - 8) / seeds.len().max(1) as i32 - FIELD.1).clamp(4, FIELD.0);
        let height = TOP + ROW * tasks.len() as i32 + 8;
        let svg = svg_of((WIDTH as u32, height as u32), |sheet| {
            self.draw_head(sheet, &seeds)?;
            for (number, method) in methods.iter().enumerate() {
                let x = left + column * number as i32;
                write(sheet, display_name(method), (x, TOP - 16), HPos::Left, font(14.0))?;
            }
            for (row, task) in tasks.iter().enumerate() {
                let y = TOP + ROW * row as i32 + (ROW - FIELD.1) / 2;
                write(sheet, task, (left - 10, y), HPos::Right, font(14.0))?;
            }
            for field in &self.fields {
                let x = left
                    + column * place(methods.iter().position(|method| **method == field.method))
                    + (width + FIELD.1) * place(seeds.iter().position(|seed| *seed == field.seed));
                let y = TOP + ROW * place(tasks.iter().position(|task| **task == field.task));
                field.draw(sheet, (x, y), width)?;
            }
            Ok(())
        })?;
        raster::pixels(&svg)
    }
}

impl Field {
    fn draw(&self, sheet: &Sheet, (x, y): (i32, i32), width: i32) -> Result<()> {
        let bottom = y + ROW - FIELD.1;
        let share = self.done as f64 / self.steps.max(1) as f64;
        let done = x + (f64::from(width) * share).round() as i32;
        let colour = if self.has_failed { FAILED } else { method_colour(&self.method) };
        fill(sheet, [(x, y), (x + width, bottom)], if self.has_failed { FAILED } else { WAITING })?;
        if self.done > 0 {
            fill(sheet, [(x, y), (done, bottom)], colour)?;
        }
        let words = match self.accuracy {
            _ if self.has_failed => "failed".to_owned(),
            Some(accuracy) => format!("{accuracy:.1}"),
            None => return Ok(()),
        };
        if width_of(&words, 12.0) > width {
            return Ok(());
        }
        let ink = readable_on(if share > 0.5 || self.has_failed { colour } else { WAITING });
        let style = font(12.0).color(&ink);
        write(sheet, &words, (x + width / 2, (y + bottom) / 2), HPos::Center, style)
    }
}

fn fill(sheet: &Sheet, corners: [(i32, i32); 2], colour: Colour) -> Result<()> {
    sheet.draw(&Rectangle::new(corners, rgb(colour).filled())).map_err(drawing_error)
}

/// Each once, in the order of their first.
fn different<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_field_fills_with_its_run() {
        let board = Board::new(&plan(), Path::new("nowhere"));
        let mut state = lock(&board.state);
        // In the order of the plan: both methods of seed 1, then those of seed 2.
        (state.fields[1].done, state.fields[2].done) = (3, 1);
        assert_eq!(state.progress().split(',').next(), Some("1 of 4 runs finished"));
        let drawn = state.draw().unwrap();
        let left = MARGIN + width_of("Cl-Rw", 14.0) + 8;
        let column = (WIDTH - left - MARGIN) / 2;
        let at = |method: i32, seed: i32, across: i32| {
            let x = left + column * method + (FIELD.0 + FIELD.1) * seed + across;
            drawn.get_pixel(2 * x as u32, 2 * (TOP + 4) as u32).0
        };
        assert_eq!(at(1, 0, FIELD.0 - 3), method_colour("dannp"));
        assert_eq!((at(0, 1, 10), at(0, 1, 30)), (method_colour("source-only"), WAITING));
        assert_eq!(at(1, 1, 3), WAITING);
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
        assert!(state.fields.iter().all(|field| field.accuracy.is_some()));
    }
}
