//! Runs golden cases: training steps and Grad-CAM maps that agree with the authors' code to 1e-9 in f64.
#![allow(dead_code)] // every test file uses only a part of this

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use toalign::explain::evidence::Evidence;
use toalign::explain::grad_cam::grad_cam;
use toalign::method::alignment::{Alignment, PUBLISHED_STATISTICS_UPDATES};
use toalign::method::dann::Dann;
use toalign::method::dannp::Dannp;
use toalign::method::hda::Hda;
use toalign::method::shown::Shown;
use toalign::method::source_only::{SourceOnly, TargetBatchNormOnly};
use toalign::method::{Method, StepInput};
use toalign::model::resnet::{BackboneKind, Layer};
use toalign::model::{DiscriminatorInput, HeadKind, Model, ModelSpec};
use toalign::nn::parameters::Parameter;
use toalign::nn::schedule::{inverse_decay, reversal_coefficient};
use toalign::nn::sgd::{GroupRates, Sgd, SgdSettings};

use super::common::{unit, values};

pub fn integer(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("expected an integer '{key}'")) as usize
}

pub fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("expected a number '{key}'"))
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("expected a text '{key}'"))
}

fn backbone(case: &Value) -> BackboneKind {
    let name = text(case, "backbone");
    BackboneKind::NAMES.iter().find(|(known, _)| *known == name).expect("a known backbone").1
}

fn head(case: &Value) -> HeadKind {
    match text(case, "head") {
        "hda" => HeadKind::Heuristic,
        _ => HeadKind::Linear,
    }
}

fn method(case: &Value) -> Box<dyn Method> {
    let alignment = Alignment {
        shown: if case["toalign"] == true { Shown::TaskRelevant } else { Shown::Feature },
        entropy_conditioning: case["entropy"] == true,
        weight: number(case, "w_align"),
        statistics_updates: PUBLISHED_STATISTICS_UPDATES,
    };
    match text(case, "method") {
        "source_only" => Box::new(SourceOnly),
        "target_bn_only" => Box::new(TargetBatchNormOnly),
        "dann" => Box::new(Dann { alignment }),
        "dannp" => Box::new(Dannp { alignment }),
        "hda" => Box::new(Hda { alignment }),
        other => panic!("unknown method {other}"),
    }
}

/// Fills a network with the numbers that the golden cases' README describes.
fn fill(parameters: &[Parameter], seed: u64) {
    for parameter in parameters {
        let name = parameter.name.as_str();
        let shape = parameter.file_shape();
        let count: usize = shape.iter().product();
        let (lo, hi) = if name.ends_with("running_mean") {
            (-0.1, 0.1)
        } else if name.ends_with("running_var") {
            (0.9, 1.1)
        } else if shape.len() == 1 && name.ends_with("weight") {
            if name.contains(".layer") { (0.4, 0.6) } else { (0.9, 1.1) }
        } else if shape.len() == 1 {
            (-0.1, 0.1)
        } else {
            let bound = (6.0 / (count / shape[0]) as f64).sqrt() * if shape.len() == 2 { 0.25 } else { 1.0 };
            (-bound, bound)
        };
        let stored = Tensor::from_vec(values(seed, name, count, lo, hi), shape, &Device::Cpu).unwrap();
        parameter.set_from_file(&stored).unwrap();
    }
}

/// `[batch, 3, image, image]` as PyTorch draws it, turned to `[batch, image, image, 3]`.
pub fn images(seed: u64, name: &str, batch: usize, image: usize, dtype: DType, device: &Device) -> Tensor {
    let drawn = values(seed, name, batch * 3 * image * image, -2.0, 2.0);
    let drawn = Tensor::from_vec(drawn, (batch, 3, image, image), &Device::Cpu).unwrap();
    let drawn = drawn.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
    drawn.to_dtype(dtype).unwrap().to_device(device).unwrap()
}

/// Every element.
pub fn as_f64(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_device(&Device::Cpu).unwrap();
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Number(number) => vec![number.as_f64().unwrap()],
        other => panic!("expected numbers, found {other}"),
    }
}

