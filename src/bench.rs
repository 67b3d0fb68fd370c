//! How long will it take here? One training step, measured in its parts.

pub mod maps;
pub mod pictures;

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rand::Rng;
use serde::Serialize;

use crate::config::{Checked, RunConfig};
use crate::data::batches::Batch;
use crate::data::office_home;
use crate::device::{Precision, memory, profile};
use crate::error::{Result, complain};
use crate::method::{Method, StepInput};
use crate::model::Model;
use crate::nn::sgd::{GroupRates, Sgd};
use crate::random::generator;
use crate::setup::{make_method, make_model, open_task};
use crate::train;
use crate::train::progress::median;
use crate::train::step::Part;
use crate::train::trainer::{Loaders, optimiser};

/// Steps of one Office-Home task in the published setting.
pub const OFFICE_HOME_STEPS: usize = 8000;
/// Tests of one Office-Home task in the published setting.
pub const OFFICE_HOME_TESTS: usize = 16;

/// What a bench measured; all times are medians over the steps.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// The backbone's name.
    pub backbone: String,
    /// The method's name.
    pub method: String,
    /// Pictures of each domain in a step.
    pub batch: usize,
    /// Side of the pictures in pixels.
    pub image: usize,
    /// Where the step was computed: `cpu` or `cuda:N`.
    pub device: String,
    /// How exactly the backbone was computed.
    pub precision: Precision,
    /// Threads that compute on the CPU.
    pub threads: usize,
    /// Seconds of a whole step.
    pub seconds_per_step: f64,
    /// Seconds in which the step waits for its pictures.
    pub data_seconds: f64,
    /// Seconds of the forward pass.
    pub forward_seconds: f64,
    /// Seconds of the backward pass.
    pub backward_seconds: f64,
    /// Seconds of the optimiser.
    pub optimiser_seconds: f64,
    /// Pictures of both domains per second.
    pub images_per_second: f64,
    /// Largest resident memory of the process so far in MB; none where the system does not tell.
    pub peak_mb: Option<f64>,
    /// The most that tensors took on the GPU during the steps in MB; none on the CPU.
    pub device_peak_mb: Option<f64>,
    /// What a product of two 1024×1024 matrices reaches here, in 10⁹ operations per second.
    pub matmul_gflops: f64,
    /// What the convolutions of a whole step reach, in 10⁹ operations per second.
    pub step_gflops: f64,
    /// Seconds of a test per picture: forward only, running statistics.
    pub test_seconds_per_image: f64,
    /// Seconds per step by kind of layer; empty without a profile.
    pub profile: Vec<(&'static str, f64)>,
}

impl Measurement {
    /// Seconds of one Office-Home task at this speed, its tests included, if it had the published 36 pictures per domain.
    ///
    /// # Errors
    /// If the list of Office-Home is damaged.
    pub fn office_home_task_seconds(&self) -> Result<f64> {
        let per_image = self.seconds_per_step / (2 * self.batch) as f64;
        let training = per_image * (2 * 36 * OFFICE_HOME_STEPS) as f64;
        let tested = office_home::pictures_per_task()? * OFFICE_HOME_TESTS;
        Ok(training + self.test_seconds_per_image * tested as f64)
    }
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Method, backbone, batch size and crop of the run in question.
    pub config: RunConfig,
    /// Number of classes.
    pub classes: usize,
    /// Whether to read the pictures of `config.data`; else they are noise that is already in memory.
    pub read_data: bool,
    /// Steps to measure, after one that is not counted.
    pub steps: usize,
    /// Whether to measure by kind of layer as well.
    pub profile: bool,
}

impl Bench {
    /// Runs the steps.
    ///
    /// # Errors
    /// If a setting cannot be meant, or the data cannot be read.
    pub fn run(&self) -> Result<Measurement> {
        let config = &self.config.clone().check()?;
        let device = config.device.open()?;
        let method = make_method(config);
        let model = make_model(config, self.classes, 1)?;
        let mut optimiser = optimiser(config, &model)?;
        let mut batches = Batches::new(self, config, &device)?;
        let steps = self.steps.max(1);
        // A GPU tries its algorithms in the first step, and computes while the next part is handed to it: what a step
        // takes shows where nothing waits, and its parts where the program waits after each.
        let mut measure = |first: usize, steps: usize, parts: bool| -> Result<Vec<StepTimes>> {
            let numbers = first..first + steps;
            numbers
                .map(|step| self.step(&model, method.as_ref(), &mut optimiser, &mut batches, step, parts))
                .collect()
        };
        measure(0, if device.is_cpu() { 1 } else { 3 }, true)?;
        memory::restart_peak(&device);
        profile::restart(self.profile);
        let times = measure(3, steps, true)?;
        let profile = profile::seconds()?;
        profile::restart(false);
        let whole = if device.is_cpu() { None } else { Some(measure(3 + steps, steps, false)?) };
        let device_peak_mb = memory::peak_mb(&device);
        let [data_seconds, forward_seconds, backward_seconds, optimiser_seconds] =
            [0, 1, 2, 3].map(|part| median(&times.iter().map(|times| times[part]).collect::<Vec<_>>()));
        let whole = whole.as_ref().unwrap_or(&times).iter().map(|times| times.iter().sum());
        let seconds_per_step = median(&whole.collect::<Vec<_>>());
        let domains = if config.method.uses_target() { 2 } else { 1 };
        let pictures = (domains * config.batch_size) as f64;
        let side = config.crop;
        Ok(Measurement {
            backbone: config.backbone.name().to_owned(),
            method: config.method_name(),
            batch: config.batch_size,
            image: side,
            device: crate::device::name(&device),
            precision: config.precision,
            threads: rayon::current_num_threads(),
            seconds_per_step,
            data_seconds,
            forward_seconds,
            backward_seconds,
            optimiser_seconds,
            images_per_second: pictures / seconds_per_step,
            peak_mb: peak_memory_mb(),
            device_peak_mb,
            matmul_gflops: matmul_gflops(&device)?,
            step_gflops: model.backbone.training_operations(side)? * pictures / seconds_per_step * 1e-9,
            test_seconds_per_image: self.test_seconds_per_image(&model)?,
            profile: profile.into_iter().map(|(kind, seconds)| (kind, seconds / steps as f64)).collect(),
        })
    }

