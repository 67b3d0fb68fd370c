//! Finding runs in a folder: those that `toalign train` and `sweep` write, or the small records that are kept of them.

use std::path::{Path, PathBuf};

use super::folder::{METRICS, records_in};
use super::study::{Study, StudyRun, inside, name};
use crate::error::{Result, complain, file_error};
use crate::train::record::Record;

/// How far below the given folder a run may lie: `<data>/<task>/<method>/<seed>/metrics.jsonl`.
const DEPTH: usize = 5;

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct FoundRuns {
    /// The data that the runs are on: the name of their folder, such as `mini`.
    pub data: String,
    /// The finished runs.
    pub study: Study,
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
        [one] => found.data = one.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"kind":"start","method":"hda","task":"Cl-Rw","seed":1,"steps":9,"from_step":0}"#;
    const FINISH: &str = r#"{"kind":"finish","step":9,"last_target_accuracy":60.0,"best_target_accuracy":61.0,"best_step":4,"seconds_per_step":0.1}"#;

    fn put(folder: &Path, path: &str, lines: &[&str]) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    fn message(folder: &Path) -> String {
        find_runs(folder).unwrap_err().to_string()
    }

    #[test]
    fn runs_and_records_are_found_from_every_level() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, "runs/mini/Cl-Rw/hda/2/metrics.jsonl", &[START, FINISH]);
        put(root, "runs/mini/Cl-Rw/hda/1/metrics.jsonl", &[START, FINISH, "{\"kind\":\"te"]);
        put(root, "runs/mini/Cl-Rw/dannp/1/metrics.jsonl", &[START]);
        put(root, "kept/mini/Cl-Rw/hda/7.jsonl", &[START, FINISH]);
        // Half a line at the end is what a kill leaves.
        let half = root.join("runs/mini/Cl-Rw/hda/1/metrics.jsonl");
        std::fs::write(&half, format!("{START}\n{FINISH}\n{{\"kind\":\"te")).unwrap();
        for start in ["runs", "runs/mini", "runs/mini/Cl-Rw"] {
            let found = find_runs(root.join(start)).unwrap();
            assert_eq!((found.data.as_str(), found.study.runs.len()), ("mini", 2), "{start}");
            assert_eq!((found.study.runs[0].seed, found.study.runs[1].method.as_str()), (1, "hda"));
            assert_eq!(found.unfinished, ["Cl-Rw dannp seed 1: 0 of 9 steps"]);
        }
        assert_eq!(find_runs(root.join("kept")).unwrap().study.runs[0].seed, 7);
        assert!(find_runs(root.join("kept")).unwrap().remarks.is_empty());
    }

    #[test]
    fn what_cannot_be_reported_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let none = message(root);
        assert!(none.contains("expected runs, as <data>/<task>/<method>/<seed>/metrics.jsonl, found none"));
        assert!(none.contains("what to do: give the folder"), "{none}");
        assert!(message(&root.join("absent")).contains("check the spelling"));
        put(root, "mini/Cl-Rw/hda/1/metrics.jsonl", &[START]);
        let unfinished = message(root);
        assert!(
            unfinished.contains("expected at least one finished run, found 1 unfinished"),
            "{unfinished}"
        );
        put(root, "toys/Cl-Rw/hda/1/metrics.jsonl", &[START, FINISH]);
        let several = message(root);
        assert!(several.contains("expected runs on one data set, found runs on mini, toys"), "{several}");
        put(root, "toys/Cl-Rw/hda/2/metrics.jsonl", &[START, "oops", FINISH]);
        let damaged = message(&root.join("toys"));
        assert!(damaged.contains("metrics.jsonl:2: expected a record in JSON"), "{damaged}");
        assert!(message(&root.join("toys/Cl-Rw/hda/1/metrics.jsonl")).contains("found none"));
    }

    #[test]
    fn runs_of_different_lengths_are_remarked() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "mini/Cl-Rw/hda/1/metrics.jsonl", &[FINISH]);
        put(folder.path(), "mini/Cl-Rw/hda/2/metrics.jsonl", &[&FINISH.replace(":9", ":300")]);
        let remarks = find_runs(folder.path()).unwrap().remarks;
        assert_eq!(remarks, ["The runs are not equally long (9, 300 steps): compare with care."]);
    }
}
