//! A sweep does every run once, goes on after a stop, and does not let one failing run stop the others.

#[path = "common/toy.rs"]
mod toy;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use toalign::data::fingerprint::Fingerprint;
use toalign::runs::folder::{RunFolder, RunState, read_config, read_metrics};
use toalign::train::checkpoint::Checkpoint;
use toalign::train::record::Record;
use toy::{command, complaint, pictures, short_run, toalign, with};

/// Arguments of a sweep over the toy pictures: both directions, two methods, two seeds.
fn sweep(data: &Path, methods: &str) -> Vec<String> {
    let run = short_run(data);
    let file = data.with_file_name("toy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let shared = text
        .lines()
        .filter(|line| !["task", "method", "toalign"].iter().any(|key| line.trim().starts_with(key)));
    std::fs::write(&file, shared.collect::<Vec<_>>().join("\n")).unwrap();
    let mut arguments: Vec<String> = vec!["sweep".into()];
    arguments.extend(run.into_iter().skip(1));
    for argument in ["--tasks", "all", "--methods", methods, "--seeds", "1,2"] {
        arguments.push(argument.into());
    }
    arguments
}

/// Task, method and seed of the runs that `sweep` plans.
fn planned() -> Vec<(&'static str, &'static str, u64)> {
    let tasks = ["Ar-Re", "Re-Ar"];
    let methods = ["source-only", "dannp+toalign"];
    let mut all = Vec::new();
    for task in tasks {
        for method in methods {
            all.extend([1, 2].map(|seed| (task, method, seed)));
        }
    }
    all
}

fn weights(root: &Path, data: &str) -> Vec<Vec<u8>> {
    let bytes = planned().into_iter().map(|(task, method, seed)| {
        let file = root.join(data).join(task).join(method).join(seed.to_string()).join("last.safetensors");
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });
    bytes.collect()
}

#[test]
fn every_run_is_done_once_and_jobs_do_not_change_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = sweep(&data, "source-only,dannp+toalign");
    let run = |more: &[&str]| {
        let output = toalign(folder.path(), &with(&arguments, more));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    assert_eq!(run(&["--out", "one"]), "8 runs in one: 8 finished\n");
    assert_eq!(run(&["--out", "two", "--jobs", "3"]), "8 runs in two: 8 finished\n");
    let [one, two] = ["one", "two"].map(|root| weights(&folder.path().join(root), "toy3x5"));
    assert!(one == two, "runs side by side gave other weights");
    assert_eq!(run(&["--out", "one", "--jobs", "2"]), "8 runs in one: 8 finished before\n");
    let metrics = read_metrics(&folder.path().join("one/toy3x5/Re-Ar/dannp+toalign/2")).unwrap();
    assert_eq!(metrics.iter().filter(|record| matches!(record, Record::Start { .. })).count(), 1);
}

#[test]
fn a_sweep_that_was_killed_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = sweep(&data, "source-only,dannp+toalign");
    assert!(toalign(folder.path(), &with(&arguments, &["--out", "straight"])).status.success());
    let mut kills = 0;
    for milliseconds in [60, 90, 120, 200, 300, 10_000] {
        let mut sweep = command(folder.path(), &with(&arguments, &["--out", "killed", "--jobs", "2"]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while sweep.try_wait().unwrap().is_none() {
            if waited >= Duration::from_millis(milliseconds) {
                sweep.kill().unwrap();
                sweep.wait().unwrap();
                kills += 1;
                break;
            }
            std::thread::sleep(step);
            waited += step;
        }
    }
    assert!(kills > 0, "the sweep was over before the first kill");
    let output = toalign(folder.path(), &with(&arguments, &["--out", "killed"]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [straight, killed] = ["straight", "killed"].map(|root| weights(&folder.path().join(root), "toy3x5"));
    assert!(straight == killed, "the killed sweep ended with other weights");
}

#[test]
fn a_failing_run_is_named_and_the_others_finish() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = sweep(&data, "source-only,dannp+toalign");
    let broken = folder.path().join("runs/toy3x5/Re-Ar/source-only/2");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("last.safetensors"), b"not a checkpoint").unwrap();
    let message = complaint(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(message.contains("found 1 that failed"), "{message}");
    assert!(message.contains("Re-Ar source-only seed 2: "), "{message}");
    assert!(message.contains("expected a complete checkpoint"), "{message}");
    let root = folder.path().join("runs");
    let finished = planned().into_iter().filter(|&(task, method, seed)| {
        let run = root.join("toy3x5").join(task).join(method).join(seed.to_string());
        read_config(&run)
            .is_ok_and(|config| RunState::of(&run, &config).is_ok_and(|state| state == RunState::Finished))
    });
    assert_eq!(finished.count(), 7);
}

#[test]
fn a_run_that_another_process_is_at_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = sweep(&data, "source-only");
    let run = || String::from_utf8(toalign(folder.path(), &with(&arguments, &[])).stdout).unwrap();
    assert_eq!(run(), "4 runs in runs: 4 finished\n");
    let config = read_config(&folder.path().join("runs/toy3x5/Ar-Re/source-only/1")).unwrap();
    let (held, checkpoint) =
        RunFolder::open(&folder.path().join("runs"), &config, &Fingerprint::parse(""), true, true).unwrap();
    assert_eq!(checkpoint.unwrap().header.progress.step, config.steps);
    assert_eq!(run(), "4 runs in runs: 3 finished before, 1 elsewhere\n");
    drop(held);
    assert_eq!(run(), "4 runs in runs: 4 finished before\n");
    assert!(
        Checkpoint::load(&folder.path().join("runs/toy3x5/Ar-Re/source-only/2/last.safetensors")).is_ok()
    );
}

#[test]
fn settings_of_one_run_are_refused_for_many() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (["sweep", "--task", "Cl-Rw"], "in a sweep this is --tasks"),
        (["sweep", "--method", "hda"], "in a sweep this is --methods"),
        (["sweep", "--seed", "4"], "in a sweep this is --seeds"),
        (["sweep", "--methods", "hda,danp"], "did you mean 'dann'?"),
        (["sweep", "--tasks", "Cl-Zz"], "found 'Zz'"),
    ] {
        let message = complaint(folder.path(), &arguments);
        assert!(message.contains(expected), "{message}");
    }
}

