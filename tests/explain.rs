//! Heat maps: what must hold between them, what they say about bad input, and `toalign explain`.

#[path = "common/toy.rs"]
mod toy;

use candle_core::{DType, Device, Tensor};
use toalign::Domain;
use toalign::data::dataset::Pictures;
use toalign::data::transform::Transform;
use toalign::explain::confidence::{Confidence, complexity};
use toalign::explain::deletion::{Change, change};
use toalign::explain::evidence::Evidence;
use toalign::explain::guided::{guided, guided_backpropagation};
use toalign::explain::maps::find;
use toalign::explain::measured::{NO_KNOWLEDGE, measure};
use toalign::explain::road::{imputed, kept};
use toalign::explain::sanity::{PARTS, forgetting};
use toalign::method::toalign::task_relevant;
use toalign::mini_home::{Split, domain};
use toalign::model::resnet::{BackboneKind, Layer};
use toalign::model::{HeadKind, Model, ModelSpec};
use toalign::nn::batch_norm::Mode;
use toalign::random::generator;
use toalign::report::map_measures::measures_table;
use toy::{complaint, pictures, short_run, toalign, with};

fn spec(head: HeadKind, dtype: DType) -> ModelSpec {
    ModelSpec {
        backbone: BackboneKind::Small,
        classes: 5,
        head,
        discriminator: None,
        sources: 1,
        hidden: 0,
        dropout: 0.0,
        dtype,
    }
}

fn model(head: HeadKind) -> Model {
    Model::new(&spec(head, DType::F64), 3).unwrap()
}

