//! DANNP: the discriminator sees the softmax probabilities, and confident images count more.

use super::alignment::Alignment;
use super::losses::{cross_entropy, softmax};
use super::measures::Measures;
use super::{Losses, Method, StepInput};
use crate::error::Result;
use crate::model::Model;

/// `L = CE(fc(f_s), y_s) + α · L_adv(D(p_s), D(p_t))` with `p = softmax(fc(f))`; with ToAlign `p_s = softmax(fc(f_p))`.
#[derive(Debug, Clone, Copy)]
pub struct Dannp {
    /// How the domains are aligned.
    pub alignment: Alignment,
}

impl Method for Dannp {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        let (source, target) = self.alignment.features(model, input)?; // [batch, channels]
        let logits = model.head.forward(&source)?.logits; // [batch, classes]
        let classification = cross_entropy(&logits, input.source_labels)?;

        let mut measures = Measures::default();
        let [source, target] = measures.watch(&source, &target)?;
        let source = self.alignment.probabilities(&source, model, input)?; // [batch, classes]
        let target = softmax(&model.head.forward(&target)?.logits)?;
        measures.certainty(&softmax(&logits)?, &source)?;
        let alignment = self.alignment.loss(model, input, [&source, &target], [&source, &target])?;

        Ok(Losses {
            total: (&classification + (&alignment * self.alignment.weight)?)?,
            parts: vec![("classification", classification), ("alignment", alignment)],
            measures,
        })
    }
}
