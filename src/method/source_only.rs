//! Source only: the baseline without adaptation, and its control that only shows the target to batch norm.

use super::losses::cross_entropy;
use super::{Losses, Method, StepInput};
use crate::error::Result;
use crate::model::Model;
use crate::nn::batch_norm::Mode;

/// `L = CE(fc(f(x_s)), y_s)`; the target is never seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceOnly;

impl Method for SourceOnly {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        let feature =
            model.backbone.forward(input.source_images, Mode::Training { statistics_updates: 1 })?;
        let logits = model.head.forward(&feature)?.logits; // [batch, classes]
        let classification = cross_entropy(&logits, input.source_labels)?;
        Ok(Losses::new(classification.clone(), vec![("classification", classification)]))
    }
}

/// The loss of [`SourceOnly`], with the target batch sent through the backbone only to move its running statistics.
///
/// How much of an adaptation gain is nothing but batch norm's statistics? This is the control that tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetBatchNormOnly;

impl Method for TargetBatchNormOnly {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        let losses = SourceOnly.losses(model, input)?;
        model.backbone.forward(input.target()?, Mode::Training { statistics_updates: 1 })?;
        Ok(losses)
    }
}
