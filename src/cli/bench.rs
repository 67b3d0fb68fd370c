//! `toalign bench`: how long will it take here?

use std::path::PathBuf;

use clap::Args;
use toalign::Result;
use toalign::bench::maps::{MapsMeasurement, bench_maps};
use toalign::bench::pictures::{PicturesMeasurement, bench_pictures};
use toalign::bench::{Bench as Measure, Measurement};
use toalign::config::{Baseline, DataSource, DeviceChoice, Precision, RunConfig};
use toalign::model::resnet::BackboneKind;
use toalign::report::table::{Align, Table};

use super::say::say;

/// What to measure; without flags the paper's: HDA+ToAlign, ResNet-50, 224×224.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign bench                                        the paper's network, 8 + 8 pictures
  toalign bench --backbone small --image 40 --batch 32 --classes 12
  toalign bench --data folder:office_home --task Ar-Pr  with the time to read the pictures
  toalign bench --pictures office_home --threads 2      only the pictures: decode, resize, crop, normalise
  toalign bench --maps                                 every kind of heat map of one picture
  toalign bench --device cuda --batch 36 --method dannp  what the published 590 ms and 6,668 MB were measured on
  toalign bench --json                                 one line for a script")]
pub struct Bench {
    /// The feature extractor.
    #[arg(long, default_value = "resnet50")]
    backbone: BackboneKind,
    /// Side of the pictures in pixels.
    #[arg(long, default_value_t = 224)]
    image: usize,
    /// Pictures of each domain in a step.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// The method, with `--toalign false` for the baseline alone.
    #[arg(long, default_value = "hda")]
    method: Baseline,
    /// Whether ToAlign is on; it is ignored for methods without alignment.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    toalign: bool,
    /// Number of classes, where no data are read.
    #[arg(long, default_value_t = 65)]
    classes: usize,
    /// Steps to measure, after one that is not counted.
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Pictures to read, as `toalign train` has them; without it they are noise that is already in memory.
    #[arg(long)]
    data: Option<DataSource>,
    /// The task whose pictures are read.
    #[arg(long, default_value = "Ar-Cl")]
    task: String,
    /// Threads per domain that get pictures ready, with --data.
    #[arg(long, default_value_t = 2, requires = "data")]
    workers: usize,
    /// Measure only how fast the pictures in this folder and below get ready for a published step, without a network.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["data", "profile"])]
    pictures: Option<PathBuf>,
    /// Threads that get pictures ready, with --pictures.
    #[arg(long, default_value_t = 1, requires = "pictures")]
    threads: usize,
    /// Measure every kind of heat map of one picture in place of training steps; `--steps` is how often.
    #[arg(long, conflicts_with_all = ["data", "profile", "pictures"])]
    maps: bool,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// How exactly a GPU computes the backbone: `f32`, `tf32` or `bf16`.
    #[arg(long, default_value = "f32")]
    precision: Precision,
    /// Print the time by kind of layer too; on a GPU by kernel.
    #[arg(long)]
    profile: bool,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> Result<()> {
        if let Some(folder) = &self.pictures {
            let measured = bench_pictures(folder, self.threads)?;
            return if self.json {
                say(serde_json::to_string(&measured).unwrap_or_default())
            } else {
                print_pictures(&measured)
            };
        }
        let preset = RunConfig::office_home();
        let config = RunConfig {
            backbone: self.backbone,
            crop: self.image,
            resize: preset.resize * self.image / preset.crop,
            batch_size: self.batch,
            test_batch_size: preset.test_batch_size,
            method: self.method,
            toalign: self.toalign && self.method.with_toalign.is_some(),
            // The small network is Mini Office-Home's, discriminator included.
            discriminator_hidden: match self.backbone {
                BackboneKind::Small => RunConfig::mini().discriminator_hidden,
                _ => preset.discriminator_hidden,
            },
            data: self.data.clone().unwrap_or(DataSource::Mini),
            task: self.task,
            workers: self.workers,
            device: self.device,
            precision: self.precision,
            ..preset
        };
        if self.maps {
            let measured = bench_maps(&config, self.classes, self.steps)?;
            return if self.json {
                say(serde_json::to_string(&measured).unwrap_or_default())
            } else {
                print_maps(&measured)
            };
        }
        let measurement = Measure {
            config,
            classes: self.classes,
            read_data: self.data.is_some(),
            steps: self.steps,
            profile: self.profile,
        }
        .run()?;
        if self.json {
            return say(serde_json::to_string(&measurement).unwrap_or_default());
        }
        print(&measurement)
    }
}

