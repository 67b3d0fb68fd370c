//! Tests on an NVIDIA GPU. Without one, or without the feature `cuda`, each says why it is skipped.
//!
//! With `TOALIGN_REQUIRE_CUDA=1` a test that would be skipped fails: so a GPU machine cannot pass by accident.

mod common;
#[path = "common/golden.rs"]
mod golden;
#[path = "common/toy.rs"]
mod toy;

use std::io::Write;
use std::path::Path;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use common::{cases, values};
use golden::{as_f64, run_cam_case, run_step_case, tolerance};
use toalign::config::{BackboneKind, DataSource, DeviceChoice, Precision, RunConfig, Weights};
use toalign::device::memory;
use toalign::model::resnet::ResNet;
use toalign::nn::batch_norm::{BatchNorm, Mode, Then};
use toalign::nn::conv::conv2d;
use toalign::nn::max_pool::max_pool;
use toalign::nn::parameters::Role;
use toalign::nn::sgd::{GroupRates, Sgd, SgdSettings};
use toalign::random::generator;
use toalign::runs::session::Session;
use toalign::train::checkpoint::Checkpoint;
use toalign::train::observer::{Observer, StopAfter};

/// The first GPU, or none with a message that `cargo test` shows even of a test that passes.
fn gpu(test: &str) -> Option<Device> {
    match DeviceChoice::Cuda(0).open() {
        Ok(device) => Some(device),
        Err(error) => {
            let required = std::env::var_os("TOALIGN_REQUIRE_CUDA").is_some_and(|value| value == "1");
            assert!(!required, "TOALIGN_REQUIRE_CUDA=1, but {error}");
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            // Not eprintln!, which the test runner keeps to itself; in one piece, since the tests run side by side.
            let _ = std::io::stderr().write_all(format!("\nskipped {test}: {reason}\n").as_bytes());
            None
        }
    }
}

#[test]
fn golden_steps_agree_on_the_gpu() {
    let Some(device) = gpu("golden_steps_agree_on_the_gpu") else { return };
    for (name, case) in cases("step_") {
        run_step_case(&format!("{name} on the GPU"), &case, DType::F32, tolerance(&case), &device);
    }
}

#[test]
fn golden_heat_maps_agree_on_the_gpu() {
    let Some(device) = gpu("golden_heat_maps_agree_on_the_gpu") else { return };
    for (name, case) in cases("cam_") {
        run_cam_case(&format!("{name} on the GPU"), &case, DType::F32, 1e-4, &device);
    }
}

/// A variable of drawn values on both devices: f64 on the CPU, f32 on the GPU.
fn pair(name: &str, dims: &[usize], device: &Device) -> (Var, Var) {
    let drawn = values(5, name, dims.iter().product(), -1.0, 1.0);
    let drawn = Tensor::from_vec(drawn, dims, &Device::Cpu).unwrap();
    let exact = Var::from_tensor(&drawn.to_dtype(DType::F64).unwrap()).unwrap();
    (exact, Var::from_tensor(&drawn.to_device(device).unwrap()).unwrap())
}

/// The largest difference, relative to the largest value.
fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (as_f64(found), as_f64(expected));
    let largest = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let error = (found - expected).abs() / largest;
        assert!(error < tolerance, "{what}: expected {expected}, found {found}");
    }
}

fn score(y: &Tensor) -> Tensor {
    let weights = values(6, "score", y.elem_count(), -1.0, 1.0);
    let weights = Tensor::from_vec(weights, y.dims(), y.device()).unwrap().to_dtype(y.dtype()).unwrap();
    (y * weights).unwrap().sum_all().unwrap()
}

