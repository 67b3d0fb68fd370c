//! What breaks around a sweep while it works, or between two: it says so, and nothing that was finished is lost.

#[path = "common/same.rs"]
mod same;
#[path = "common/toy.rs"]
mod toy;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use same::assert_same_run;
use tempfile::TempDir;
use toalign::config::{DataSource, RunConfig, Weights};
use toalign::runs::folder::read_metrics;
use toalign::runs::session::Session;
use toalign::runs::study::read_study;
use toalign::train::observer::{Observer, StepReport, StopAfter};
use toalign::train::record::Record;
use toy::{command, complaint, pictures, toalign, with};

/// Four runs of the toy pictures.
const RUNS: [&str; 4] =
    ["Ar-Re/source-only/1", "Ar-Re/source-only/2", "Re-Ar/source-only/1", "Re-Ar/source-only/2"];

/// A folder with toy pictures and the arguments of a sweep of [`RUNS`].
fn workplace() -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let flags = format!(
        "sweep --preset mini --data folder:{} --tasks all --methods source-only --seeds 1,2 --weights none \
         --batch-size 4 --steps 6 --test-every 3 --log-every 2 --checkpoint-every 2 --discriminator-hidden 16 \
         --resize 16 --pad 0 --crop 16",
        data.display()
    );
    (folder, flags.split_whitespace().map(str::to_owned).collect())
}

fn sweep(folder: &Path, arguments: &[String], more: &[&str]) -> String {
    let output = toalign(folder, &with(arguments, more));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run(folder: &Path, out: &str, name: &str) -> PathBuf {
    folder.join(out).join("toy3x5").join(name)
}

fn assert_all_the_same(folder: &Path, out: &str) {
    for name in RUNS {
        assert_same_run(&run(folder, "straight", name), &run(folder, out, name));
    }
}

/// The settings of the first of [`RUNS`].
fn first(folder: &Path) -> RunConfig {
    RunConfig {
        data: DataSource::Folder(folder.join("toy3x5")),
        task: "Ar-Re".into(),
        method: "source-only".parse().unwrap(),
        weights: Weights::None,
        seed: 1,
        batch_size: 4,
        steps: 6,
        test_every: 3,
        log_every: 2,
        checkpoint_every: 2,
        discriminator_hidden: 16,
        resize: 16,
        pad: 0,
        crop: 16,
        ..RunConfig::mini()
    }
}

/// No file of the child may grow beyond `bytes`: to it, this is a disk that is full.
#[cfg(target_os = "linux")]
fn on_a_small_disk(folder: &Path, arguments: &[&str], bytes: u64) -> std::process::Output {
    use std::os::unix::process::CommandExt;
    let mut command = command(folder, arguments);
    // SAFETY: two system calls that are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    command.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_loses_nothing_that_was_finished() {
    let (folder, arguments) = workplace();
    let folder = folder.path();
    sweep(folder, &arguments, &["--out", "straight"]);
    sweep(folder, &arguments, &["--out", "full", "--index", "0"]);
    let settings = run(folder, "straight", RUNS[1]).join("config.toml");
    let settings = std::fs::metadata(settings).unwrap().len();
    // Room for nothing; then for all but the checkpoints; and then for all.
    for (room, file) in [(settings - 1, "config.toml"), (60_000, "last.safetensors")] {
        let output = on_a_small_disk(folder, &with(&arguments, &["--out", "full"]), room);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("found 3 that failed"), "{message}");
        let place = run(Path::new(""), "full", RUNS[1]);
        let place = place.join(file);
        assert!(message.contains(&format!("cannot write {}: File too large", place.display())), "{message}");
        assert!(message.contains("what to do: free some space"), "{message}");
        let partial = std::fs::read_dir(run(folder, "full", RUNS[1]))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"));
        assert_eq!(partial.count(), 0, "a half-written file was left behind");
    }
    assert_eq!(
        sweep(folder, &arguments, &["--out", "full"]),
        "4 runs in full: 3 finished, 1 finished before\n"
    );
    assert_all_the_same(folder, "full");
}

/// Deletes a folder after so many steps.
struct DeleteAfter(usize, PathBuf);