fn image(side: usize) -> Tensor {
    let waves =
        (0..side * side * 3).map(|number| (number as f64 * 0.37).sin() + (number as f64 * 0.011).cos());
    Tensor::from_vec(waves.collect(), (1, side, side, 3), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

fn map(key: &str, evidence: &Evidence) -> Vec<f64> {
    numbers(&(find(key).unwrap().compute)(evidence).unwrap())
}

fn close(one: &[f64], other: &[f64], tolerance: f64) {
    let largest = one.iter().fold(1e-12, |largest: f64, value| largest.max(value.abs()));
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert!((one - other).abs() <= tolerance * largest, "{one} {other}");
    }
}

#[test]
fn after_the_last_layer_the_maps_are_one_and_its_weight_is_toalign_s() {
    for head in [HeadKind::Linear, HeadKind::Heuristic] {
        let (model, image) = (model(head), image(40));
        for class in [0u32, 3] {
            let evidence = Evidence::of(&model, &image, &[class], Layer::Layer4).unwrap();
            let grad_cam = map("grad-cam", &evidence);
            close(&grad_cam, &map("hires-cam", &evidence), 1e-12);
            close(&grad_cam, &map("x-grad-cam", &evidence), 1e-4); // its 1e-7
            // CAM: the class's row of the head over the map, divided by the number of places.
            let row = model.head.rows().unwrap().get(class as usize).unwrap();
            let cam = evidence.map.broadcast_mul(&row).unwrap().sum(3).unwrap().relu().unwrap();
            close(&grad_cam, &numbers(&(cam / 25.0).unwrap()), 1e-12);
            let layer_cam = map("layer-cam", &evidence);
            close(&layer_cam, &map("grad-cam++-authors", &evidence), 1e-12);
            // ToAlign's f_p is a multiple of this weight times the feature.
            let feature = model.backbone.feature(&image).unwrap();
            let part =
                task_relevant(&feature, &Tensor::new(&[class], &Device::Cpu).unwrap(), &model.head).unwrap();
            let weighted = numbers(&(evidence.slope.mean((1, 2)).unwrap() * feature).unwrap());
            let part = numbers(&part);
            let longest = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let scale = longest(&part) / longest(&weighted);
            close(&part, &weighted.iter().map(|value| scale * value).collect::<Vec<_>>(), 1e-10);
        }
    }
}

/// Guided backpropagation is the plain slope where no slope is negative on its way: with every weight of the network positive.
#[test]
fn guided_slopes_are_the_plain_ones_without_negative_weights_and_fewer_with() {
    let (fresh, image) = (model(HeadKind::Linear), image(24).abs().unwrap());
    let plain = |model: &Model| {
        let image = candle_core::Var::from_tensor(&image).unwrap();
        let feature = model.backbone.forward_by_layers(&image, Mode::Evaluation).unwrap();
        let score = model.head.forward(&feature).unwrap().logits.get(0).unwrap().get(1).unwrap();
        numbers(score.backward().unwrap().get(&image).unwrap())
    };
    let of_model = |model: &Model| numbers(&guided_backpropagation(model, &image, &[1]).unwrap());
    let differ = plain(&fresh)
        .iter()
        .zip(of_model(&fresh))
        .filter(|(plain, guided)| (*plain - guided).abs() > 1e-9)
        .count();
    assert!(differ > 100, "{differ}");
    for parameter in fresh.parameters().iter().filter(|parameter| !parameter.name.contains("running")) {
        parameter.value.set(&parameter.value.abs().unwrap()).unwrap();
    }
    close(&plain(&fresh), &of_model(&fresh), 1e-12);
    let map = Tensor::ones((1, 3, 3), DType::F64, &Device::Cpu).unwrap();
    let slope = guided_backpropagation(&fresh, &image, &[1]).unwrap();
    close(&numbers(&guided(&map, &slope).unwrap()), &numbers(&slope), 1e-12);
}

#[test]
fn eigen_cam_is_the_strongest_pattern_with_its_sign_turned() {
    // One pattern, strong where the picture is "object", in channels of both signs, and a weak second one.
    let object = [0.0, 1.0, 1.0, 0.0, 0.0, 3.0];
    let values: Vec<f64> = object
        .iter()
        .enumerate()
        .flat_map(|(place, object)| {
            let weak = 0.01 * (place as f64 * 2.0).cos();
            [-2.0 * object + weak, *object, weak, 0.5 * object - weak]
        })
        .collect();
    let a = Tensor::from_vec(values, (1, 2, 3, 4), &Device::Cpu).unwrap();
    let score = Tensor::zeros(1, DType::F64, &Device::Cpu).unwrap();
    let evidence =
        Evidence { slope: a.ones_like().unwrap(), map: a, score: score.clone(), probability: score };
    let found = map("eigen-cam", &evidence);
    // The singular value times the place's share: the centred object times the length of (-2, 1, 0, 0.5).
    let mean = object.iter().sum::<f64>() / 6.0;
    let expected: Vec<f64> =
        object.iter().map(|object| ((object - mean) * 5.25f64.sqrt()).max(0.0)).collect();
    close(&expected, &found, 0.02);
    close(&found, &map("eigen-grad-cam", &evidence), 1e-12);
    let same = Evidence { map: evidence.map.ones_like().unwrap(), ..evidence };
    assert!(map("eigen-cam", &same).iter().all(|value| *value == 0.0), "no pattern, no NaN");
}

#[test]
fn measures_of_a_map_of_ones_and_of_ties() {
    let (model, image) = (model(HeadKind::Linear), image(12));
    let ones = vec![1.0; 144];
    let all = Confidence::of(&model, &image, 2, &ones).unwrap();
    assert!((all.drop_percent(), all.increase()) == (0.0, false) && complexity(&ones) == 1.0);
    let deletion = change(&model, &image, 2, &ones, Change::Deletion, 100).unwrap();
    let insertion = change(&model, &image, 2, &ones, Change::Insertion, 100).unwrap();
    assert_eq!(deletion.probabilities.len(), 3, "two turns");
    assert!(
        (deletion.probabilities[0] - insertion.probabilities[2]).abs() < 1e-12,
        "both know the picture itself"
    );
    // Zeros in most places: exactly so many stay, where the published code keeps none.
    let mut spot = vec![0.0; 144];
    spot[70] = 1.0;
    for percentile in [10, 50, 90] {
        let count = kept(&spot, percentile).into_iter().filter(|stays| *stays).count();
        assert_eq!(count, (percentile as usize * 143).div_ceil(100), "{percentile}");
    }
    // What is filled in lies between what is around it; a picture of one colour stays as it is.
    let flat = Tensor::full(0.7, (1, 12, 12, 3), &Device::Cpu).unwrap();
    close(&numbers(&imputed(&flat, &kept(&spot, 20), None).unwrap()), &numbers(&flat), 1e-9);
    let noisy = imputed(&flat, &kept(&spot, 20), Some(&mut generator(1, "noise", 0, 0))).unwrap();
    let differences: Vec<f64> = numbers(&noisy).iter().map(|value| value - 0.7).collect();
    let deviation = (differences.iter().map(|value| value * value).sum::<f64>() / (115.0 * 3.0)).sqrt();
    assert!((deviation - 0.01).abs() < 0.002, "{deviation}");
}

#[test]
fn a_network_forgets_from_the_top() {
    let spec = spec(HeadKind::Heuristic, DType::F32);
    let trained = Model::new(&spec, 1).unwrap();
    let networks = forgetting(&trained, &spec, 2).unwrap();
    assert_eq!(networks.iter().map(|(part, _)| *part).collect::<Vec<_>>(), PARTS.map(|(part, _)| part));
    let same = |other: &Model| -> Vec<String> {
        let pairs = trained.parameters().into_iter().zip(other.parameters());
        let weights = pairs.filter(|(one, _)| one.name.ends_with("weight") && one.value.dims().len() > 1);
        let same = weights.filter(|(one, other)| numbers(&one.value) == numbers(&other.value));
        same.map(|(one, _)| one.name).collect()
    };
    let kept: Vec<usize> = networks.iter().map(|(_, network)| same(network).len()).collect();
    assert!(kept.is_sorted_by(|more, fewer| more > fewer) && kept[5] == 0, "{kept:?}");
    assert!(!same(&networks[0].1).iter().any(|name| name.contains("fc")), "the head goes first");
}

#[test]
fn the_table_of_measures_has_a_map_that_knows_nothing() {
    let domain = domain("Clipart", Split::Test, &Default::default()).unwrap();
    let model = Model::new(&ModelSpec { classes: 12, ..spec(HeadKind::Linear, DType::F32) }, 1).unwrap();
    let transform = toalign::data::transform::Transform::mini();
    let kinds = [find("grad-cam").unwrap(), find("eigen-cam").unwrap()];
    let rows = measure(&model, &transform, &domain, &[3, 100], &kinds, Layer::Layer4).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["Grad-CAM", "EigenCAM", NO_KNOWLEDGE]
    );
    assert!(rows[2].values.iter().all(|values| values.len() == 2), "{rows:?}");
    let again = measure(&model, &transform, &domain, &[3, 100], &kinds, Layer::Layer4).unwrap();
    assert_eq!(rows, again, "the noise is drawn by the picture's number");
    let zero = rows[0].minus(&again[0]).unwrap();
    assert!(zero.values.iter().flatten().all(|value| *value == 0.0));
    assert_eq!(measures_table(&rows).rows().len(), 3);
}

