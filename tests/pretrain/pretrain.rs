//! Makes the weights that the small backbone starts from, out of 400 other emoji, as ImageNet comes before Office-Home:
//! `cargo run --release --example pretrain -- --out small.safetensors`.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::path::PathBuf;

use candle_core::DType;
use clap::Parser;
use toalign::Result;
use toalign::config::DeviceChoice;
use toalign::data::batches::BatchLoader;
use toalign::data::transform::Transform;
use toalign::files::write_atomically;
use toalign::method::StepInput;
use toalign::method::source_only::SourceOnly;
use toalign::mini_home::{Split, pretraining};
use toalign::model::resnet::BackboneKind;
use toalign::model::weights::{in_half_precision, named, to_bytes};
use toalign::model::{HeadKind, Model, ModelSpec};
use toalign::nn::sgd::{GroupRates, Sgd, SgdSettings};
use toalign::train;
use toalign::train::evaluate::evaluate;

const BATCH_SIZE: usize = 64;
/// Of all parts at the beginning; it falls along half a cosine to 0.
const LEARNING_RATE: f64 = 0.1;
const SGD: SgdSettings = SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
/// Threads that draw pictures ahead.
const WORKERS: usize = 2;

/// The defaults made the committed weights.
#[derive(Parser)]
struct Pretraining {
    /// Decides every random number, the pictures among them.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the 20,000 pictures.
    #[arg(long, default_value_t = 6)]
    epochs: usize,
    /// Where to write the backbone: under torchvision's names, in half precision, without the head.
    #[arg(long, value_name = "FILE", default_value = "small.safetensors")]
    out: PathBuf,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

fn main() -> Result<()> {
    let Pretraining { seed, epochs, out, device } = Pretraining::parse();
    // Under a linear head of 400 classes, which is left behind.
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: pretraining::class_names().len(),
        head: HeadKind::Linear,
        discriminator: None,
        sources: 1,
        hidden: 0,
        dropout: 0.0,
        dtype: DType::F32,
    };
    let model = Model::new(&spec, seed)?.to_device(&device.open()?)?;
    let mut optimiser = Sgd::new(model.parameters(), SGD)?;
    let pictures = pretraining::domain(Split::Train, seed);
    let mut batches = BatchLoader::new(
        pictures,
        Transform::mini(),
        BATCH_SIZE,
        seed,
        "pretraining",
        0,
        WORKERS,
        model.device(),
    )?;
    let steps = batches.batches_per_epoch() * epochs;
    for step in 0..steps {
        let batch = batches.next()?;
        let input = StepInput {
            source_images: &batch.images,
            source_labels: &batch.labels,
            target_images: None,
            reversal_coefficient: 0.0,
            seed,
            step,
        };
        let progress = step as f64 / steps as f64;
        let rate = LEARNING_RATE * ((1.0 + (PI * progress).cos()) / 2.0);
        let rates = GroupRates { backbone: rate, head: rate, discriminator: rate };
        let losses = train::step(&SourceOnly, &model, &mut optimiser, &input, &rates, &mut |_part| Ok(()))?;
        if (step + 1) % 100 == 0 {
            println!("{} of {steps} steps: loss {:.3}", step + 1, losses["total"]);
        }
    }
    let validation = pretraining::domain(Split::Test, seed);
    let accuracy = evaluate(&model, &validation, &Transform::mini(), 100)?.accuracy;
    let note = format!(
        "small backbone, pretrained on 400 emoji (Twemoji, CC-BY 4.0); seed {seed}, {epochs} epochs, validation accuracy \
         {accuracy:.1} %"
    );
    let weights = in_half_precision(&named(&model.backbone.parameters())?)?;
    write_atomically(&out, &to_bytes(&weights, BTreeMap::from([("toalign".to_owned(), note)]))?)?;
    println!("{}: {accuracy:.1} % on 4,000 pictures that were not trained on", out.display());
    Ok(())
}