/// What the script for Slurm does, index by index, without Slurm.
#[test]
fn an_array_job_does_each_run_once_and_its_log_folder_exists() {
    let folder = tempfile::Builder::new().prefix("it's a folder").tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = sweep(&data, "source-only,dannp+toalign");
    assert!(toalign(folder.path(), &with(&arguments, &["--out", "straight"])).status.success());
    let slurm = ["--out", "array", "--slurm", "job.sh", "--time", "5", "--cpus-per-task", "1"];
    let output = toalign(folder.path(), &with(&arguments, &slurm));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "submit it with: sbatch job.sh\n");
    assert!(folder.path().join("array/slurm").is_dir());
    let script = std::fs::read_to_string(folder.path().join("job.sh")).unwrap();
    assert!(script.contains("\n#SBATCH --array=0-7\n"), "{script}");

    // From another folder, as on another machine; the second round finds everything finished.
    for said in ["1 finished", "1 finished before"] {
        for index in 0..8 {
            let mut shell = std::process::Command::new("bash");
            shell.arg(folder.path().join("job.sh")).current_dir("/").stdin(Stdio::null());
            let output = shell.env("SLURM_ARRAY_TASK_ID", index.to_string()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("1 run in array: {said}\n"));
        }
    }
    let [straight, array] = ["straight", "array"].map(|root| weights(&folder.path().join(root), "toy3x5"));
    assert!(straight == array, "the array job gave other weights");

    let message = complaint(folder.path(), &with(&arguments, &["--out", "array", "--index", "8"]));
    assert!(message.contains("--index: expected a number from 0 to 7 of the 8 runs, found 8"), "{message}");
    let printed = toalign(folder.path(), &with(&arguments, &["--slurm", "-", "--out", "other"])).stdout;
    assert!(printed.starts_with(b"#!/bin/bash\n"));
}
