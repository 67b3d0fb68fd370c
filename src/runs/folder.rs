//! The folder of a run: its configuration, its metrics, its log and its two checkpoints.
//!
//! `ROOT/<data>/<Ar-Pr>/<method>/<seed>/` holds `config.toml`, `pictures.tsv` (which files it sees), `metrics.jsonl` (one
//! [`Record`] per line), `log.txt` (for people), `last.safetensors` and `best.safetensors`. After a kill at any moment, [`RunFolder::open`] takes everything
//! back to the last checkpoint; `log.txt` alone keeps all that ever happened.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::study::inside;
use crate::config::RunConfig;
use crate::data::fingerprint::Fingerprint;
use crate::data::names::{earlier_task_name, find_task};
use crate::error::{Result, complain, file_error};
use crate::files::write_atomically;
use crate::setup::domain_names;
use crate::train::checkpoint::Checkpoint;
use crate::train::observer::{Kept, Observer, TestReport};
use crate::train::record::Record;

const CONFIG: &str = "config.toml";
pub(super) const METRICS: &str = "metrics.jsonl";
const LOG: &str = "log.txt";
const PICTURES: &str = "pictures.tsv";

/// Settings that are not of the run but of the machine it is on, so that a resumed run may have others. Its pictures are
/// known by their fingerprint, wherever they are, and initial weights are needed once.
const FREE_KEYS: [&str; 5] = ["workers", "device", "precision", "data", "weights"];

/// The file name of a checkpoint inside a run's folder.
pub fn checkpoint_name(kept: Kept) -> &'static str {
    match kept {
        Kept::Last => "last.safetensors",
        Kept::Best => "best.safetensors",
    }
}

/// How far the run in a folder is, as one can tell without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// No step was kept.
    Absent,
    /// There is a checkpoint to go on from.
    Begun,
    /// All steps are done.
    Finished,
    /// A process trains in it.
    InUse,
}

impl RunState {
    /// The state of the run with these settings in `folder`.
    ///
    /// # Errors
    /// If the folder holds a run with other settings, or a checkpoint that cannot be read.
    pub fn of(folder: &Path, config: &RunConfig) -> Result<Self> {
        let log = folder.join(LOG);
        if log.exists() && matches!(append_to(&log)?.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(Self::InUse);
        }
        let last = folder.join(checkpoint_name(Kept::Last));
        if !last.exists() {
            return Ok(Self::Absent);
        }
        if folder.join(CONFIG).exists() {
            require_same_settings(folder, config)?;
        }
        Ok(match Checkpoint::header(&last)?.progress.step >= config.steps {
            true => Self::Finished,
            false => Self::Begun,
        })
    }
}

/// An open folder of a run; nobody else can train in it meanwhile.
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    log: File,
    /// The last line of the log, without its time.
    last_line: String,
}

impl RunFolder {
    /// Where the run with these settings belongs under `root`, or where an earlier version put it.
    pub fn path_of(root: &Path, config: &RunConfig) -> PathBuf {
        let with_task = |task: &str| {
            let folder = root.join(config.data.short_name()).join(task);
            folder.join(config.method_name()).join(config.seed.to_string())
        };
        let path = with_task(&config.task);
        if path.exists() {
            return path;
        }
        let earlier = earlier_task(config).map(|task| with_task(&task));
        earlier.filter(|earlier| earlier.join(CONFIG).exists()).unwrap_or(path)
    }

    /// The folder of the run that has a checkpoint to go on from, also if its pictures have moved to a folder of another name.
    ///
    /// # Errors
    /// If several runs are on these pictures.
    pub(super) fn to_resume(
        root: &Path,
        config: &RunConfig,
        pictures: impl FnOnce() -> Fingerprint,
    ) -> Result<Option<PathBuf>> {
        let path = Self::path_of(root, config);
        if path.join(checkpoint_name(Kept::Last)).exists() {
            return Ok(Some(path));
        }
        // To know the pictures takes a look at every file: only where the run is not in its place.
        let pictures = pictures();
        let mut found = Vec::new();
        for data in inside(root).unwrap_or_default() {
            let path = data.join(&config.task).join(config.method_name()).join(config.seed.to_string());
            let last = path.join(checkpoint_name(Kept::Last));
            // A damaged checkpoint of another run is not this one's trouble.
            if last.exists()
                && Checkpoint::header(&last)
                    .is_ok_and(|header| header.pictures.as_deref() == Some(pictures.digest()))
            {
                found.push(path);
            }
        }
        if let [one, other, ..] = &found[..] {
            return Err(complain(
                "one run on these pictures",
                format!("{} and {}", one.display(), other.display()),
            )
            .at(root.display())
            .advice(
                "move one of them elsewhere, or go on with --data as config.toml of the one you mean has it",
            )
            .into());
        }
        Ok(found.pop())
    }

