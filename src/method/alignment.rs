//! What DANN, DANNP and HDA share: which source feature is aligned, how images are weighted, and the adversary's loss.

use candle_core::Tensor;

use super::StepInput;
use super::losses::{
    adversarial, adversarial_of_several_sources, entropy_weights, equal_weights, one_hot, softmax,
};
use super::shown::Shown;
use super::toalign::{task_relevant, weighted};
use crate::error::{Result, complain};
use crate::model::Model;

/// The published ToAlign sends each source batch through the backbone twice, and batch norm counts it twice.
///
/// The gradients are those of one pass, but in the running statistics the target weighs 0.37 in place of 0.53, and these
/// statistics are what a test normalises by. On Mini Office-Home's Clipart → Real World that costs DANNP+ToAlign 2.0 points (95 %:
/// 1.2 to 2.8, five seeds; lesson 09).
pub const PUBLISHED_STATISTICS_UPDATES: u32 = 2;

/// How source and target are aligned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// What stands for the source: its feature, with ToAlign only the task-relevant part of it, or a control.
    pub shown: Shown,
    /// Whether confident images count more. In the published configurations: yes, except for DANN.
    pub entropy_conditioning: bool,
    /// Weight of the loss: 1 in the published configurations, 0.1 for DANN.
    pub weight: f64,
    /// With ToAlign or one of its controls, how often the source batch moves the running statistics. The published code sends
    /// it through the backbone twice, hence [`PUBLISHED_STATISTICS_UPDATES`]; 1 treats both domains alike.
    pub statistics_updates: u32,
}

impl Alignment {
    /// The features of both domains, `[batch, channels]`, with batch statistics of their own.
    ///
    /// The batch passes once; see [`Alignment::statistics_updates`].
    ///
    /// # Errors
    /// If a shape does not fit, or the target batch is absent.
    pub fn features(&self, model: &Model, input: &StepInput) -> Result<(Tensor, Tensor)> {
        let of_source = if self.shown == Shown::Feature { 1 } else { self.statistics_updates };
        let domains = [(input.source_images, of_source), (input.target()?, 1)];
        let [source, target] = &model.backbone.forward_domains(&domains)?[..] else {
            return Err(complain("the features of two domains", "another number").into());
        };
        Ok((source.clone(), target.clone()))
    }

    /// The source feature that is aligned: `f_p` with ToAlign, else `f` itself, `[batch, channels]`.
    ///
    /// # Errors
    /// If a label is not below the number of classes.
    pub fn aligned(&self, source: &Tensor, model: &Model, input: &StepInput) -> Result<Tensor> {
        let labels = input.source_labels;
        match self.shown {
            Shown::Feature | Shown::Labels => Ok(source.clone()),
            Shown::TaskRelevant | Shown::Temperature(_) => task_relevant(source, labels, &model.head),
            Shown::Detached => task_relevant(&source.detach(), labels, &model.head),
            Shown::Unit => weighted(source, labels, &model.head),
        }
    }

    /// The class probabilities that stand for the source: those of the aligned feature, `[batch, classes]`.
    ///
    /// # Errors
    /// If a label is not below the number of classes.
    pub fn probabilities(&self, source: &Tensor, model: &Model, input: &StepInput) -> Result<Tensor> {
        let logits = model.head.forward(&self.aligned(source, model, input)?)?.logits;
        match self.shown {
            Shown::Labels => one_hot(input.source_labels, &logits),
            Shown::Temperature(temperature) => softmax(&(logits / temperature)?),
            _ => softmax(&logits),
        }
    }

    /// The adversary's loss, unweighted.
    ///
    /// `seen` is what the discriminator sees of source and target, `[batch, inputs]`; `probabilities` is what entropy
    /// conditioning judges, `[batch, classes]`. A discriminator of two outputs gets the loss for several sources, in
    /// which, without entropy conditioning, each image weighs one over the number of all images.
    pub fn loss(
        &self,
        model: &Model,
        input: &StepInput,
        seen: [&Tensor; 2],
        probabilities: [&Tensor; 2],
    ) -> Result<Tensor> {
        let discriminator = model.discriminator()?;
        let several_sources = discriminator.outputs() > 1;
        let [source, target] = probabilities;
        let images = (source.dim(0)? + target.dim(0)?) as f64;
        let weights = |probabilities: &Tensor| -> Result<Tensor> {
            match (self.entropy_conditioning, several_sources) {
                (true, _) => entropy_weights(probabilities, input.reversal_coefficient),
                (false, false) => equal_weights(probabilities),
                (false, true) => {
                    Ok((equal_weights(probabilities)? * (probabilities.dim(0)? as f64 / images))?)
                }
            }
        };
        let weights = [weights(source)?, weights(target)?]; // [batch]
        match several_sources {
            false => adversarial(discriminator, seen, [&weights[0], &weights[1]], input),
            true => adversarial_of_several_sources(discriminator, seen, [&weights[0], &weights[1]], input),
        }
    }
}
