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

use candle_core::{DType, Device, Tensor, Var};
use common::{cases, values};
use golden::{as_f64, run_cam_case, run_step_case, tolerance};
use toalign::config::{DataSource, DeviceChoice, RunConfig, Weights};
use toalign::device::memory;
use toalign::nn::batch_norm::{BatchNorm, Mode, Then};
use toalign::nn::conv::conv2d;
use toalign::nn::max_pool::max_pool;
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

#[test]
fn a_run_goes_on_on_the_cpu_after_the_gpu_and_stays_close_to_it() {
    let Some(_) = gpu("a_run_goes_on_on_the_cpu_after_the_gpu_and_stays_close_to_it") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = toy::pictures(folder.path(), 3, 5);
    let run = |root: &str, device: DeviceChoice, stop: usize, resume: bool| -> Checkpoint {
        let session = Session::new(config(&data, device).check().unwrap()).unwrap();
        let observers: &mut [&mut dyn Observer] = &mut [&mut StopAfter(stop)];
        let outcome = session.run_in(&folder.path().join(root), resume, observers).unwrap();
        Checkpoint::load(&outcome.folder.join("last.safetensors")).unwrap()
    };
    let cpu = run("cpu", DeviceChoice::Cpu, 99, false);
    run("both", DeviceChoice::Cuda(0), 3, false);
    let both = run("both", DeviceChoice::Cpu, 99, true);
    assert_eq!(both.header.progress.step, 6);
    for (name, tensor) in &cpu.tensors {
        assert_close(name, &both.tensors[name], tensor, 1e-2);
    }
}
