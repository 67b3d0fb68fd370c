//! What DANN, DANNP and HDA share: which source feature is aligned, how images are weighted, and the adversary's loss.

use candle_core::Tensor;

use super::StepInput;
use super::losses::{adversarial, entropy_weights, equal_weights};
use super::toalign::task_relevant;
use crate::error::Result;
use crate::model::Model;
use crate::nn::batch_norm::Mode;

/// How source and target are aligned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// Whether only the task-relevant part of the source feature is aligned.
    pub toalign: bool,
    /// Whether confident images count more. In the published configurations: yes, except for DANN.
    pub entropy_conditioning: bool,
    /// Weight of the loss: 1 in the published configurations, 0.1 for DANN.
    pub weight: f64,
}

impl Alignment {
    /// The features of both domains, each batch in a pass of its own, `[batch, channels]`.
    ///
    /// With ToAlign the published code sends the source batch through the backbone twice, and the running statistics see
    /// it twice. Here it passes once, with the same statistics and the same gradients.
    ///
    /// # Errors
    /// If a shape does not fit, or the target batch is absent.
    pub fn features(&self, model: &Model, input: &StepInput) -> Result<(Tensor, Tensor)> {
        let statistics_updates = if self.toalign { 2 } else { 1 };
        let source = model
            .backbone
            .forward(input.source_images, Mode::Training { statistics_updates })?;
        let target = model.backbone.forward(
            input.target()?,
            Mode::Training {
                statistics_updates: 1,
            },
        )?;
        Ok((source, target))
    }

    /// The source feature that is aligned: `f_p` with ToAlign, else `f` itself, `[batch, channels]`.
    ///
    /// # Errors
    /// If a label is not below the number of classes.
    pub fn aligned(&self, source: &Tensor, model: &Model, input: &StepInput) -> Result<Tensor> {
        match self.toalign {
            true => task_relevant(source, input.source_labels, &model.head),
            false => Ok(source.clone()),
        }
    }

    /// The adversary's loss, unweighted.
    ///
    /// `seen` is what the discriminator sees of source and target, `[batch, inputs]`; `probabilities` is what entropy
    /// conditioning judges, `[batch, classes]`.
    ///
    /// # Errors
    /// If the inputs do not fit the discriminator.
    pub fn loss(
        &self,
        model: &Model,
        input: &StepInput,
        seen: [&Tensor; 2],
        probabilities: [&Tensor; 2],
    ) -> Result<Tensor> {
        let weights = |probabilities| match self.entropy_conditioning {
            true => entropy_weights(probabilities, input.reversal_coefficient),
            false => equal_weights(probabilities),
        };
        let [source, target] = probabilities;
        let weights = [weights(source)?, weights(target)?]; // [batch]
        adversarial(
            model.discriminator()?,
            seen,
            [&weights[0], &weights[1]],
            input,
        )
    }

    /// `BASELINE`, or `BASELINE+toalign`.
    pub fn name(&self, baseline: &str) -> String {
        let suffix = if self.toalign { "+toalign" } else { "" };
        format!("{baseline}{suffix}")
    }
}
