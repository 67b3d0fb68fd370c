//! Settings from presets, files and flags.

use clap::Parser;

use std::path::Path;

use toalign::Result;
use toalign::config::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    overlay: Overlay,
}

fn layered(file: &str, flags: &[&str]) -> Result<Checked> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, file).unwrap();
    let arguments = std::iter::once("toalign").chain(flags.iter().copied());
    let flags = Flags::try_parse_from(arguments).unwrap();
    flags.overlay.over(None, Some(&path))
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_preset() {
    let config = layered(
        "steps = 40\nlearning_rate = 1\ntoalign = true\nmethod = \"dannp\"",
        &["--steps", "50", "--flip=false"],
    )
    .unwrap();
    let expected = RunConfig {
        steps: 50,
        learning_rate: 1.0,
        toalign: true,
        flip: false,
        method: "dannp".parse().unwrap(),
        ..RunConfig::mini()
    };
    assert_eq!(*config, expected);
    assert!(layered("toalign = false", &["--toalign"]).unwrap().toalign);
    assert!(!layered("toalign = true", &["--toalign=false"]).unwrap().toalign);
}

#[test]
fn a_folder_gets_the_papers_preset() {
    let config = layered("data = \"folder:/pictures\"", &[]).unwrap();
    assert_eq!(config.steps, 8000);
    assert_eq!(config.data, DataSource::Folder("/pictures".into()));
}

#[test]
fn a_written_configuration_reads_as_itself() {
    for config in [RunConfig::mini(), RunConfig::office_home(), RunConfig::slides(), RunConfig::domain_net()]
    {
        let text = config.to_toml().unwrap();
        assert_eq!(config.overlaid_by(&text, Path::new("config.toml")).unwrap(), config);
    }
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_nearest_key() {
    let message = layered("steps = 10\n\nlearning_rat = 0.1", &[]).unwrap_err().to_string();
    assert!(
        message.contains("run.toml:3: expected the name of a setting, found 'learning_rat'"),
        "{message}"
    );
    assert!(message.contains("did you mean 'learning_rate'?"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    let message = layered("steps = 10\nbatch_size = \"many\"", &[]).unwrap_err().to_string();
    assert!(message.contains("run.toml:2: expected a valid value for 'batch_size'"), "{message}");
    let message = layered("steps = 10\nmethod = \"dan\"", &[]).unwrap_err().to_string();
    assert!(message.contains("run.toml:2") && message.contains("dannp"), "{message}");
    let message = layered("steps = 10\nsteps 5", &[]).unwrap_err().to_string();
    assert!(message.contains("run.toml:2: expected a TOML file"), "{message}");
}

#[test]
fn values_that_cannot_be_meant_are_refused_by_name() {
    for (file, start) in [
        (
            "learning_rate = -1.0",
            "learning_rate (--learning-rate): expected a number of at least 0, found -1",
        ),
        ("weight_decay = nan", "weight_decay (--weight-decay): expected a number of at least 0, found NaN"),
        ("alignment_weight = -0.5", "alignment_weight (--alignment-weight): expected a number of at least 0"),
        ("batch_size = 0", "batch_size (--batch-size): expected a whole number of at least 1, found 0"),
        ("dropout = 1.0", "dropout (--dropout): expected a number from 0 up to"),
        ("crop = 47", "crop (--crop): expected at most resize + 2·pad = 46, found 47"),
        (
            "method = \"source-only\"\ntoalign = true",
            "toalign (--toalign): expected a method that aligns (dann, dannp or hda), found source-only",
        ),
    ] {
        let message = layered(file, &[]).unwrap_err().to_string();
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn differences_are_named() {
    let other = RunConfig { steps: 7, alignment_weight: None, ..RunConfig::mini() };
    let found = RunConfig::mini().differences(&other).unwrap();
    assert_eq!(found[0], ("steps".into(), "500".into(), "7".into()));
    assert_eq!(found[1], ("alignment_weight".into(), "1.0".into(), "not set".into()));
    assert_eq!(found.len(), 2);
}
