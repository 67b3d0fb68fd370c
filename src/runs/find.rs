//! Finding runs in a folder: those that `toalign train` and `sweep` write, or the small records that are kept of them.

use std::path::{Path, PathBuf};

use super::folder::{METRICS, records_in};
use super::study::{Study, StudyRun, inside, name};
use crate::error::{Result, complain, file_error};
use crate::train::record::Record;

/// How far below the given folder a run may lie: `<data>/<task>/<method>/<seed>/metrics.jsonl`.
const DEPTH: usize = 5;

/// The data that the published numbers are of, as a folder of runs is called.
const OFFICE_HOME: &str = "office-home";

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct FoundRuns {
    /// The data that the runs are on: the name of their folder, such as `mini`.
    pub data: String,
    /// The finished runs.
    pub study: Study,
    /// Whether the published numbers, which are of Office-Home, stand beside them.
    pub show_published: bool,
    /// The others, such as `Cl-Rw hda seed 1: 200 of 500 steps`.
    pub unfinished: Vec<String>,
    /// What one should know before the runs are compared, such as that they are of different lengths.
    pub remarks: Vec<String>,
}

/// Finds the runs in `folder`: `runs`, `runs/<data>` or any folder below, or the same of `toalign sweep --records`.
///
/// # Errors
/// If the folder cannot be read, holds no run, no finished run, runs on several data, or a line that is no record.
pub fn find_runs(folder: impl AsRef<Path>) -> Result<FoundRuns> {
    let folder = folder.as_ref();
    let mut files = Vec::new();
    collect(&folder.canonicalize().map_err(|error| file_error("read", folder, error))?, DEPTH, &mut files)?;
    let mut found = FoundRuns::default();
    let mut data = Vec::new();
    for file in files {
        let Some((of, mut run)) = run_of(&file) else { continue };
        if !data.contains(&of) {
            data.push(of);
        }
        let bytes = std::fs::read(&file).map_err(|error| file_error("read", &file, error))?;
        run.records = records_in(&bytes, &file)?;
        match run.finish() {
            Some(_) => found.study.runs.push(run),
            None => found.unfinished.push(how_far(&run)),
        }
    }
    let advice =
        "give the folder that `toalign train` or `toalign sweep` wrote its runs to (--out), or --records";
    match data.as_slice() {
        [] => {
            return Err(complain("runs, as <data>/<task>/<method>/<seed>/metrics.jsonl", "none")
                .at(folder.display())
                .advice(advice)
                .into());
        }
        [one] => {
            found.data = one.clone();
            found.show_published = one == OFFICE_HOME;
        }
        _ => {
            return Err(complain("runs on one data set", format!("runs on {}", data.join(", ")))
                .at(folder.display())
                .advice(format!("give one of their folders, such as {}", folder.join(&data[0]).display()))
                .into());
        }
    }
    if found.study.runs.is_empty() {
        let found = format!("{} unfinished: {}", found.unfinished.len(), found.unfinished.join("; "));
        return Err(complain("at least one finished run", found)
            .at(folder.display())
            .advice("go on with it: the same command again for a sweep, --resume for a single run")
            .into());
    }
    found.study.runs.sort_by(|a, b| (&a.task, &a.method, a.seed).cmp(&(&b.task, &b.method, b.seed)));
    found.remarks = remarks(&found.study);
    Ok(found)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in inside(folder)? {
        // A link may lead back up; a run is never behind one.
        if path.is_dir() && !path.is_symlink() && depth > 1 {
            collect(&path, depth - 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

/// The data and the run, still without records, that a file belongs to by its path.
fn run_of(file: &Path) -> Option<(String, StudyRun)> {
    let seed = match name(file) == METRICS {
        true => file.parent()?.to_owned(),
        false => file.with_extension(""),
    };
    let method = seed.parent()?;
    let task = method.parent()?;
    let run = StudyRun {
        task: name(task),
        method: name(method),
        seed: name(&seed).parse().ok()?,
        records: Vec::new(),
    };
    Some((name(task.parent()?), run))
}

fn how_far(run: &StudyRun) -> String {
    let (mut done, mut planned) = (0, 0);
    for record in &run.records {
        match record {
            Record::Start { steps, from_step, .. } => (done, planned) = (*from_step, *steps),
            Record::Train { step, .. } | Record::Test { step, .. } => done = *step,
            _ => {}
        }
    }
    format!("{} {} seed {}: {done} of {planned} steps", run.task, run.method, run.seed)
}

fn remarks(study: &Study) -> Vec<String> {
    let mut lengths: Vec<usize> = study.runs.iter().filter_map(|run| Some(run.finish()?.step)).collect();
    lengths.sort_unstable();
    lengths.dedup();
    match lengths.len() {
        0 | 1 => Vec::new(),
        _ => {
            let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
            vec![format!("The runs are not equally long ({} steps): compare with care.", lengths.join(", "))]
        }
    }
}
