//! DANN (Ganin & Lempitsky 2015): the discriminator sees the feature.

use super::alignment::Alignment;
use super::losses::{cross_entropy, softmax};
use super::measures::Measures;
use super::{Losses, Method, StepInput};
use crate::error::Result;
use crate::model::Model;

/// `L = CE(fc(f_s), y_s) + α · L_adv(D(f_s), D(f_t))`; with ToAlign D sees `f_p` in place of `f_s`.
#[derive(Debug, Clone, Copy)]
pub struct Dann {
    /// How the domains are aligned.
    pub alignment: Alignment,
}

impl Method for Dann {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        let (source, target) = self.alignment.features(model, input)?; // [batch, channels]
        let logits = model.head.forward(&source)?.logits; // [batch, classes]
        let classification = cross_entropy(&logits, input.source_labels)?;

        let mut measures = Measures::default();
        let [source, target] = measures.watch(&source, &target)?;
        let aligned = self.alignment.aligned(&source, model, input)?; // [batch, channels]
        let probabilities = |feature| softmax(&model.head.forward(feature)?.logits);
        let judged = [&probabilities(&aligned)?, &probabilities(&target)?];
        measures.certainty(&softmax(&logits)?, judged[0])?;
        let alignment = self.alignment.loss(model, input, [&aligned, &target], judged)?;

        Ok(Losses {
            total: (&classification + (&alignment * self.alignment.weight)?)?,
            parts: vec![("classification", classification), ("alignment", alignment)],
            measures,
        })
    }
}
