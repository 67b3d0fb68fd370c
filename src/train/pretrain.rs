//! The small backbone's pretrained weights: 400 other emoji, as ImageNet comes before Office-Home.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::time::Instant;

use candle_core::DType;

use super::evaluate::evaluate;
use super::observer::{Observer, StepReport};
use crate::data::batches::BatchLoader;
use crate::data::transform::Transform;
use crate::device::DeviceChoice;
use crate::error::Result;
use crate::method::StepInput;
use crate::method::source_only::SourceOnly;
use crate::mini_home::{Split, pretraining};
use crate::model::resnet::BackboneKind;
use crate::model::weights::{in_half_precision, named, to_bytes};
use crate::model::{HeadKind, Model, ModelSpec};
use crate::nn::sgd::{GroupRates, Sgd, SgdSettings};
use crate::train;

/// How the small backbone is pretrained. The defaults made the committed weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretraining {
    /// Decides initial values, order, crops and flips, and which pictures are drawn.
    pub seed: u64,
    /// Passes over the 20,000 pictures.
    pub epochs: usize,
    /// Pictures per step.
    pub batch_size: usize,
    /// Initial learning rate of all parts; it falls along half a cosine to 0.
    pub learning_rate: f64,
    /// Momentum (Nesterov).
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Threads that draw pictures ahead.
    pub workers: usize,
    /// Where to compute.
    pub device: DeviceChoice,
}

impl Default for Pretraining {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 6,
            batch_size: 64,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 5e-4,
            workers: 2,
            device: DeviceChoice::Auto,
        }
    }
}

/// A pretrained backbone.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// A safetensors file: the backbone under torchvision's names, in half precision, without the head.
    pub file: Vec<u8>,
    /// Accuracy on 4,000 other pictures of the 400 classes, in percent.
    pub validation_accuracy: f64,
}

impl Pretraining {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        let pictures = pretraining::domain(Split::Train, self.seed).pictures.len();
        pictures / self.batch_size.max(1) * self.epochs
    }

    /// Trains the small backbone under a linear head of 400 classes. An observer's `Break` ends it early.
    ///
    /// # Errors
    /// If the batch size is 0 or too large, a loss is not finite, or the observer fails.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Pretrained> {
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
        let model = Model::new(&spec, self.seed)?.to_device(&self.device.open()?)?;
        let settings =
            SgdSettings { momentum: self.momentum, nesterov: true, weight_decay: self.weight_decay };
        let mut optimiser = Sgd::new(model.parameters(), settings)?;
        let pictures = pretraining::domain(Split::Train, self.seed);
        let mut batches = BatchLoader::new(
            pictures,
            Transform::mini(),
            self.batch_size,
            self.seed,
            "pretraining",
            0,
            self.workers,
        )?;
        let steps = batches.batches_per_epoch() * self.epochs;
        for step in 0..steps {
            let start = Instant::now();
            let batch = batches.next()?.to_device(model.device())?;
            let input = StepInput {
                source_images: &batch.images,
                source_labels: &batch.labels,
                target_images: None,
                reversal_coefficient: 0.0,
                seed: self.seed,
                step,
            };
            let rate = self.learning_rate * half_cosine(step as f64 / steps as f64);
            let rates = GroupRates { backbone: rate, head: rate, discriminator: rate };
            let losses =
                train::step(&SourceOnly, &model, &mut optimiser, &input, &rates, &mut |_part| Ok(()))?;
            let report = StepReport {
                step: step + 1,
                steps,
                losses,
                learning_rate: rate,
                coefficient: 0.0,
                seconds: start.elapsed().as_secs_f64(),
            };
            if observer.on_step(&report)?.is_break() {
                break;
            }
        }
        self.finish(&model)
    }

    fn finish(&self, model: &Model) -> Result<Pretrained> {
        let validation = pretraining::domain(Split::Test, self.seed);
        let result = evaluate(model, &validation, &Transform::mini(), 100)?;
        let notes = BTreeMap::from([(
            "toalign".to_owned(),
            format!(
                "small backbone, pretrained on 400 emoji (Twemoji, CC-BY 4.0); seed {}, {} epochs, validation accuracy {:.1} %",
                self.seed, self.epochs, result.accuracy
            ),
        )]);
        let weights = in_half_precision(&named(&model.backbone.parameters())?)?;
        Ok(Pretrained { file: to_bytes(&weights, notes)?, validation_accuracy: result.accuracy })
    }
}

/// From 1 at progress 0 to 0 at progress 1.
fn half_cosine(progress: f64) -> f64 {
    (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_from_one_to_zero() {
        for (progress, expected) in [(0.0, 1.0), (1.0 / 3.0, 0.75), (0.5, 0.5), (1.0, 0.0)] {
            assert!((half_cosine(progress) - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn the_default_is_six_passes_over_20000_pictures() {
        assert_eq!(Pretraining::default().steps(), 6 * 312);
    }
}
