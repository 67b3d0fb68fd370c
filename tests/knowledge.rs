//! Prototypes: what they become, how they transfer, and `toalign knowledge`. Their numbers are in `tests/fidelity.rs`.

#[path = "common/toy.rs"]
mod toy;

use candle_core::{Device, Tensor};
use toalign::explain::knowledge::learn::{Patch, Settings, learn};
use toalign::explain::knowledge::matching::{answers, matches};
use toalign::explain::knowledge::patches::Patches;
use toalign::explain::knowledge::prototypes::{Prototypes, Seen};
use toalign::mini_home::{Split, domain};
use toy::{complaint, pictures, short_run, toalign, with};

const PLACES: usize = 4;

/// Pictures of two classes in turn; the patch at `at` holds the class's own direction, `[strength, 0, 0]` or `[0, strength of 1, 0]`,
/// the others a little noise.
fn patches(count: usize, at: usize, strengths: [f32; 2], name: &str) -> Patches {
    let mut map = Vec::new();
    let (mut logits, mut heat) = (Vec::new(), Vec::new());
    let classes: Vec<u32> = (0..count as u32).map(|picture| picture % 2).collect();
    for (picture, class) in classes.iter().enumerate() {
        for place in 0..PLACES {
            let noise = 0.01 * ((picture * PLACES + place) as f32).sin();
            let mut patch = [noise, noise, 0.05];
            if place == at {
                patch[*class as usize] = strengths[*class as usize];
            }
            map.extend(patch);
            heat.push(if place == at { 1f32 } else { 0.0 });
        }
        logits.extend(if *class == 0 { [2f32, -2.0] } else { [-2.0, 2.0] });
    }
    let of = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    Patches {
        seen: Seen {
            map: of(map, &[count, PLACES, 3]),
            logits: of(logits, &[count, 2]),
            classes: Tensor::new(classes.clone(), &Device::Cpu).unwrap(),
        },
        size: [2, 2],
        heat: of(heat, &[count, PLACES]),
        labels: classes,
        domain: toalign::Domain {
            name: name.into(),
            ..domain("Art", Split::Test, &Default::default()).unwrap()
        },
    }
}

fn settings() -> Settings {
    Settings { per_class: 1, batch_size: 4, ..Settings::default() }
}

#[test]
fn prototypes_become_the_patches_that_tell_the_classes_and_say_what_transfers() {
    let source = patches(12, 2, [1.0, 1.0], "source");
    // Class 1 looks otherwise in the target: half as strong.
    let target = patches(10, 1, [1.0, 0.5], "target");
    let learned = learn(&source, &target, &settings()).unwrap();
    assert!(learned.losses[0] > learned.losses[learned.losses.len() - 1]);
    assert!(learned.losses_of_rows[0] > learned.losses_of_rows[learned.losses_of_rows.len() - 1]);
    for (prototype, home) in learned.homes.iter().enumerate() {
        assert_eq!((home.picture % 2, home.place), (prototype, 2));
        let point = learned.prototypes.points.get(prototype).unwrap().to_vec1::<f32>().unwrap();
        let patch = source.seen.map.get(home.picture).unwrap().get(2).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(point, patch, "the push makes it the patch to the last bit");
    }
    let found = matches(&learned, &source, &target).unwrap();
    let [shared, changed] = [&found[0], &found[1]].map(|one| one.transfer.unwrap());
    assert!((shared - 1.0).abs() < 0.1, "{shared}");
    assert!(changed < 0.5, "{changed}");
    let (Patch { picture, place }, distance) = found[1].target.unwrap();
    assert_eq!((picture % 2, place), (1, 1));
    assert!((distance - 0.25).abs() < 0.01, "half the length is missing: {distance}");
    for domain in [&source, &target] {
        let answers = answers(&learned.prototypes, domain).unwrap();
        assert_eq!(
            (answers.agreement, answers.of_network, answers.of_prototypes),
            (1.0, Some(1.0), Some(1.0))
        );
    }
    let again = learn(&source, &target, &settings()).unwrap();
    assert_eq!(again.losses, learned.losses, "a seed, a result");
}

#[test]
fn a_class_that_the_target_lacks_has_no_partner() {
    let source = patches(12, 2, [1.0, 1.0], "source");
    let mut target = patches(10, 1, [1.0, 1.0], "target");
    target.seen.classes = target.seen.classes.zeros_like().unwrap();
    let learned = learn(&source, &target, &settings()).unwrap();
    let found = matches(&learned, &source, &target).unwrap();
    assert!(found[0].target.is_some() && found[1].target.is_none() && found[1].transfer.is_none());
}

#[test]
fn what_cannot_be_learned_is_said() {
    let mut source = patches(4, 2, [1.0, 1.0], "Art");
    let target = patches(4, 1, [1.0, 1.0], "Real");
    source.seen.classes = source.seen.classes.zeros_like().unwrap();
    let message = learn(&source, &target, &settings()).unwrap_err().to_string();
    assert!(message.contains("expected at least 1 patches of class 1 in Art, found 0 pictures"), "{message}");
    let three = Tensor::zeros((3, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = Prototypes::new(&three, 2).unwrap_err().to_string();
    assert!(
        message.contains("expected the same number of prototypes for each of 2 classes, found 3 prototypes"),
        "{message}"
    );
}

#[test]
fn the_command_writes_a_page_and_complains() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    assert!(toalign(folder.path(), &with(&short_run(&data), &[])).status.success());
    let run = "runs/toy3x5/Ar-Re/hda+toalign/0";
    let output = toalign(folder.path(), &["knowledge", "--run", run, "--per-class", "2", "--shown", "1"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "Art (source)",
        "Real (target)",
        "agreement %",
        "class2",
        "6 prototypes in knowledge.html",
        "After Xiao",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let page = std::fs::read_to_string(folder.path().join("knowledge.html")).unwrap();
    assert!(
        page.contains("data:image/png") && page.contains("After Xiao") && page.contains("our own reading")
    );

    let message = |more: &[&str]| complaint(folder.path(), &[&["knowledge", "--run", run], more].concat());
    assert!(message(&["--per-class", "0"]).contains("--per-class: expected at least 1, found 0"));
    let none = complaint(folder.path(), &["knowledge", "--run", "nothing"]);
    assert!(none.contains("expected the folder of a run with a checkpoint"), "{none}");
    let many = message(&["--per-class", "400"]);
    assert!(many.contains("patches of class"), "{many}");
}