    /// Opens the folder of the run with these settings on these pictures, and the checkpoint to go on from, if there is one.
    ///
    /// With `resume`, lines of `metrics.jsonl` that are later than the checkpoint are cut. What was started but has no
    /// checkpoint starts again, with or without `resume`, and with whatever settings. A run on pictures that were
    /// changed since goes on only if `accept_changed_data`.
    ///
    /// # Errors
    /// If the folder cannot be written, holds a run (without `resume`), holds one with other settings or on other pictures,
    /// or is in use.
    pub fn open(
        root: &Path,
        config: &RunConfig,
        pictures: &Fingerprint,
        resume: bool,
        accept_changed_data: bool,
    ) -> Result<(Self, Option<Checkpoint>)> {
        let begun = if resume { Self::to_resume(root, config, || pictures.clone())? } else { None };
        let path = begun.unwrap_or_else(|| Self::path_of(root, config));
        std::fs::create_dir_all(&path).map_err(|error| file_error("create", &path, error))?;
        let log = append_to(&path.join(LOG))?;
        lock(&log, &path)?;

        let mut checkpoint = None;
        if path.join(checkpoint_name(Kept::Last)).exists() {
            if !resume {
                return Err(complain("a folder without a run", "a run that was started before")
                    .at(path.display())
                    .advice(
                        "--resume goes on with it; or choose another --out or --seed, or delete the folder",
                    )
                    .into());
            }
            if path.join(CONFIG).exists() {
                require_same_settings(&path, config)?;
            }
            let found = Checkpoint::load(&path.join(checkpoint_name(Kept::Last)))?;
            if !accept_changed_data {
                require_same_pictures(&path, &found, config, pictures)?;
            }
            checkpoint = Some(found);
        }
        write_atomically(&path.join(CONFIG), config.to_toml()?.as_bytes())?;
        write_atomically(&path.join(PICTURES), pictures.to_text().as_bytes())?;
        let step = checkpoint.as_ref().map(|found| found.header.progress.step);
        cut_after(&path.join(METRICS), step)?;
        let metrics = append_to(&path.join(METRICS))?;
        let last_line = last_line(&path.join(LOG));
        let mut folder = Self { path, metrics, log, last_line };
        if let Some(step) = step {
            folder.write_log(&format!("resumed after {step} of {} steps", config.steps))?;
        }
        Ok((folder, checkpoint))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line; the same twice, as of a finished run that is resumed again and again, says nothing new.
    fn write_log(&mut self, line: &str) -> Result<()> {
        if self.last_line == line {
            return Ok(());
        }
        line.clone_into(&mut self.last_line);
        let path = self.path.join(LOG);
        let line = format!("[{}] {line}\n", Utc::now().format("%Y-%m-%d %H:%M:%S"));
        self.log.write_all(line.as_bytes()).map_err(|error| file_error("write", path, error))
    }
}

impl Observer for RunFolder {
    /// One line in the form of the published code, which counts steps from 0; without labels, what can be said without.
    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        let target = match report.target.accuracy.is_nan() {
            true => format!(
                "tar_entropy: {:.3} | tar_snd: {:.3}",
                report.label_free.entropy, report.label_free.density
            ),
            false => {
                format!("tar_acc: {:.3} | best_acc: {:.3}", report.target.accuracy, report.best.accuracy)
            }
        };
        let (step, source) = (report.step - 1, report.source.accuracy);
        self.write_log(&format!("I: {step}/{} | src_acc: {source:.3} | {target}", report.steps))?;
        Ok(ControlFlow::Continue(()))
    }

    fn on_record(&mut self, record: &Record) -> Result<()> {
        let path = self.path.join(METRICS);
        let mut line = serde_json::to_string(record)
            .map_err(|error| complain("a record that fits JSON", error.to_string()))?;
        line.push('\n');
        self.metrics.write_all(line.as_bytes()).map_err(|error| file_error("write", path, error))
    }

    fn on_checkpoint(&mut self, kept: Kept, take: &dyn Fn() -> Result<Checkpoint>) -> Result<()> {
        take()?.save(&self.path.join(checkpoint_name(kept)))
    }
}

/// The settings of the run in `folder`.
///
/// # Errors
/// If there is no run, or its configuration cannot be read.
pub fn read_config(folder: &Path) -> Result<RunConfig> {
    let path = folder.join(CONFIG);
    if !path.is_file() {
        return Err(complain("the folder of a run, with config.toml in it", "none")
            .at(folder.display())
            .advice("a run's folder is ROOT/<data>/<task>/<method>/<seed>, as `toalign train` prints it")
            .into());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| file_error("read", &path, error))?;
    Ok(toml::from_str(&text)
        .map_err(|error| complain("all settings of a run", error.message().trim()).at(path.display()))?)
}

