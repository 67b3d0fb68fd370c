//! Many runs: every task with every method and every seed, once.
//!
//! ```
//! use toalign::config::RunConfig;
//! use toalign::runs::sweep::Plan;
//! let plan = Plan::new(&RunConfig::mini(), &["all"], &["source-only", "hda+toalign"], &[1, 2, 3])?;
//! assert_eq!(plan.runs.len(), 12 * 2 * 3);
//! assert_eq!((plan.runs[0].task.as_str(), plan.runs[0].seed), ("Ar-Cl", 1));
//! # Ok::<(), toalign::Error>(())
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::folder::{RunFolder, RunState};
use super::session::{Outcome, Session};
use crate::config::{Checked, RunConfig};
use crate::data::names::{all_tasks, find_task, task_name};
use crate::error::{Error, Result, complain};
use crate::lock::lock;
use crate::setup::domain_names;
use crate::train::observer::Observer;

/// The runs of a sweep, in their order: seed by seed, so that a sweep that is stopped early has whole seeds.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Settings of every run.
    pub runs: Vec<Checked>,
}

/// How one run of a sweep ended.
#[derive(Debug)]
pub enum Ended {
    /// It is at its end, now or from an earlier sweep.
    Finished(Outcome),
    /// It was finished before, and was left alone.
    WasFinished,
    /// An observer stopped it; the next sweep goes on with it.
    Stopped(Outcome),
    /// Another process is at work on it.
    Elsewhere,
    /// The sweep was stopped before its turn came.
    NotBegun,
    /// It failed; the others went on.
    Failed(Error),
}

/// Watches a sweep, from all of its threads.
pub trait Overview: Sync {
    /// Whether to begin another run.
    fn goes_on(&self) -> bool {
        true
    }

    /// Whether runs go on although their pictures were changed since their checkpoint was taken.
    fn accepts_changed_data(&self) -> bool {
        false
    }

    /// A run begins; what is returned listens to it.
    fn begin(&self, number: usize, run: &RunConfig) -> Box<dyn Observer>;

    /// A run ended, or was skipped.
    fn end(&self, number: usize, run: &RunConfig, ended: &Ended);
}

impl Plan {
    /// Every task (`all`, or names such as `Ar-Cl`) with every method (such as `hda+toalign`) and every seed.
    ///
    /// # Errors
    /// If the data are absent, a task or a method is unknown, a list is empty, or a setting cannot be meant.
    pub fn new(
        base: &RunConfig,
        tasks: &[impl AsRef<str>],
        methods: &[impl AsRef<str>],
        seeds: &[u64],
    ) -> Result<Self> {
        for (what, length) in [("task", tasks.len()), ("method", methods.len()), ("seed", seeds.len())] {
            if length == 0 {
                return Err(complain(format!("at least one {what}"), "none").into());
            }
        }
        let tasks = tasks_by_name(base, tasks)?;
        let mut runs: Vec<Checked> = Vec::new();
        for &seed in seeds {
            for task in &tasks {
                for method in methods {
                    let run = RunConfig {
                        task: task.clone(),
                        seed,
                        ..base.with_method_name(method.as_ref().trim())?
                    };
                    let run = run.check()?;
                    if !runs.contains(&run) {
                        runs.push(run);
                    }
                }
            }
        }
        Ok(Self { runs })
    }

    /// Run number `index` alone, counted from 0 in the plan's order.
    ///
    /// # Errors
    /// If the plan has fewer runs.
    pub fn only(mut self, index: usize) -> Result<Self> {
        let count = self.runs.len();
        if index >= count {
            return Err(complain(
                format!("a number from 0 to {} of the {count} runs", count - 1),
                index.to_string(),
            )
            .at("--index")
            .advice(
                "the other flags have to be those of the whole sweep; --slurm writes an array job that fits",
            )
            .into());
        }
        self.runs = vec![self.runs.swap_remove(index)];
        Ok(self)
    }