    /// One step; with `parts` the program waits for the device after each part, so that the times are theirs.
    fn step(
        &self,
        model: &Model,
        method: &dyn Method,
        optimiser: &mut Sgd,
        batches: &mut Batches,
        step: usize,
        parts: bool,
    ) -> Result<StepTimes> {
        let start = Instant::now();
        let (source, target) = batches.next()?;
        let mut ends = vec![start.elapsed().as_secs_f64()];
        let input = StepInput {
            source_images: &source.images,
            source_labels: &source.labels,
            target_images: target.as_ref().map(|batch| &batch.images),
            reversal_coefficient: 0.8,
            seed: self.config.seed,
            step,
        };
        let rate = self.config.learning_rate;
        let rates = GroupRates { backbone: rate, head: 10.0 * rate, discriminator: 10.0 * rate };
        train::step(method, model, optimiser, &input, &rates, &mut |part| {
            if parts || part == Part::Optimiser {
                model.device().synchronize()?;
            }
            ends.push(start.elapsed().as_secs_f64());
            Ok(())
        })?;
        let [data, forward, backward, optimiser] = ends[..] else {
            return Err(complain("a step of three parts", (ends.len() - 1).to_string()).into());
        };
        Ok([data, forward - data, backward - forward, optimiser - backward])
    }

    fn test_seconds_per_image(&self, model: &Model) -> Result<f64> {
        let batch = self.config.test_batch_size;
        let images = noise(batch, self.config.crop, model.device())?;
        let test = || -> Result<()> {
            model.predict(&images)?;
            Ok(model.device().synchronize()?)
        };
        test()?;
        let mut times = Vec::new();
        for _ in 0..3 {
            let start = Instant::now();
            test()?;
            times.push(start.elapsed().as_secs_f64());
        }
        Ok(median(&times) / batch as f64)
    }
}

/// Seconds in which a step waits for its pictures, of its forward pass, of its backward pass, and of the optimiser.
type StepTimes = [f64; 4];

/// Where the batches come from.
enum Batches {
    Noise(Batch),
    Read(Loaders),
}

impl Batches {
    fn new(bench: &Bench, config: &Checked, device: &Device) -> Result<Self> {
        if !bench.read_data {
            let labels: Vec<u32> = (0..config.batch_size).map(|i| (i % bench.classes) as u32).collect();
            return Ok(Self::Noise(Batch {
                images: noise(config.batch_size, config.crop, device)?,
                labels: Tensor::new(labels, device)?,
                indices: (0..config.batch_size).collect(),
            }));
        }
        Ok(Self::Read(Loaders::new(config, &open_task(config)?, 0, device)?))
    }

    fn next(&mut self) -> Result<(Batch, Option<Batch>)> {
        Ok(match self {
            Self::Noise(batch) => (batch.clone(), Some(batch.clone())),
            Self::Read(loaders) => loaders.next()?,
        })
    }
}

fn noise(batch: usize, side: usize, device: &Device) -> Result<Tensor> {
    let mut generator = generator(0, "bench", 0, 0);
    let values: Vec<f32> = (0..batch * side * side * 3).map(|_| generator.random_range(-2.0..2.0)).collect();
    Ok(Tensor::from_vec(values, (batch, side, side, 3), device)?)
}

/// The rate of a 1024×1024 matrix product in 10⁹ operations per second: the best of several.
fn matmul_gflops(device: &Device) -> Result<f64> {
    let side = 1024;
    let a = Tensor::ones((side, side), DType::F32, device)?;
    device.synchronize()?;
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let start = Instant::now();
        a.matmul(&a)?;
        device.synchronize()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(2.0 * (side as f64).powi(3) / best * 1e-9)
}

/// The largest resident memory of this process so far, from `/proc`; none on systems without it.
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
