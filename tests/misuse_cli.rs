//! What the command line says about bad input: expected, found, where, what to do; on one line of `error:`, exit code 1.

#[path = "common/toy.rs"]
mod toy;

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toalign::config::Precision;
use toalign::train::checkpoint::Checkpoint;
use toy::{command, complaint, pictures, short_run, toalign, with};

/// A folder with toy pictures and the arguments to train on them.
fn workplace() -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = short_run(&data);
    (folder, arguments)
}

/// A finished run of six steps.
fn trained(folder: &Path, arguments: &[String]) -> PathBuf {
    let output = toalign(folder, &with(arguments, &[]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("runs/toy3x5/Ar-Re/hda+toalign/0")
}

#[test]
fn values_that_cannot_be_meant() {
    let (folder, arguments) = workplace();
    for (flags, expected) in [
        (
            ["--learning-rate", "NaN"],
            "learning_rate (--learning-rate): expected a number of at least 0, found NaN",
        ),
        (
            ["--learning-rate", "-0.1"],
            "learning_rate (--learning-rate): expected a number of at least 0, found -0.1",
        ),
        (
            ["--alignment-weight", "-1"],
            "alignment_weight (--alignment-weight): expected a number of at least 0, found -1",
        ),
        (
            ["--weight-decay", "inf"],
            "weight_decay (--weight-decay): expected a number of at least 0, found inf",
        ),
        (["--batch-size", "0"], "batch_size (--batch-size): expected a whole number of at least 1, found 0"),
        (
            ["--batch-size", "16"],
            "--batch-size: expected a batch size of at most 15, the number of pictures in Art, found 16",
        ),
        (
            ["--dropout", "1"],
            "dropout (--dropout): expected a number from 0 up to, but not including, 1, found 1",
        ),
        (["--crop", "64"], "crop (--crop): expected at most resize + 2·pad = 46, found 64"),
    ] {
        let message = complaint(folder.path(), &with(&arguments, &flags));
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("what to do: "), "{message}");
    }
}

#[test]
fn a_gpu_that_is_not_there() {
    let (folder, arguments) = workplace();
    let run = trained(folder.path(), &arguments).display().to_string();
    let train = with(&arguments, &["--out", "other", "--device", "cuda:99"]);
    for command in [
        &["--device", "cuda:99"][..],
        &train[..],
        &["eval", "--run", &run, "--device", "cuda:99"][..],
        &["predict", "toy3x5/Art/class0/00000.png", "--run", &run, "--device", "cuda:99"][..],
        &["bench", "--backbone", "small", "--image", "16", "--device", "cuda:99"][..],
    ] {
        let message = complaint(folder.path(), command);
        assert!(message.contains("device (--device): expected "), "{command:?}: {message}");
        assert!(message.contains("what to do: "), "{message}");
        assert!(message.contains("--features cudnn") || message.contains("nvidia-smi"), "{message}");
    }
}

#[test]
fn a_precision_that_the_cpu_does_not_have() {
    let (folder, arguments) = workplace();
    let coarse = ["--device", "cpu", "--precision", "bf16"];
    let bench = ["bench", "--backbone", "small", "--image", "16", "--device", "cpu", "--precision", "tf32"];
    for command in [&with(&arguments, &coarse)[..], &bench[..]] {
        let message = complaint(folder.path(), command);
        assert!(message.contains("--precision: expected precision f32, the only one"), "{message}");
        assert!(message.contains("what to do: leave --precision away"), "{message}");
    }
    // What was trained in it elsewhere is tested in f32 here.
    let run = trained(folder.path(), &arguments);
    let path = run.join("last.safetensors");
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.header.config.precision = Precision::Bf16;
    checkpoint.save(&path).unwrap();
    let run = run.display().to_string();
    let output = toalign(folder.path(), &["eval", "--run", &run, "--device", "cpu"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_misspelt_key_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.toml"), "seed = 3\nlearningrate = 0.1\n").unwrap();
    let message = complaint(folder.path(), &["train", "--config", "run.toml"]);
    assert!(
        message.contains("run.toml:2: expected the name of a setting, found 'learningrate'"),
        "{message}"
    );
    assert!(message.contains("what to do: did you mean 'learning_rate'?"), "{message}");
}

#[test]
fn a_domain_that_does_not_exist() {
    let (folder, arguments) = workplace();
    let message = complaint(folder.path(), &with(&arguments, &["--task", "Ar-Clipart"]));
    assert!(message.contains("Clipart") && message.contains("Art") && message.contains("Real"), "{message}");
    let message = complaint(folder.path(), &["train", "--data", "mini", "--task", "Ar-Clopart"]);
    assert!(message.contains("Clopart") && message.contains("Real_World"), "{message}");
}

#[test]
fn weights_that_are_not_there() {
    let (folder, arguments) = workplace();
    let message = complaint(folder.path(), &with(&arguments, &["--weights", "absent.pth"]));
    assert!(message.contains("absent.pth"), "{message}");
    let message =
        complaint(folder.path(), &with(&arguments, &["--backbone", "resnet50", "--weights", "pretrained"]));
    assert!(message.contains("expected a file with pretrained weights of resnet50"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let (folder, arguments) = workplace();
    // Even the superuser cannot make folders here.
    let message = complaint(folder.path(), &with(&arguments, &["--out", "/proc/runs"]));
    assert!(message.contains("cannot create /proc/runs/toy3x5/Ar-Re/hda+toalign/0: "), "{message}");
    let message = complaint(folder.path(), &with(&arguments, &["--out", "/dev/full"]));
    assert!(
        message.contains("cannot create /dev/full/toy3x5/Ar-Re/hda+toalign/0: Not a directory"),
        "{message}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full() {
    let (folder, arguments) = workplace();
    let run = folder.path().join("runs/toy3x5/Ar-Re/hda+toalign/0");
    std::fs::create_dir_all(&run).unwrap();
    std::os::unix::fs::symlink("/dev/full", run.join("log.txt")).unwrap();
    let message = complaint(folder.path(), &with(&arguments, &[]));
    assert!(message.contains("log.txt: No space left on device"), "{message}");
    assert!(message.contains("what to do: free some space"), "{message}");

    std::fs::remove_file(run.join("log.txt")).unwrap();
    let resumed = toalign(folder.path(), &with(&arguments, &["--resume"]));
    assert!(resumed.status.success());
    let run = run.display().to_string();
    let mut eval = command(folder.path(), &["eval", "--run", &run]);
    let output = eval.stdout(File::create("/dev/full").unwrap()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("cannot write standard output: No space left on device"), "{message}");
}

#[test]
fn a_run_that_is_there_already() {
    let (folder, arguments) = workplace();
    trained(folder.path(), &arguments);
    let message = complaint(folder.path(), &with(&arguments, &[]));
    assert!(
        message.contains("expected a folder without a run, found a run that was started before"),
        "{message}"
    );
    assert!(message.contains("--resume"), "{message}");
    let message = complaint(folder.path(), &with(&arguments, &["--steps", "8", "--resume"]));
    assert!(message.contains("steps = 6, found steps = 8"), "{message}");
    let finished = toalign(folder.path(), &with(&arguments, &["--resume"]));
    assert!(finished.status.success());
    assert!(String::from_utf8(finished.stdout).unwrap().contains("finished before"));
}

#[test]
fn a_checkpoint_that_does_not_fit() {
    let (folder, arguments) = workplace();
    let run = trained(folder.path(), &arguments);
    let run_name = run.display().to_string();

    let other = pictures(folder.path(), 2, 5);
    let data = format!("folder:{}", other.display());
    let message = complaint(folder.path(), &["eval", "--run", &run_name, "--data", &data]);
    assert!(
        message.contains("last.safetensors: expected a checkpoint of 2 classes, found 3 classes"),
        "{message}"
    );

    let settings = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let settings = settings.replace("backbone = \"small\"", "backbone = \"resnet18\"");
    std::fs::write(run.join("config.toml"), settings).unwrap();
    let message = complaint(folder.path(), &with(&arguments, &["--backbone", "resnet18", "--resume"]));
    assert!(message.contains("expected a checkpoint of the backbone resnet18, found small"), "{message}");

    let checkpoint = run.join("last.safetensors");
    let bytes = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
    let message = complaint(folder.path(), &["eval", "--run", &run_name]);
    assert!(message.contains("last.safetensors: expected a complete checkpoint, found"), "{message}");
    let message = complaint(folder.path(), &["eval", "--run", "nowhere"]);
    assert!(message.contains("expected the folder of a run with a checkpoint"), "{message}");
}

#[test]
fn a_loss_that_is_not_finite() {
    let (folder, arguments) = workplace();
    let message = complaint(folder.path(), &with(&arguments, &["--learning-rate", "1e30"]));
    assert!(message.contains("the loss 'classification' became"), "{message}");
    assert!(message.contains("at step 1;"), "{message}");
}

#[test]
fn predictions_and_what_they_leave_behind() {
    let (folder, arguments) = workplace();
    let run = trained(folder.path(), &arguments).display().to_string();
    let picture = "toy3x5/Art/class1/00000.png";
    let output = toalign(folder.path(), &["predict", picture, picture, "--run", &run]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    for name in ["00000-gradcam.png", "00000-gradcam-2.png"] {
        if text.contains(name) {
            assert_eq!(image::open(folder.path().join(name)).unwrap().width(), 240);
        } else {
            assert!(text.contains("no positive evidence"), "{text}");
        }
    }
    let message = complaint(folder.path(), &["predict", "absent.png", "--run", &run]);
    assert!(message.contains("absent.png"), "{message}");
}
