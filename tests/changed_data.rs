//! Data that were moved, renamed or changed between two calls, and starts that failed: nothing silently becomes another run.

#[path = "common/toy.rs"]
mod toy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use toalign::model::weights::{Notes, to_bytes};
use toalign::runs::folder::read_metrics;
use toalign::train::checkpoint::Checkpoint;
use toalign::train::record::Record;
use toy::{command, complaint, pictures, short_run, toalign, with};

fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = toalign(folder, arguments);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{out}{err}");
    out + &err
}

/// Trains some steps of the run that `arguments` ask for, as if it had been stopped there.
fn stopped(folder: &Path, data: &Path, steps: usize) -> (Vec<String>, PathBuf) {
    use toalign::config::RunConfig;
    use toalign::runs::session::Session;
    use toalign::train::observer::StopAfter;
    let arguments = short_run(data);
    let config =
        RunConfig::mini().overlaid_by_file(&data.with_file_name("toy.toml")).unwrap().check().unwrap();
    let session = Session::new(config).unwrap();
    let run = session.run_in(&folder.join("runs"), false, &mut [&mut StopAfter(steps)]).unwrap().folder;
    (arguments, run)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            std::fs::copy(&path, &place).unwrap();
        }
    }
}

#[test]
fn pictures_that_changed_since_the_checkpoint_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let (arguments, run) = stopped(folder.path(), &data, 2);
    std::fs::remove_file(data.join("Art/class1/00003.png")).unwrap();
    for name in ["a.png", "b.png"] {
        std::fs::copy(data.join("Real/class0/00001.png"), data.join("Real/class0").join(name)).unwrap();
    }
    let message = complaint(folder.path(), &with(&arguments, &["--resume"]));
    for part in [
        "runs/toy3x5/Ar-Re/hda+toalign/0: expected the pictures that the run was started with",
        "found 1 missing (Art/class1/00003.png), 2 new (Real/class0/a.png, Real/class0/b.png)",
        "--accept-changed-data",
    ] {
        assert!(message.contains(part), "no '{part}' in: {message}");
    }
    assert!(said(folder.path(), &with(&arguments, &["--resume", "--accept-changed-data"])).contains("last "));
    // Now these are its pictures.
    assert!(said(folder.path(), &with(&arguments, &["--resume"])).contains("finished before"));
    let starts = read_metrics(&run).unwrap();
    assert_eq!(starts.iter().filter(|record| matches!(record, Record::Start { .. })).count(), 2);
}

#[test]
fn moved_pictures_and_deleted_weights_do_not_stop_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    // Weights of the backbone as a run of before left them.
    let weights = folder.path().join("start.safetensors");
    let (_, before) = stopped(&folder.path().join("before"), &data, 2);
    std::fs::copy(before.join("last.safetensors"), &weights).unwrap();

    for (name, moved) in [("same-name", "elsewhere/toy3x5"), ("other-name", "elsewhere/pictures")] {
        let place = folder.path().join(name);
        copy(&data, &place.join("toy3x5"));
        let here = pictures(&place, 3, 5);
        let arguments = with(&short_run(&here), &[]).iter().map(|one| one.to_string()).collect::<Vec<_>>();
        let weights = weights.display().to_string();
        let straight = with(&arguments, &["--weights", &weights, "--out", "straight"]).join("\u{1f}");
        said(&place, &straight.split('\u{1f}').collect::<Vec<_>>());
        // A kill after the first checkpoint, then everything around the run changes.
        let own = place.join("start.safetensors");
        std::fs::copy(&weights, &own).unwrap();
        let config = toalign::config::RunConfig {
            weights: toalign::config::Weights::File(own.clone()),
            ..toalign::config::RunConfig::mini().overlaid_by_file(&place.join("toy.toml")).unwrap()
        };
        let session = toalign::Session::new(config.check().unwrap()).unwrap();
        let mut stop = toalign::train::observer::StopAfter(3);
        let stopped = session.run_in(&place.join("runs"), false, &mut [&mut stop]).unwrap();
        std::fs::remove_file(&own).unwrap();
        std::fs::create_dir_all(place.join("elsewhere")).unwrap();
        std::fs::rename(&here, place.join(moved)).unwrap();
        let moved = format!("folder:{moved}/");
        let own = own.display().to_string();
        said(&place, &with(&arguments, &["--data", &moved, "--weights", &own, "--out", "runs", "--resume"]));
        let ends = [place.join("straight/toy3x5/Ar-Re/hda+toalign/0"), stopped.folder.clone()];
        let [straight, resumed] = ends.map(|run| Checkpoint::load(&run.join("last.safetensors")).unwrap());
        assert_eq!(straight.header.progress, resumed.header.progress);
        let bytes = |checkpoint: &Checkpoint| to_bytes(&checkpoint.tensors, Notes::new()).unwrap();
        assert!(bytes(&straight) == bytes(&resumed), "the resumed run ended with other weights");
        let run = stopped.folder.display().to_string();
        assert!(said(&place, &["eval", "--run", &run, "--data", &moved]).contains("Real (target)"));
        assert!(said(&place, &["report", "runs"]).contains("HDA+ToAlign"));
    }
}

