//! A toy data set in a folder, and the `toalign` binary at work on it.
#![allow(dead_code)] // each test file uses its own part of this

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage};

/// Domains `Art` and `Real` with `classes` classes of `count` pictures: a square whose place tells the class.
pub fn pictures(folder: &Path, classes: usize, count: usize) -> PathBuf {
    let root = folder.join(format!("toy{classes}x{count}"));
    for (domain, ground) in [("Art", 40), ("Real", 120)] {
        for class in 0..classes {
            let inside = root.join(domain).join(format!("class{class}"));
            std::fs::create_dir_all(&inside).unwrap();
            for number in 0..count {
                let picture = RgbImage::from_fn(40, 40, |x, y| {
                    let corner = [(0, 0), (20, 0), (0, 20), (20, 20)][class % 4];
                    let square =
                        (corner.0..corner.0 + 20).contains(&x) && (corner.1..corner.1 + 20).contains(&y);
                    let noise = ((x * 7 + y * 13 + number as u32 * 29) % 32) as u8;
                    Rgb([ground + noise, if square { 220 } else { 20 }, ground])
                });
                picture.save(inside.join(format!("{number:05}.png"))).unwrap();
            }
        }
    }
    root
}

/// `toalign` with these arguments, in `folder`; what the hub's tools fetched on this machine is out of sight.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toalign"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env("HF_HOME", folder.join("hf-home")).env_remove("HF_HUB_CACHE").env_remove("HF_TOKEN");
    command
}

/// Runs `toalign` and waits for it.
pub fn toalign(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// What `toalign` says on standard error when it fails, as it should, with exit code 1.
pub fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let output = toalign(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// Arguments of a short training run on the toy pictures in `data`; the settings stand in `toy.toml` beside them.
pub fn short_run(data: &Path) -> Vec<String> {
    let settings = format!(
        r#"
        data = "folder:{}"
        task = "Ar-Re"
        method = "hda"
        toalign = true
        weights = "none"
        batch_size = 4
        steps = 6
        test_every = 3
        log_every = 2
        checkpoint_every = 2
        discriminator_hidden = 16
        "#,
        data.display()
    );
    let file = data.with_file_name("toy.toml");
    std::fs::write(&file, settings).unwrap();
    let file = file.display().to_string();
    ["train", "--preset", "mini", "--config", &file].map(str::to_owned).to_vec()
}

/// `arguments` and more of them, as string slices.
pub fn with<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let arguments = arguments.iter().map(String::as_str);
    arguments.chain(more.iter().copied()).collect()
}