/// The metrics of the run in `folder`. A last line that was cut short by a kill is left out.
///
/// # Errors
/// If the file cannot be read or another line is no record.
pub fn read_metrics(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(METRICS);
    let bytes = std::fs::read(&path).map_err(|error| file_error("read", &path, error))?;
    records_in(&bytes, &path)
}

/// The records in the bytes of a file.
pub(super) fn records_in(bytes: &[u8], path: &Path) -> Result<Vec<Record>> {
    Ok(records_of(bytes, path)?.into_iter().map(|(record, _)| record).collect())
}

/// Every record with the line that it stands in.
fn records_of<'a>(bytes: &'a [u8], path: &Path) -> Result<Vec<(Record, &'a [u8])>> {
    let mut records = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            break; // half a line: the process was killed while it wrote
        }
        let record = serde_json::from_slice(line).map_err(|error| {
            complain("a record in JSON", error.to_string())
                .at_line(path, index + 1)
                .advice("delete this line")
        })?;
        records.push((record, line));
    }
    Ok(records)
}

/// Cuts `metrics.jsonl` at the first record that is later than `step`; without a checkpoint, all of it.
fn cut_after(path: &Path, step: Option<usize>) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(|error| file_error("read", path, error))?;
    let mut kept = Vec::new();
    if let Some(step) = step {
        for (record, line) in records_of(&bytes, path)? {
            if record.step() > step {
                break;
            }
            kept.extend_from_slice(line);
        }
    }
    if kept == bytes {
        return Ok(());
    }
    write_atomically(path, &kept)
}

/// The task's name as earlier versions had it.
fn earlier_task(config: &RunConfig) -> Option<String> {
    let domains = domain_names(&config.data).ok()?;
    let (sources, target) = find_task(&config.task, &domains).ok()?;
    Some(earlier_task_name(&sources, target, &domains))
}

fn require_same_settings(folder: &Path, config: &RunConfig) -> Result<()> {
    let mut before = read_config(folder)?;
    if before.task != config.task && Some(&before.task) == earlier_task(config).as_ref() {
        before.task.clone_from(&config.task);
    }
    let path = folder.join(CONFIG);
    let mut differences = before.differences(config)?;
    differences.retain(|(key, _, _)| !FREE_KEYS.contains(&key.as_str()));
    let Some((key, old, new)) = differences.first() else {
        return Ok(());
    };
    let more = match differences.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more settings differ)"),
    };
    Err(complain(
        format!("the settings that the run was started with: {key} = {old}"),
        format!("{key} = {new}{more}"),
    )
    .at(path.display())
    .advice(format!("resume with --config {}, or start a new run with another --out", path.display()))
    .into())
}

fn require_same_pictures(
    folder: &Path,
    checkpoint: &Checkpoint,
    config: &RunConfig,
    now: &Fingerprint,
) -> Result<()> {
    let advice = "restore them; or --accept-changed-data goes on with what is there, to an end that no undisturbed run has";
    let Some(before) = &checkpoint.header.pictures else {
        // A run of an earlier version knows its pictures by their place only.
        let (old, new) = (&checkpoint.header.config.data, &config.data);
        return match old == new {
            true => Ok(()),
            false => Err(complain(format!("the data that the run was started with: {old}"), new.to_string())
                .at(folder.display())
                .advice("--accept-changed-data goes on if they are the same pictures in another place")
                .into()),
        };
    };
    if *before == now.digest() {
        return Ok(());
    }
    let written = std::fs::read_to_string(folder.join(PICTURES)).unwrap_or_default();
    let written = Fingerprint::parse(&written);
    let changes = match written.digest() == *before {
        true => written.changes_to(now),
        false => format!("others ({PICTURES} no longer says which the first were)"),
    };
    Err(complain("the pictures that the run was started with", changes)
        .at(folder.display())
        .advice(advice)
        .into())
}

/// The last line of a log, without its time; nothing of what is no regular file.
fn last_line(log: &Path) -> String {
    const LONGEST: u64 = 4096;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST)))?;
        let mut end = Vec::new();
        file.take(LONGEST).read_to_end(&mut end)?;
        Ok(end)
    };
    let end = if log.is_file() { read().unwrap_or_default() } else { vec![] };
    let text = String::from_utf8_lossy(&end);
    let line = text.lines().last().unwrap_or_default();
    line.split_once("] ").map_or(line, |(_, words)| words).to_owned()
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| file_error("open", path, error))
}

