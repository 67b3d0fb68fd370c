//! What many runs wrote down, kept as small files and read again: `FOLDER/<data>/<task>/<method>/<seed>.jsonl`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder::{RunFolder, read_metrics, records_in};
use crate::config::RunConfig;
use crate::error::{Result, complain, file_error};
use crate::files::write_atomically;
use crate::train::label_free::LabelFree;
use crate::train::record::{Finish, Record};

/// One run of a study.
#[derive(Debug, Clone)]
pub struct StudyRun {
    /// Its task, such as `Cl-Rw`.
    pub task: String,
    /// Its method, such as `hda+toalign`.
    pub method: String,
    /// Its seed.
    pub seed: u64,
    /// What it wrote down.
    pub records: Vec<Record>,
}

/// Many runs, in the order of task, method and seed.
#[derive(Debug, Clone, Default)]
pub struct Study {
    /// The runs.
    pub runs: Vec<StudyRun>,
}

impl Study {
    /// The runs of one method on one task, by seed.
    pub fn of<'a>(&'a self, task: &'a str, method: &'a str) -> impl Iterator<Item = &'a StudyRun> {
        self.runs.iter().filter(move |run| run.task == task && run.method == method)
    }

    /// The tasks, each once, in the order of the alphabet.
    pub fn tasks(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.runs.iter().map(|run| run.task.as_str()).collect();
        names.into_iter().collect()
    }

    /// The seeds, each once, the smallest first.
    pub fn seeds(&self) -> Vec<u64> {
        let seeds: BTreeSet<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.into_iter().collect()
    }

    /// The length of the longest run, whether or not it got there.
    pub fn planned_steps(&self) -> usize {
        let steps = self.runs.iter().flat_map(|run| &run.records).map(|record| match record {
            Record::Start { steps, .. } => *steps,
            other => other.step(),
        });
        steps.max().unwrap_or(0)
    }

    /// Target accuracy after the last step, in percent, of every finished run of one method on one task, by seed.
    pub fn last_accuracies(&self, task: &str, method: &str) -> Vec<f64> {
        self.of(task, method).filter_map(|run| Some(run.finish()?.last_target_accuracy)).collect()
    }
}

impl StudyRun {
    /// How the run ended; none if it did not reach its end.
    pub fn finish(&self) -> Option<&Finish> {
        self.records.iter().rev().find_map(Record::finish)
    }

    /// How many tests it wrote down.
    pub fn tests(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, Record::Test { .. })).count()
    }

    /// Of its last test, the accuracy on the source in percent, and what can be said without the target's labels.
    pub fn last_test(&self) -> Option<(f64, Option<LabelFree>)> {
        self.records.iter().rev().find_map(|record| match record {
            Record::Test { source_accuracy, label_free, .. } => Some((*source_accuracy, *label_free)),
            _ => None,
        })
    }

    /// What `point` finds in the records, by its step. A run that was resumed may have repeated some steps: the later counts.
    pub fn points(&self, point: impl Fn(&Record) -> Option<(usize, f64)>) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (step, value) in self.records.iter().filter_map(point) {
            let step = step as f64;
            while points.last().is_some_and(|(last, _)| *last >= step) {
                points.pop();
            }
            points.push((step, value));
        }
        points
    }
}

/// Copies the records of the run with these settings under `root` to `kept`.
///
/// # Errors
/// If they cannot be read or written.
pub fn keep(root: &Path, config: &RunConfig, kept: &Path) -> Result<()> {
    let records = read_metrics(&RunFolder::path_of(root, config))?;
    let mut lines = String::new();
    for record in &records {
        lines += &serde_json::to_string(record)
            .map_err(|error| complain("a record that fits JSON", error.to_string()))?;
        lines.push('\n');
    }
    let path = RunFolder::path_of(kept, config).with_extension("jsonl");
    let folder = path.parent().unwrap_or(kept);
    std::fs::create_dir_all(folder).map_err(|error| file_error("create", folder, error))?;
    write_atomically(&path, lines.as_bytes())
}

/// Reads the runs that `keep` left in `folder`, which is that of one data set, such as `records/mini`.
///
/// # Errors
/// If there are none, or a line is no record.
pub fn read_study(folder: impl AsRef<Path>) -> Result<Study> {
    let folder = folder.as_ref();
    let mut runs = Vec::new();
    for task in inside(folder)? {
        for method in inside(&task)? {
            for file in inside(&method)? {
                let Some(seed) = name(&file).strip_suffix(".jsonl").and_then(|seed| seed.parse().ok()) else {
                    continue;
                };
                let bytes = std::fs::read(&file).map_err(|error| file_error("read", &file, error))?;
                let records = records_in(&bytes, &file)?;
                runs.push(StudyRun { task: name(&task), method: name(&method), seed, records });
            }
        }
    }
    if runs.is_empty() {
        return Err(complain("<task>/<method>/<seed>.jsonl", "none")
            .at(folder.display())
            .advice("make them with `toalign sweep --records FOLDER`")
            .into());
    }
    runs.sort_by(|a, b| (&a.task, &a.method, a.seed).cmp(&(&b.task, &b.method, b.seed)));
    Ok(Study { runs })
}

pub(super) fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_file() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|error| file_error("read", folder, error))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> =
        paths.collect::<std::io::Result<_>>().map_err(|error| file_error("read", folder, error))?;
    paths.sort();
    Ok(paths)
}

pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fingerprint::Fingerprint;

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (root, kept) = (folder.path().join("runs"), folder.path().join("kept"));
        let finish = |accuracy| {
            Record::Finish(Finish {
                step: 9,
                last_target_accuracy: accuracy,
                best_target_accuracy: accuracy,
                best_step: 9,
                seconds_per_step: 0.1,
            })
        };
        for (seed, accuracy) in [(10, 61.5), (2, 60.0)] {
            let config = RunConfig { seed, method: "dannp".parse().unwrap(), ..RunConfig::mini() };
            let drawn = Fingerprint::parse("");
            let (mut run, _) = RunFolder::open(&root, &config, &drawn, false, false).unwrap();
            crate::train::observer::Observer::on_record(&mut run, &finish(accuracy)).unwrap();
            keep(&root, &config, &kept).unwrap();
        }
        let study = read_study(kept.join("mini")).unwrap();
        assert_eq!(study.last_accuracies("Cl-Rw", "dannp"), [60.0, 61.5]);
        assert_eq!(study.runs[1].records, [finish(61.5)]);
        let message = read_study(folder.path()).unwrap_err().to_string();
        assert!(message.contains("--records"), "{message}");
        assert!(read_study(folder.path().join("absent")).is_err());
    }
}