    /// Does what is left to do under `root`, `jobs` runs at a time, and says how each run ended, in the plan's order.
    ///
    /// Runs share nothing but the processor: no result depends on `jobs`. A run that fails does not stop the others, and two
    /// sweeps on the same folder do no run twice.
    pub fn run(&self, root: &Path, jobs: usize, overview: &dyn Overview) -> Result<Vec<Ended>> {
        let jobs = jobs.clamp(1, self.runs.len());
        let queue = Mutex::new(self.runs.iter().enumerate());
        let ended = Mutex::new(BTreeMap::new());
        let work = || {
            loop {
                // Not in the loop's head, where the lock would last until the run is over.
                let Some((number, run)) = lock(&queue).next() else { break };
                let how = self::run(root, number, run, overview);
                overview.end(number, run, &how);
                lock(&ended).insert(number, how);
            }
        };
        let threads = (rayon::current_num_threads() / jobs).max(1);
        let pools = (0..jobs).map(|_| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
        let pools: Vec<rayon::ThreadPool> = pools
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| complain(format!("{jobs} times {threads} threads"), error.to_string()))?;
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| pool.install(work));
            }
        });
        Ok(ended.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect())
    }
}

/// One run, from where it is to its end.
fn run(root: &Path, number: usize, run: &Checked, overview: &dyn Overview) -> Ended {
    let folder = RunFolder::path_of(root, run);
    match RunState::of(&folder, run) {
        Ok(RunState::Finished) => return Ended::WasFinished,
        Ok(RunState::InUse) => return Ended::Elsewhere,
        Ok(_) if !overview.goes_on() => return Ended::NotBegun,
        Ok(RunState::Absent | RunState::Begun) => {}
        Err(error) => return Ended::Failed(error),
    }
    let mut observer = overview.begin(number, run);
    let outcome = Session::to_resume(run.clone(), root).and_then(|mut session| {
        session.accept_changed_data = overview.accepts_changed_data();
        session.run_in(root, true, &mut [&mut *observer])
    });
    match outcome {
        Ok(outcome) if outcome.summary.finished => Ended::Finished(outcome),
        Ok(outcome) => Ended::Stopped(outcome),
        // Between the look at the folder and its opening another process may have begun.
        Err(_) if matches!(RunState::of(&folder, run), Ok(RunState::InUse)) => Ended::Elsewhere,
        Err(error) => Ended::Failed(error),
    }
}

/// The tasks by the short names of their domains, each once, in the given order.
fn tasks_by_name(base: &RunConfig, tasks: &[impl AsRef<str>]) -> Result<Vec<String>> {
    let domains = domain_names(&base.data)?;
    let mut names = Vec::new();
    for task in tasks {
        let meant = match task.as_ref().trim() {
            "all" => all_tasks(&domains),
            one => {
                let (sources, target) = find_task(one, &domains)?;
                vec![task_name(&sources, target, &domains)]
            }
        };
        for name in meant {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tasks: &[&str], methods: &[&str]) -> Result<Vec<(String, String)>> {
        let plan = Plan::new(&RunConfig::mini(), tasks, methods, &[7])?;
        Ok(plan.runs.iter().map(|run| (run.task.clone(), run.method_name())).collect())
    }

    #[test]
    fn a_run_that_is_named_twice_is_planned_once() {
        let runs =
            plan(&["Cl-Rw", "Clipart-Real_World", "rw-cl"], &["dannp", "dannp+toalign", "dannp"]).unwrap();
        let expected =
            [("Cl-Rw", "dannp"), ("Cl-Rw", "dannp+toalign"), ("Rw-Cl", "dannp"), ("Rw-Cl", "dannp+toalign")];
        assert_eq!(runs, expected.map(|(task, method)| (task.to_owned(), method.to_owned())));
        assert_eq!(plan(&["Rw-Ar", "all"], &["hda"]).unwrap().len(), 12);
    }

    #[test]
    fn one_run_of_the_plan_is_taken_by_its_number() {
        let plan = || Plan::new(&RunConfig::mini(), &["Cl-Rw", "Rw-Cl"], &["dannp", "hda"], &[1, 2]).unwrap();
        for (index, run) in plan().runs.iter().enumerate() {
            assert_eq!(plan().only(index).unwrap().runs, std::slice::from_ref(run));
        }
        let message = plan().only(8).unwrap_err().to_string();
        assert!(
            message.starts_with("--index: expected a number from 0 to 7 of the 8 runs, found 8"),
            "{message}"
        );
    }

    #[test]
    fn what_cannot_be_planned_is_named() {
        let message = |tasks: &[&str], methods: &[&str]| plan(tasks, methods).unwrap_err().to_string();
        assert!(message(&["Cl-Xx"], &["hda"]).contains("found 'Xx'"));
        assert!(message(&["Cl-Rw"], &["hdaa"]).contains("did you mean 'hda'?"));
        assert!(message(&["Cl-Rw"], &["source-only+toalign"]).contains("source-only"));
        assert!(message(&[], &["hda"]).contains("expected at least one task, found none"));
    }
}