#[test]
fn convolutions_agree_with_the_cpu() {
    let Some(device) = gpu("convolutions_agree_with_the_cpu") else { return };
    // Kernel, stride, padding, input and output channels, side: all kinds that ResNets have.
    let kinds = [
        (7, 2, 3, 3, 64, 32),
        (3, 2, 1, 3, 16, 40),
        (1, 1, 0, 64, 256, 14),
        (3, 1, 1, 64, 64, 14),
        (3, 2, 1, 128, 128, 28),
        (1, 2, 0, 256, 512, 14),
    ];
    for (size, stride, padding, inputs, outputs, side) in kinds {
        let what = format!("{size}×{size}, stride {stride}, {inputs} → {outputs}");
        let (x, x_gpu) = pair("x", &[3, side, side, inputs], &device);
        let (w, w_gpu) = pair("w", &[outputs, size, size, inputs], &device);
        let expected = conv2d(&x, &w, stride, padding).unwrap();
        let found = conv2d(&x_gpu, &w_gpu, stride, padding).unwrap();
        assert_close(&what, &found, &expected, 1e-5);
        let (expected, found) = (score(&expected).backward().unwrap(), score(&found).backward().unwrap());
        assert_close(&what, found.get(&x_gpu).unwrap(), expected.get(&x).unwrap(), 1e-5);
        assert_close(&what, found.get(&w_gpu).unwrap(), expected.get(&w).unwrap(), 1e-5);
    }
}

/// The same network twice: in f64 on the CPU, and in f32 on the GPU.
fn networks(kind: BackboneKind, precision: Precision, device: &Device) -> (ResNet, ResNet) {
    let drawn = ResNet::new(kind, DType::F32, &mut generator(1, "backbone", 0, 0)).unwrap();
    let exact = ResNet::new(kind, DType::F64, &mut generator(2, "backbone", 0, 0)).unwrap();
    for (to, from) in exact.parameters().iter().zip(drawn.parameters()) {
        to.value.set(&from.value.to_dtype(DType::F64).unwrap()).unwrap();
    }
    (exact, drawn.to_device(device).unwrap().with_precision(precision))
}

/// ‖found - expected‖ / ‖expected‖.
fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    let (found, expected) = (as_f64(found), as_f64(expected));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b))
        / norm(&mut expected.iter().copied()).max(1e-12)
}