#[test]
fn a_start_that_failed_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = short_run(&data);
    let message = complaint(folder.path(), &with(&arguments, &["--batch-size", "400"]));
    assert!(message.contains("400"), "{message}");
    let bad = data.join("Art/class0/00000.png");
    let good = std::fs::read(&bad).unwrap();
    std::fs::write(&bad, b"no picture").unwrap();
    complaint(folder.path(), &with(&arguments, &[]));
    std::fs::write(&bad, good).unwrap();
    // NaN, with other settings than the corrected call has.
    let message =
        complaint(folder.path(), &with(&arguments, &["--learning-rate", "1e30", "--checkpoint-every", "6"]));
    assert!(message.contains("became"), "{message}");
    for resume in [&["--resume"][..], &[]] {
        let out = format!("out{}", resume.len());
        complaint(folder.path(), &with(&arguments, &["--batch-size", "400", "--out", &out]));
        let all = [resume, &["--out", &out]].concat();
        assert!(said(folder.path(), &with(&arguments, &all)).contains("seconds per step"));
    }
    assert!(said(folder.path(), &with(&arguments, &[])).contains("seconds per step"));
    let message = complaint(folder.path(), &with(&arguments, &[]));
    assert!(message.contains("expected a folder without a run"), "{message}");
}

#[test]
fn what_else_lies_beside_the_domains_renames_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let own_names = folder.path().join("own/toy3x5");
    copy(&data.join("Art"), &own_names.join("Summer"));
    copy(&data.join("Real"), &own_names.join("Winter"));
    for (data, task, name) in [(&data, "Ar-Re", "Ar-Re"), (&own_names, "Su-Wi", "Summer-Winter")] {
        let place = data.parent().unwrap();
        let arguments = short_run(data);
        let sweep: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
        std::fs::write(place.join("toy.toml"), {
            let text = std::fs::read_to_string(place.join("toy.toml")).unwrap();
            let kept = text
                .lines()
                .filter(|line| !["task", "method", "toalign"].iter().any(|key| line.trim().starts_with(key)));
            kept.map(|line| format!("{line}\n")).collect::<String>()
        })
        .unwrap();
        let sweep =
            [&["sweep"], &sweep[..], &["--tasks", task, "--methods", "source-only", "--seeds", "1"]].concat();
        let finished = "1 run in runs: 1 finished";
        assert!(said(place, &sweep).contains(finished));
        let run = place.join("runs/toy3x5").join(name).join("source-only/1");
        assert!(run.join("last.safetensors").exists(), "{}", run.display());
        // Domains that begin alike, with pictures in them.
        for other in ["Archive", "Reals", "Sunday", "Win"] {
            copy(&data.join(if task == "Ar-Re" { "Art" } else { "Summer" }), &data.join(other));
        }
        let sweep: Vec<&str> = sweep.iter().map(|&word| if word == task { name } else { word }).collect();
        assert!(said(place, &sweep).contains("1 run in runs: 1 finished before"));
        assert!(said(place, &["eval", "--run", &run.display().to_string()]).contains("(target)"));
    }
    // What an earlier version had called Su-Wi is found again.
    std::fs::remove_dir_all(own_names.join("Sunday")).unwrap();
    let place = own_names.parent().unwrap();
    let runs = place.join("runs/toy3x5");
    std::fs::rename(runs.join("Summer-Winter"), runs.join("Su-Wi")).unwrap();
    let config = runs.join("Su-Wi/source-only/1/config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("Summer-Winter", "Su-Wi");
    std::fs::write(&config, text).unwrap();
    std::fs::remove_dir_all(own_names.join("Win")).unwrap();
    let sweep = with(&short_run(&own_names), &[])[1..].iter().map(|one| one.to_string()).collect::<Vec<_>>();
    let more = ["--tasks", "Summer-Winter", "--methods", "source-only", "--seeds", "1"];
    let sweep: Vec<&str> =
        std::iter::once("sweep").chain(sweep.iter().map(String::as_str)).chain(more).collect();
    assert!(said(place, &sweep).contains("1 run in runs: 1 finished before"));
}

#[cfg(unix)]
#[test]
fn a_signal_stops_softly_and_a_sweep_without_a_terminal_says_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = short_run(&data);
    let long =
        with(&arguments, &["--steps", "100000", "--test-every", "100000", "--checkpoint-every", "100000"]);
    let mut run = command(folder.path(), &long).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let metrics = folder.path().join("runs/toy3x5/Ar-Re/hda+toalign/0/metrics.jsonl");
    while std::fs::read_to_string(&metrics).unwrap_or_default().lines().count() < 3 {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    // SAFETY: the process is our child and not yet waited for.
    unsafe { libc::kill(run.id() as i32, libc::SIGTERM) };
    let output = run.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("expected 100000 steps, found a signal to stop after step"), "{message}");
    assert!(metrics.with_file_name("last.safetensors").exists());

    let sweep: Vec<String> =
        ["sweep", "--preset", "mini", "--steps", "2", "--test-every", "2", "--batch-size", "2"]
            .iter()
            .map(|word| word.to_string())
            .collect();
    let own = ["--tasks", "Cl-Rw", "--methods", "source-only", "--seeds", "1"];
    let output = toalign(folder.path(), &with(&sweep, &own));
    let message = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "Cl-Rw source-only seed 1: begun", "{message}");
    assert!(lines[1].starts_with("Cl-Rw source-only seed 1: finished, "), "{message}");
    let missing = complaint(folder.path(), &with(&sweep, &["--out", "new", "--weights", "none.pth"]));
    assert!(missing.contains("expected a file of weights named none.pth, found no such file"), "{missing}");
    let script = toalign(folder.path(), &with(&sweep, &["--out", "new", "--slurm", "-"]));
    assert!(String::from_utf8(script.stdout).unwrap().contains("mkdir -p"));
    assert!(!folder.path().join("new").exists(), "--slurm - made a folder");
}