/// A picture whose mask is not of its size.
struct Mismatched;

impl Pictures for Mismatched {
    fn len(&self) -> usize {
        1
    }
    fn name(&self, _: usize) -> String {
        "mug.png".into()
    }
    fn label(&self, _: usize) -> u32 {
        0
    }
    fn decode(&self, _: usize) -> toalign::Result<image::RgbImage> {
        Ok(image::RgbImage::new(40, 40))
    }
    fn mask(&self, _: usize) -> toalign::Result<Option<image::GrayImage>> {
        Ok(Some(image::GrayImage::new(40, 30)))
    }
}

#[test]
fn a_mask_of_another_size_is_named() {
    let model = Model::new(&spec(HeadKind::Linear, DType::F32), 3).unwrap();
    let domain = Domain { name: "Art".into(), pictures: std::sync::Arc::new(Mismatched) };
    let kinds = [find("grad-cam").unwrap()];
    let message =
        measure(&model, &Transform::mini(), &domain, &[0], &kinds, Layer::Layer4).unwrap_err().to_string();
    assert!(
        message.contains("mug.png: expected a mask of the picture's size, 40×40, found 40×30"),
        "{message}"
    );
}

#[test]
fn the_command_draws_compares_measures_and_complains() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 3, 5);
    let arguments = short_run(&data);
    assert!(toalign(folder.path(), &with(&arguments, &[])).status.success());
    assert!(toalign(folder.path(), &with(&arguments, &["--toalign", "false"])).status.success());
    let (run, other) = ("runs/toy3x5/Ar-Re/hda+toalign/0", "runs/toy3x5/Ar-Re/hda/0");
    let picture = std::fs::read_dir(data.join("Art")).unwrap().next().unwrap().unwrap().path();
    let picture = std::fs::read_dir(picture).unwrap().next().unwrap().unwrap().path();
    let picture = picture.to_str().unwrap();

    let drawn = ["explain", picture, "--run", run, "--compare", other, "--html", "e.html", "--raw", "raw"];
    let output = toalign(folder.path(), &drawn);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        toalign::data::decode::decode_file(&folder.path().join("explanation.png"), None).unwrap().width()
            > 600
    );
    assert!(
        std::fs::read_to_string(folder.path().join("e.html")).unwrap().contains("edges rather than reasons")
    );
    let raw = std::fs::read_dir(folder.path().join("raw")).unwrap().next().unwrap().unwrap().path();
    let raw = candle_core::safetensors::load(raw, &Device::Cpu).unwrap();
    assert_eq!(raw.len(), 8);
    assert_eq!(raw["hda/guided-grad-cam"].dims().len(), 3);

    let measured =
        ["explain", "--measure", "--run", run, "--compare", other, "--pictures", "2", "--maps", "layer-cam"];
    let output = toalign(folder.path(), &measured);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in
        ["(source), 2 pictures", "(target), 2 pictures", "hda − hda+toalign", "LayerCAM", NO_KNOWLEDGE]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    let message =
        |more: &[&str]| complaint(folder.path(), &[&["explain", picture, "--run", run], more].concat());
    assert!(
        message(&["--layer", "layer5"])
            .contains("expected a layer: layer1, layer2, layer3 or layer4, found 'layer5'")
    );
    assert!(message(&["--maps", "gradcam"]).contains("did you mean grad-cam?"));
    assert!(
        message(&["--class", "Unicorn"])
            .contains("--class: expected one of the run's 3 classes, found 'Unicorn'"),
        "{}",
        message(&["--class", "Unicorn"])
    );
    let fewer = pictures(folder.path(), 2, 5);
    assert!(toalign(folder.path(), &with(&short_run(&fewer), &[])).status.success());
    let other_classes = message(&["--compare", "runs/toy2x5/Ar-Re/hda+toalign/0"]);
    let expected =
        "--compare: expected a run of the same classes: class0, class1, class2, found class0, class1";
    assert!(other_classes.contains(expected), "{other_classes}");
    let tiny = folder.path().join("tiny.png");
    image::RgbImage::new(8, 8).save(&tiny).unwrap();
    let output = toalign(folder.path(), &["explain", "tiny.png", "--run", run, "--out", "tiny-maps.png"]);
    assert!(output.status.success(), "a picture smaller than the window is enlarged to it");
    let csv = [&measured[..], &["--csv", "measured.csv"]].concat();
    assert!(toalign(folder.path(), &csv).status.success());
    let csv = std::fs::read_to_string(folder.path().join("measured.csv")).unwrap();
    assert!(csv.starts_with("task,method,seed,domain,layer,map,measure,mean,standard_error,pictures\nAr-Re,hda+toalign,0,Art,layer4,LayerCAM,energy,"));
    assert_eq!(csv.lines().count(), 1 + 2 * 2 * 2 * 8, "two runs, two domains, two maps, eight measures");
    assert!(message(&["--compare", "nothing"]).contains("expected the folder of a run with a checkpoint"));
    let (model, picture) = (model(HeadKind::Linear), image(12));
    let beyond = Evidence::of(&model, &picture, &[9], Layer::Layer4).unwrap_err().to_string();
    assert!(
        beyond.contains("expected a class below 5, the number of the network's classes, found 9"),
        "{beyond}"
    );
    let size = Confidence::of(&model, &picture, 0, &[1.0; 9]).unwrap_err().to_string();
    assert!(size.contains("expected a map of the picture's size, 12×12, found 9 values"), "{size}");
}