/// Collects the worst relative error of every kind of quantity, each against its tolerance.
struct Comparison {
    case: String,
    tolerance: f64,
    worst: BTreeMap<&'static str, f64>,
}

impl Comparison {
    /// `scale` is what an error is relative to: a sum that cancels is judged by what was summed.
    fn check(&mut self, kind: &'static str, what: &str, found: f64, expected: f64, scale: f64) {
        let error = (found - expected).abs() / scale.abs().max(1e-3);
        let allowed = self.tolerance * if kind == "gradient norm" { 10.0 } else { 1.0 };
        assert!(error <= allowed, "{}: {what}: expected {expected}, found {found}", self.case);
        let worst = self.worst.entry(kind).or_default();
        *worst = worst.max(error);
    }
}

/// Takes the steps of a case on `device` and compares everything that it expects.
pub fn run_step_case(name: &str, case: &Value, dtype: DType, tolerance: f64, device: &Device) {
    let mut comparison =
        Comparison { case: format!("{name} in {dtype:?}"), tolerance, worst: BTreeMap::new() };
    let seed = integer(case, "seed") as u64;
    let (classes, batch, image) = (integer(case, "classes"), integer(case, "batch"), integer(case, "image"));
    let discriminator = match text(case, "discriminator_input") {
        "features" => DiscriminatorInput::Features,
        _ => DiscriminatorInput::Probabilities,
    };
    let spec = ModelSpec {
        backbone: backbone(case),
        classes,
        head: head(case),
        discriminator: Some(discriminator),
        sources: 1,
        hidden: integer(case, "hidden"),
        dropout: 0.0,
        dtype,
    };
    let model = Model::new(&spec, 0).unwrap().to_device(device).unwrap();
    let parameters = model.parameters();
    fill(&parameters, seed);
    let method = method(case);
    let settings = SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
    let mut sgd = Sgd::new(parameters.clone(), settings).unwrap();

    for (number_of_step, expected) in case["expect"]["steps"].as_array().unwrap().iter().enumerate() {
        let iteration = integer(case, "start_iteration") + number_of_step;
        let progress = iteration as f64 / number(case, "total_iterations");
        let rate = number(case, "lr") * inverse_decay(progress, 10.0, 0.75);
        let coefficient = reversal_coefficient(progress, 10.0);
        comparison.check("schedule", "lr", rate, number(expected, "lr"), number(expected, "lr"));
        comparison.check("schedule", "coeff", coefficient, number(expected, "coeff"), 1.0);

        let labels: Vec<u32> = unit(seed, &format!("labels.{number_of_step}"), batch)
            .into_iter()
            .map(|u| (u * classes as f64).floor() as u32)
            .collect();
        let source = images(seed, &format!("source.{number_of_step}"), batch, image, dtype, device);
        let target = images(seed, &format!("target.{number_of_step}"), batch, image, dtype, device);
        let input = StepInput {
            source_images: &source,
            source_labels: &Tensor::new(labels, device).unwrap(),
            target_images: Some(&target),
            reversal_coefficient: coefficient,
            seed: 0,
            step: iteration,
        };
        let losses = method.losses(&model, &input).unwrap();
        let total = as_f64(&losses.total)[0];
        comparison.check("loss", "loss", total, number(expected, "loss"), number(expected, "loss"));
        for (part, loss) in &losses.parts {
            let key = match *part {
                "classification" => "loss_cls",
                "alignment" => "loss_align",
                _ => "loss_hda",
            };
            comparison.check("loss", key, as_f64(loss)[0], number(expected, key), number(expected, key));
        }

        let gradients = losses.total.backward().unwrap();
        for (key, expected) in expected["grad_norm"].as_object().unwrap() {
            let suffix = format!(".{key}");
            let same_name =
                |p: &&Parameter| p.name == format!("base_net{suffix}") || p.name == format!("d_net{suffix}");
            let parameter = parameters.iter().find(same_name).unwrap();
            let expected = expected.as_f64().unwrap();
            let norm = match gradients.get(&parameter.value) {
                Some(gradient) => as_f64(gradient).iter().map(|g| g * g).sum::<f64>().sqrt(),
                None => 0.0,
            };
            comparison.check("gradient norm", key, norm, expected, expected);
        }
        let rates = GroupRates { backbone: rate, head: 10.0 * rate, discriminator: 10.0 * rate };
        sgd.step(&gradients, &rates).unwrap();
    }

    let logits = as_f64(&model.predict(&images(seed, "probe", 2, image, dtype, device)).unwrap());
    let expected: Vec<Vec<f64>> =
        case["expect"]["probe_logits"].as_array().unwrap().iter().map(numbers).collect();
    let largest = expected.iter().flatten().fold(0f64, |largest, logit| largest.max(logit.abs()));
    for (row, expected) in expected.iter().enumerate() {
        for (column, &expected) in expected.iter().enumerate() {
            let found = logits[row * classes + column];
            comparison.check("probe logit", &format!("probe {row} {column}"), found, expected, largest);
        }
    }

    let expected = case["expect"]["tensors"].as_object().unwrap();
    for (name, expected) in expected {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == *name) else {
            panic!("{}: no tensor '{name}'", comparison.case);
        };
        let found = as_f64(&parameter.to_file().unwrap());
        let [sum, absolute, first, last] = numbers(expected)[..] else { panic!("four numbers of {name}") };
        let largest = found.iter().fold(0f64, |largest, value| largest.max(value.abs()));
        comparison.check("tensor", &format!("{name} sum"), found.iter().sum(), sum, absolute);
        let found_absolute: f64 = found.iter().map(|value| value.abs()).sum();
        comparison.check("tensor", &format!("{name} absolute sum"), found_absolute, absolute, absolute);
        comparison.check("tensor", &format!("{name} first"), found[0], first, largest);
        comparison.check("tensor", &format!("{name} last"), found[found.len() - 1], last, largest);
    }
    println!("{}: worst relative errors {:?}", comparison.case, comparison.worst);
}