/// The operating system drops this lock with the process, also after a kill.
fn lock(log: &File, folder: &Path) -> Result<()> {
    match log.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(complain("a folder that nobody trains in", "another process at work")
                .at(folder.display())
                .advice("wait for it to end, or choose another --out or --seed")
                .into())
        }
        // Some network file systems know no locks.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeviceChoice;
    use crate::train::checkpoint::Header;
    use crate::train::progress::Progress;

    fn drawn() -> Fingerprint {
        Fingerprint::parse("Art/Mug/drawn\t0\n")
    }

    fn folder_with(lines: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        std::fs::write(&path, lines).unwrap();
        (folder, path)
    }

    fn test_line(step: usize) -> String {
        let record = Record::Test {
            step,
            source_accuracy: 90.0,
            target_accuracy: 50.0,
            best_target_accuracy: 55.5,
            label_free: None,
            seconds: 0.5,
        };
        serde_json::to_string(&record).unwrap() + "\n"
    }

    #[test]
    fn lines_after_the_checkpoint_are_cut_and_half_a_line_is_dropped() {
        let (before, after) = (test_line(10) + &test_line(20), test_line(30));
        let (folder, path) = folder_with(&format!("{before}{after}{{\"kind\":\"te"));
        assert_eq!(read_metrics(folder.path()).unwrap().len(), 3);
        cut_after(&path, Some(29)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        cut_after(&path, None).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let (folder, _) = folder_with(&format!("{}oops\n{}", test_line(10), test_line(20)));
        let message = read_metrics(folder.path()).unwrap_err().to_string();
        assert!(message.contains("metrics.jsonl:2: expected a record in JSON"), "{message}");
    }

    #[test]
    fn a_run_is_not_written_over_and_resumes_only_with_its_own_settings() {
        let root = tempfile::tempdir().unwrap();
        let config = RunConfig::mini();
        let (folder, checkpoint) = RunFolder::open(root.path(), &config, &drawn(), false, false).unwrap();
        assert!(checkpoint.is_none());
        assert!(folder.path().ends_with("mini/Cl-Rw/hda/0"));
        let message = |config: &RunConfig, resume| {
            let opened = RunFolder::open(root.path(), config, &drawn(), resume, false);
            opened.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message(&config, true).contains("found another process at work"));
        // A start that kept nothing blocks nothing.
        let path = folder.path().to_owned();
        drop(folder);
        let longer = RunConfig { steps: 600, ..config.clone() };
        assert_eq!(message(&longer, false), "");
        assert_eq!(message(&config, true), "");
        let header = Header {
            pictures: Some(drawn().digest().to_owned()),
            ..Header::new(&config, "Cl-Rw", &[], &Progress::default())
        };
        Checkpoint::of(header, &[], &[]).unwrap().save(&path.join("last.safetensors")).unwrap();
        let again = message(&config, false);
        assert!(again.contains("expected a folder without a run"), "{again}");
        let differing = message(&longer, true);
        assert!(differing.contains("steps = 500, found steps = 600"), "{differing}");
        let quicker = RunConfig { workers: 7, device: DeviceChoice::Cuda(1), ..config.clone() };
        assert_eq!(message(&quicker, true), "");
    }

    #[test]
    fn the_state_of_a_run_is_told_from_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let config = RunConfig { steps: 9, ..RunConfig::mini() };
        let path = RunFolder::path_of(root.path(), &config);
        let state = || RunState::of(&path, &config).unwrap();
        assert_eq!(state(), RunState::Absent);
        let (folder, _) = RunFolder::open(root.path(), &config, &drawn(), false, false).unwrap();
        assert_eq!(state(), RunState::InUse);
        drop(folder);
        for (step, expected) in [(8, RunState::Begun), (9, RunState::Finished)] {
            let progress = Progress { step, ..Progress::default() };
            let header = Header::new(&config, "Cl-Rw", &["a".to_owned()], &progress);
            let checkpoint = Checkpoint::of(header, &[], &[]).unwrap();
            checkpoint.save(&path.join("last.safetensors")).unwrap();
            assert_eq!(state(), expected);
        }
        let other = RunConfig { steps: 10, ..config.clone() };
        let message = RunState::of(&path, &other).unwrap_err().to_string();
        assert!(message.contains("steps = 9, found steps = 10"), "{message}");
        std::fs::write(path.join("last.safetensors"), [255; 20]).unwrap();
        let message = RunState::of(&path, &config).unwrap_err().to_string();
        assert!(message.contains("expected a complete checkpoint"), "{message}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let message = |root: &str| {
            let opened = RunFolder::open(Path::new(root), &RunConfig::mini(), &drawn(), false, false);
            opened.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message("/dev/full").starts_with("cannot create /dev/full/mini/Cl-Rw/hda/0: "));
        assert!(message("/proc/no").starts_with("cannot create /proc/no/mini/Cl-Rw/hda/0: "));
    }
}