fn print_pictures(measured: &PicturesMeasurement) -> Result<()> {
    let parts = [
        ("read and decode", measured.decode_seconds),
        ("resize", measured.resize_seconds),
        ("crop, mirror, normalise", measured.crop_seconds),
    ];
    let whole: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    let mut table =
        Table::new([("part of a picture", Align::Left), ("ms", Align::Right), ("share", Align::Right)]);
    for (name, seconds) in parts.into_iter().chain([("whole picture", whole)]) {
        table.push([
            name.to_owned(),
            format!("{:.3}", 1e3 * seconds),
            format!("{:.0} %", 100.0 * seconds / whole),
        ]);
    }
    say(table)?;
    let processor = measured
        .pictures_per_cpu_second
        .map_or(String::new(), |rate| format!(", {rate:.0} per second of processor time"));
    let threads = match measured.threads {
        1 => "1 thread".to_owned(),
        many => format!("{many} threads"),
    };
    say(format!(
        "{} pictures, {threads}: {:.0} pictures per second per core{processor}",
        measured.pictures, measured.pictures_per_second_per_core,
    ))
}

fn print_maps(measured: &MapsMeasurement) -> Result<()> {
    let MapsMeasurement { backbone, image, device, threads, seconds } = measured;
    let mut table = Table::new([("map", Align::Left), ("ms", Align::Right)]);
    for (name, seconds) in seconds {
        table.push([(*name).to_owned(), format!("{:.1}", 1e3 * seconds)]);
    }
    say(format!("one picture of {image}×{image}, {backbone}, device {device}, {threads} threads"))?;
    say(table)
}

fn print(measured: &Measurement) -> Result<()> {
    let Measurement { backbone, method, batch, image, threads, device, .. } = measured;
    say(format!(
        "{method} with {backbone}, {batch}+{batch} pictures of {image}×{image}, device {device}, {threads} threads"
    ))?;
    let mut table =
        Table::new([("part of a step", Align::Left), ("seconds", Align::Right), ("share", Align::Right)]);
    let total = measured.seconds_per_step;
    let parts = [
        ("waiting for pictures", measured.data_seconds),
        ("forward", measured.forward_seconds),
        ("backward", measured.backward_seconds),
        ("optimiser", measured.optimiser_seconds),
        ("whole step", total),
    ];
    for (name, seconds) in parts.into_iter().chain(measured.profile.iter().copied()) {
        table.push([name.to_owned(), format!("{seconds:.4}"), format!("{:.0} %", 100.0 * seconds / total)]);
    }
    say(table)?;
    let task = measured.office_home_task_seconds()? / 3600.0;
    say(format!(
        "{:.2} pictures per second; {:.2} ms per picture in a test\n\
         peak memory {}{}\n\
         convolutions at {:.0} of the {:.0} GF/s that a matrix product reaches here ({:.0} %)\n\
         one Office-Home task (8000 steps of 36+36, 16 tests): {task:.1} hours; all twelve: {:.1} hours",
        measured.images_per_second,
        1e3 * measured.test_seconds_per_image,
        measured.peak_mb.map_or("not known on this system".to_owned(), |peak| format!("{peak:.0} MB")),
        match (device.as_str(), measured.device_peak_mb) {
            ("cpu", _) => String::new(),
            (_, Some(peak)) => format!("; on the GPU {peak:.0} MB in tensors"),
            (_, None) => "; on the GPU not known".to_owned(),
        },
        measured.step_gflops,
        measured.matmul_gflops,
        100.0 * measured.step_gflops / measured.matmul_gflops,
        12.0 * task,
    ))
}
