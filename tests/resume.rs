//! A run that was interrupted ends exactly as one that was not.

#[path = "common/same.rs"]
mod same;
#[path = "common/toy.rs"]
mod toy;

use std::path::Path;
use std::time::Duration;

use rand::Rng;
use same::{assert_same_run, records};
use toalign::config::{DataSource, DeviceChoice, RunConfig, Weights};
use toalign::random::generator;
use toalign::runs::session::Session;
use toalign::train::checkpoint::Checkpoint;
use toalign::train::observer::{Observer, StopAfter};
use toy::{command, pictures, short_run, toalign, with};

fn config(data: &Path, method: &str) -> RunConfig {
    RunConfig {
        data: DataSource::Folder(data.to_owned()),
        task: "Ar-Re".into(),
        method: method.parse().unwrap(),
        toalign: method != "source-only",
        weights: Weights::None,
        steps: 10,
        test_every: 4,
        log_every: 3,
        checkpoint_every: 4,
        batch_size: 4,
        discriminator_hidden: 16,
        ..RunConfig::mini()
    }
}

#[test]
fn ten_steps_equal_some_steps_and_a_resumption() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    for method in ["source-only", "dann", "hda"] {
        let run = |root: &str, stop: usize, resume: bool| {
            let session = Session::new(config(&data, method).check().unwrap()).unwrap();
            let root = folder.path().join(root);
            let observers: &mut [&mut dyn Observer] = &mut [&mut StopAfter(stop)];
            session.run_in(&root, resume, observers).unwrap()
        };
        let straight = run("straight", 99, false);
        assert!(straight.summary.finished);
        // 5 lies between two checkpoints and inside a window of averaged losses; 8 is a test.
        for stop in [5, 8] {
            let root = format!("stopped-{stop}");
            let first = run(&root, stop, false);
            assert_eq!((first.summary.step, first.summary.finished), (stop, false));
            let second = run(&root, 99, true);
            assert_eq!(second.summary.best, straight.summary.best);
            assert_same_run(&straight.folder, &second.folder);
        }
    }
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let last_tensors = |workers: usize| {
        let config = RunConfig { workers, ..config(&data, "dannp") };
        let root = folder.path().join(workers.to_string());
        let outcome = Session::new(config.check().unwrap()).unwrap().run_in(&root, false, &mut []).unwrap();
        let last = Checkpoint::load(&outcome.folder.join("last.safetensors")).unwrap();
        let tensors = last.tensors.into_iter().map(|(name, tensor)| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (name, values)
        });
        (tensors.collect::<Vec<_>>(), records(&outcome.folder))
    };
    assert_eq!(last_tensors(1), last_tensors(3));
}

#[test]
fn a_run_goes_on_on_another_device() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let run = |root: &str, device: DeviceChoice, stop: usize, resume: bool| {
        let session = Session::new(RunConfig { device, ..config(&data, "hda") }.check().unwrap()).unwrap();
        let observers: &mut [&mut dyn Observer] = &mut [&mut StopAfter(stop)];
        session.run_in(&folder.path().join(root), resume, observers).unwrap()
    };
    // Where there is no GPU, both settings mean the CPU: what is tested is that the setting may change.
    run("moved", DeviceChoice::Auto, 5, false);
    let moved = run("moved", DeviceChoice::Cpu, 99, true);
    assert!(moved.summary.finished);
    let settings = std::fs::read_to_string(moved.folder.join("config.toml")).unwrap();
    assert!(settings.contains("device = \"cpu\""), "{settings}");
}

#[test]
fn a_run_of_before_there_was_a_choice_of_device_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let session = Session::new(config(&data, "source-only").check().unwrap()).unwrap();
    let outcome = session.run_in(folder.path(), false, &mut [&mut StopAfter(5)]).unwrap();
    let path = outcome.folder.join("config.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, settings.replace("device = \"auto\"\n", "")).unwrap();
    assert!(session.run_in(folder.path(), true, &mut []).unwrap().summary.finished);
}

#[test]
fn killed_at_any_moment_it_resumes_and_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let mut arguments = short_run(&data);
    let longer = "--steps 30 --test-every 10 --log-every 3 --checkpoint-every 2";
    arguments.extend(longer.split_whitespace().map(str::to_owned));

    let start = std::time::Instant::now();
    let output = toalign(folder.path(), &with(&arguments, &["--out", "straight"]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = start.elapsed();

    let mut random = generator(1, "moments of death", 0, 0);
    let resume = with(&arguments, &["--out", "killed", "--resume"]);
    let mut kills = 0;
    for _ in 0..8 {
        let mut child = command(folder.path(), &resume)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(random.random_range(0.05..0.5)).max(Duration::from_millis(20)));
        child.kill().unwrap(); // SIGKILL
        if !child.wait().unwrap().success() {
            kills += 1;
        }
    }
    assert!(kills >= 2, "only {kills} of 8 kills came before the end");
    let output = toalign(folder.path(), &resume);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = |root: &str| {
        let data = data.file_name().unwrap();
        folder.path().join(root).join(data).join("Ar-Re/hda+toalign/0")
    };
    assert_same_run(&run("straight"), &run("killed"));
}