#[test]
fn the_backbone_s_one_operation_agrees_with_the_cpu() {
    let Some(device) = gpu("the_backbone_s_one_operation_agrees_with_the_cpu") else { return };
    // How far features and gradients may be apart, ‖found - expected‖ / ‖expected‖. One ReLU of the last map that falls on
    // the other side of zero moves the gradient by a percent: what is sharp here are the features and the small network.
    let cases = [
        (BackboneKind::Small, 40, Precision::F32, 1e-5, 1e-4),
        (BackboneKind::ResNet18, 64, Precision::F32, 1e-4, 5e-2),
        (BackboneKind::ResNet50, 64, Precision::F32, 5e-4, 0.1),
        (BackboneKind::Small, 40, Precision::Tf32, 5e-3, 0.2),
        (BackboneKind::ResNet18, 64, Precision::Tf32, 5e-2, 0.5),
        (BackboneKind::Small, 40, Precision::Bf16, 5e-2, 0.5),
        (BackboneKind::ResNet18, 64, Precision::Bf16, 0.5, 1.0),
    ];
    let mut wrong = Vec::new();
    for (kind, side, precision, of_features, of_gradients) in cases {
        let (exact, found) = networks(kind, precision, &device);
        let (source, source_gpu) = pair("source", &[6, side, side, 3], &device);
        let (target, target_gpu) = pair("target", &[5, side, side, 3], &device);
        // Pictures need no gradient.
        let detached = |picture: &Var| picture.as_detached_tensor();
        let run = |network: &ResNet, source: &Var, target: &Var| -> (Tensor, GradStore) {
            let domains = [(&detached(source), 2), (&detached(target), 1)];
            let features = Tensor::cat(&network.forward_domains(&domains).unwrap(), 0).unwrap();
            let gradients = score(&features).backward().unwrap();
            (features, gradients)
        };
        let (expected, expected_gradients) = run(&exact, &source, &target);
        let (features, gradients) = run(&found, &source_gpu, &target_gpu);
        let mut check = |what: &str, apart: f64, most: f64| {
            println!("{kind} in {precision:?}, {what}: {apart:.1e}");
            if apart.is_nan() || apart >= most {
                wrong.push(format!(
                    "{kind} in {precision:?}, {what}: expected less than {most}, found {apart}"
                ));
            }
        };
        check("features", distance(&features, &expected), of_features);
        let (mut all, mut statistics) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (found, expected) in found.parameters().iter().zip(exact.parameters()) {
            let [founds, expecteds] = match found.role {
                Role::Statistic => &mut statistics,
                Role::Trained(_) => &mut all,
            };
            let of = |store: &GradStore, value: &Var| match found.role {
                Role::Statistic => as_f64(value.as_tensor()),
                Role::Trained(_) => as_f64(store.get(value).expect(&found.name)),
            };
            founds.extend(of(&gradients, &found.value));
            expecteds.extend(of(&expected_gradients, &expected.value));
        }
        let apart = |[found, expected]: [Vec<f64>; 2]| {
            let tensor = |values: Vec<f64>| Tensor::new(values, &Device::Cpu).unwrap();
            distance(&tensor(found), &tensor(expected))
        };
        check("gradients", apart(all), of_gradients);
        check("running statistics", apart(statistics), of_features);
        let (exact, found) = (exact.feature(&detached(&target)), found.feature(&detached(&target_gpu)));
        check("features by them", distance(&found.unwrap(), &exact.unwrap()), 3.0 * of_features);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_loss_falls_as_the_gradient_says() {
    let Some(device) = gpu("the_loss_falls_as_the_gradient_says") else { return };
    // Finite differences along the gradient itself, in the small network whose f32 sums are short.
    let (_, network) = networks(BackboneKind::Small, Precision::F32, &device);
    let (_, images) = pair("images", &[8, 40, 40, 3], &device);
    let loss = || -> Tensor {
        let mode = Mode::Training { statistics_updates: 0 };
        score(&network.forward(&images.as_detached_tensor(), mode).unwrap())
    };
    let gradients = loss().backward().unwrap();
    let trained: Vec<_> =
        network.parameters().into_iter().filter(|parameter| parameter.role != Role::Statistic).collect();
    let squared: f64 = trained
        .iter()
        .flat_map(|parameter| as_f64(gradients.get(&parameter.value).expect("a gradient")))
        .map(|value| value * value)
        .sum();
    let step = 1e-3 / squared.sqrt();
    let moved = |by: f64| -> f64 {
        for parameter in &trained {
            let gradient = gradients.get(&parameter.value).unwrap();
            let value = (parameter.value.as_detached_tensor() + (gradient * by).unwrap()).unwrap();
            parameter.value.set(&value).unwrap();
        }
        as_f64(&loss())[0]
    };
    let above = moved(step);
    let below = moved(-2.0 * step);
    let slope = (above - below) / (2.0 * step);
    println!("finite difference {slope}, gradient {squared}");
    assert!((slope / squared - 1.0).abs() < 0.02, "finite difference {slope}, gradient {squared}");
}

#[test]
fn sgd_over_all_tensors_agrees_with_the_composition() {
    let Some(device) = gpu("sgd_over_all_tensors_agrees_with_the_composition") else { return };
    let settings = SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
    let rates = GroupRates { backbone: 0.01, head: 0.1, discriminator: 0.1 };
    let (exact, found) = networks(BackboneKind::ResNet18, Precision::F32, &device);
    let (_, copy) = networks(BackboneKind::ResNet18, Precision::F32, &device);
    drop(exact);
    let (_, images) = pair("images", &[4, 64, 64, 3], &device);
    let mut steps =
        [Sgd::new(found.parameters(), settings).unwrap(), Sgd::new(copy.parameters(), settings).unwrap()];
    for _ in 0..2 {
        let mode = Mode::Training { statistics_updates: 1 };
        let loss = score(&found.forward(&images.as_detached_tensor(), mode).unwrap());
        let gradients = loss.backward().unwrap();
        steps[0].step(&gradients, &rates).unwrap();
        // The other one's tensors are other variables with the same gradients.
        let mut same = score(&copy.forward(&images.as_detached_tensor(), mode).unwrap()).backward().unwrap();
        for (found, copy) in found.parameters().iter().zip(copy.parameters()) {
            if let Some(gradient) = gradients.get(&found.value) {
                same.insert(&copy.value, gradient.clone());
            }
        }
        steps[1].step_composed(&same, &rates).unwrap();
        for (found, copy) in found.parameters().iter().zip(copy.parameters()) {
            if found.role != Role::Statistic {
                assert_close(&found.name, found.value.as_tensor(), copy.value.as_tensor(), 1e-6);
            }
        }
    }
}

#[test]
fn batch_norm_and_pooling_agree_with_the_cpu() {
    let Some(device) = gpu("batch_norm_and_pooling_agree_with_the_cpu") else { return };
    let (x, x_gpu) = pair("x", &[4, 15, 14, 64], &device);
    let (shortcut, shortcut_gpu) = pair("shortcut", &[4, 15, 14, 64], &device);
    let layer = BatchNorm::new(64, DType::F64).unwrap();
    let layer_gpu = BatchNorm::new(64, DType::F32).unwrap().to_device(&device).unwrap();
    for mode in [Mode::Training { statistics_updates: 2 }, Mode::Evaluation] {
        let expected = layer.forward(&x, mode, Then::AddAndRelu(&shortcut)).unwrap();
        let found = layer_gpu.forward(&x_gpu, mode, Then::AddAndRelu(&shortcut_gpu)).unwrap();
        let (expected, found) = (max_pool(&expected).unwrap(), max_pool(&found).unwrap());
        assert_close("value", &found, &expected, 1e-5);
        assert_close("mean", &layer_gpu.running_mean, &layer.running_mean, 1e-5);
        assert_close("variance", &layer_gpu.running_var, &layer.running_var, 1e-5);
        let (expected, found) = (score(&expected).backward().unwrap(), score(&found).backward().unwrap());
        let variables = [
            (&x_gpu, &x),
            (&shortcut_gpu, &shortcut),
            (&layer_gpu.weight, &layer.weight),
            (&layer_gpu.bias, &layer.bias),
        ];
        for (found_of, expected_of) in variables {
            assert_close("gradient", found.get(found_of).unwrap(), expected.get(expected_of).unwrap(), 1e-4);
        }
    }
}

#[test]
fn the_peak_of_memory_is_counted() {
    let Some(device) = gpu("the_peak_of_memory_is_counted") else { return };
    memory::restart_peak(&device);
    let before = memory::peak_mb(&device).expect("a GPU with a memory pool");
    // 1 GB, more than the tests beside this one could free meanwhile.
    drop(Tensor::zeros(256 << 20, DType::F32, &device).unwrap());
    device.synchronize().unwrap();
    let after = memory::peak_mb(&device).unwrap();
    assert!(after - before > 500.0, "{before} MB, then {after} MB");
}

fn config(data: &Path, device: DeviceChoice) -> RunConfig {
    RunConfig {
        data: DataSource::Folder(data.to_owned()),
        task: "Ar-Re".into(),
        method: "hda".parse().unwrap(),
        toalign: true,
        weights: Weights::None,
        steps: 6,
        test_every: 3,
        checkpoint_every: 3,
        batch_size: 4,
        discriminator_hidden: 16,
        device,
        ..RunConfig::mini()
    }
}

/// Two ways to compute the same on one CPU are 1e-5 apart after one step of this run, 4 % after three, 20 % after six (small
/// batches, random weights): only the first step can be compared.
#[test]
fn a_run_begun_on_the_gpu_goes_on_on_the_cpu() {
    let Some(_) = gpu("a_run_begun_on_the_gpu_goes_on_on_the_cpu") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = toy::pictures(folder.path(), 3, 5);
    let run = |root: &str, device: DeviceChoice, stop: usize, resume: bool| -> Checkpoint {
        let session = Session::new(config(&data, device).check().unwrap()).unwrap();
        let observers: &mut [&mut dyn Observer] = &mut [&mut StopAfter(stop)];
        let outcome = session.run_in(&folder.path().join(root), resume, observers).unwrap();
        Checkpoint::load(&outcome.folder.join("last.safetensors")).unwrap()
    };
    let cpu = run("cpu", DeviceChoice::Cpu, 1, false);
    let gpu = run("both", DeviceChoice::Cuda(0), 1, false);
    for (name, tensor) in &cpu.tensors {
        assert_close(name, &gpu.tensors[name], tensor, 1e-3);
    }
    let both = run("both", DeviceChoice::Cpu, 99, true);
    assert_eq!(both.header.progress.step, 6);
}