/// How far f32 may be off, by the golden cases' README.
pub fn tolerance(case: &Value) -> f64 {
    match backbone(case) {
        BackboneKind::ResNet50 | BackboneKind::ResNet101 => 2e-3,
        _ => 1e-4,
    }
}

/// The network of a case of maps.
pub fn case_model(case: &Value, dtype: DType, device: &Device) -> Model {
    let spec = ModelSpec {
        backbone: backbone(case),
        classes: integer(case, "classes"),
        head: head(case),
        discriminator: None,
        sources: 1,
        hidden: 0,
        dropout: 0.0,
        dtype,
    };
    let model = Model::new(&spec, 0).unwrap().to_device(device).unwrap();
    fill(&model.parameters(), integer(case, "seed") as u64);
    model
}

/// The layer of a case of maps.
pub fn layer(case: &Value) -> Layer {
    match text(case, "layer") {
        "layer1" => Layer::Layer1,
        "layer2" => Layer::Layer2,
        "layer3" => Layer::Layer3,
        _ => Layer::Layer4,
    }
}

/// The one picture of a case of maps.
pub fn case_image(case: &Value, dtype: DType, device: &Device) -> Tensor {
    images(integer(case, "seed") as u64, "image", 1, integer(case, "image"), dtype, device)
}

/// Computes the Grad-CAM map of a case on `device` and compares it.
pub fn run_cam_case(name: &str, case: &Value, dtype: DType, tolerance: f64, device: &Device) {
    let (model, layer, image) =
        (case_model(case, dtype, device), layer(case), case_image(case, dtype, device));
    let class = integer(case, "class");
    let score = as_f64(&model.predict(&image).unwrap())[class];
    let expected_score = number(&case["expect"], "score");
    assert!((score - expected_score).abs() < tolerance, "{name}: expected {expected_score}, found {score}");

    let found = as_f64(&grad_cam(&Evidence::of(&model, &image, &[class as u32], layer).unwrap()).unwrap());
    let expected = numbers(&case["expect"]["grad_cam"]);
    assert_eq!(found.len(), expected.len(), "{name}");
    let mut worst = 0f64;
    for (found, expected) in found.iter().zip(&expected) {
        worst = worst.max((found - expected).abs());
    }
    assert!(worst < tolerance, "{name} in {dtype:?}: worst difference {worst}");
    println!("{name} in {dtype:?}: worst difference {worst:.1e}");
}