impl Observer for DeleteAfter {
    fn on_step(&mut self, report: &StepReport) -> toalign::Result<ControlFlow<()>> {
        if report.step == self.0 {
            std::fs::remove_dir_all(&self.1).unwrap();
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn a_run_whose_folder_is_deleted_says_so_and_begins_again() {
    let (folder, arguments) = workplace();
    let folder = folder.path();
    sweep(folder, &arguments, &["--out", "straight"]);
    // While it trains.
    let place = run(folder, "runs", RUNS[0]);
    let mut delete = DeleteAfter(3, place.clone());
    let session = Session::new(first(folder).check().unwrap()).unwrap();
    let message = session.run_in(&folder.join("runs"), true, &mut [&mut delete]).unwrap_err().to_string();
    let expected = format!("safetensors: the folder {} does not exist", place.display());
    assert!(message.starts_with("cannot write ") && message.contains(&expected), "{message}");
    assert_eq!(sweep(folder, &arguments, &[]), "4 runs in runs: 4 finished\n");
    // Between two sweeps.
    std::fs::remove_dir_all(&place).unwrap();
    assert_eq!(sweep(folder, &arguments, &[]), "4 runs in runs: 1 finished, 3 finished before\n");
    assert_all_the_same(folder, "runs");
}

#[test]
fn a_line_that_was_half_written_is_written_again() {
    let (folder, arguments) = workplace();
    let folder = folder.path();
    sweep(folder, &arguments, &["--out", "straight"]);
    // In the run's own metrics: it stopped after the checkpoint of step 4.
    Session::new(first(folder).check().unwrap())
        .unwrap()
        .run_in(&folder.join("runs"), true, &mut [&mut StopAfter(5)])
        .unwrap();
    let metrics = run(folder, "runs", RUNS[0]).join("metrics.jsonl");
    let mut half = std::fs::read(&metrics).unwrap();
    half.extend_from_slice(b"{\"kind\":\"train\",\"step\":6,\"lear");
    std::fs::write(&metrics, half).unwrap();
    sweep(folder, &arguments, &["--records", "kept"]);
    assert_all_the_same(folder, "runs");
    // In the records that are kept.
    let kept = folder.join("kept/toy3x5/Re-Ar/source-only/2.jsonl");
    let whole = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &whole[..whole.len() - 9]).unwrap();
    let accuracies =
        || read_study(folder.join("kept/toy3x5")).unwrap().last_accuracies("Re-Ar", "source-only").len();
    assert_eq!(accuracies(), 1, "half a line was taken for a whole one");
    sweep(folder, &arguments, &["--records", "kept"]);
    assert_eq!(std::fs::read(&kept).unwrap(), whole);
    assert_eq!(accuracies(), 2);
}

#[test]
fn damaged_runs_are_named_and_the_others_finish() {
    let (folder, arguments) = workplace();
    let folder = folder.path();
    sweep(folder, &arguments, &[]);
    let checkpoint = |name: &str| run(folder, "runs", name).join("last.safetensors");
    // Another format version, a file that is cut off, and a file where a folder should be.
    let mut bytes = std::fs::read(checkpoint(RUNS[0])).unwrap();
    let version = bytes.windows(10).position(|window| window == b"format = 1").unwrap() + 9;
    bytes[version] = b'9';
    std::fs::write(checkpoint(RUNS[0]), &bytes).unwrap();
    let bytes = std::fs::read(checkpoint(RUNS[1])).unwrap();
    std::fs::write(checkpoint(RUNS[1]), &bytes[..bytes.len() - 10]).unwrap();
    std::fs::remove_dir_all(run(folder, "runs", RUNS[2])).unwrap();
    std::fs::write(run(folder, "runs", RUNS[2]), "").unwrap();
    let before = std::fs::read(checkpoint(RUNS[3])).unwrap();

    let message = complaint(folder, &with(&arguments, &[]));
    for part in [
        "found 3 that failed:",
        "Ar-Re source-only seed 1: runs/toy3x5/Ar-Re/source-only/1/last.safetensors: expected a checkpoint of format 1, \
         found format 9",
        "Ar-Re source-only seed 2: runs/toy3x5/Ar-Re/source-only/2/last.safetensors: expected a complete checkpoint, found",
        "Re-Ar source-only seed 1: cannot create runs/toy3x5/Re-Ar/source-only/1: ",
    ] {
        assert!(message.contains(part), "expected {part}: {message}");
    }
    assert_eq!(std::fs::read(checkpoint(RUNS[3])).unwrap(), before);
}

#[test]
fn two_sweeps_at_once_do_every_run_once() {
    let (folder, arguments) = workplace();
    let folder = folder.path();
    sweep(folder, &arguments, &["--out", "straight"]);
    let both = [1, 2].map(|_| {
        let mut command = command(folder, &with(&arguments, &[]));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // One may have left the last run to the other, but both together did all.
    assert_all_the_same(folder, "runs");
    for name in RUNS {
        let records = read_metrics(&run(folder, "runs", name)).unwrap();
        assert_eq!(
            records.iter().filter(|record| matches!(record, Record::Start { .. })).count(),
            1,
            "{name}"
        );
    }
}
