//! HDA (Cui et al. 2020): heuristic heads take the domain-specific part away from the prediction.

use candle_core::Tensor;

use super::alignment::Alignment;
use super::losses::{cross_entropy, softmax};
use super::measures::Measures;
use super::{Losses, Method, StepInput};
use crate::error::{Result, complain};
use crate::model::Model;
use crate::model::head::Prediction;

/// `L = CE(fc(f_s) - z_s, y_s) + α · L_adv(D(p_s), D(p_t)) + mean|z|` with `p = softmax(fc(f) - z)`;
/// with ToAlign `p_s` is that of `f_p`.
///
/// The heuristic loss has weight 1: the published configuration names a `W_HDA`, but the code never multiplies by it.
#[derive(Debug, Clone, Copy)]
pub struct Hda {
    /// How the domains are aligned.
    pub alignment: Alignment,
}

impl Method for Hda {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        let (source, target) = self.alignment.features(model, input)?; // [batch, channels]
        let of_source = model.head.forward(&source)?;
        let of_target = model.head.forward(&target)?;
        let classification = cross_entropy(&of_source.logits, input.source_labels)?;
        // z of the plain source feature, with ToAlign too.
        let z = Tensor::cat(&[heuristic(&of_source)?, heuristic(&of_target)?], 0)?; // [source + target, classes]
        let heuristic = z.abs()?.mean_all()?;

        let mut measures = Measures::default();
        let [source, target] = measures.watch(&source, &target)?;
        let source = self.alignment.probabilities(&source, model, input)?; // [batch, classes]
        let target = softmax(&model.head.forward(&target)?.logits)?;
        measures.certainty(&softmax(&of_source.logits)?, &source)?;
        let alignment = self.alignment.loss(model, input, [&source, &target], [&source, &target])?;

        Ok(Losses {
            total: ((&classification + (&alignment * self.alignment.weight)?)? + &heuristic)?,
            parts: vec![
                ("classification", classification),
                ("alignment", alignment),
                ("heuristic", heuristic),
            ],
            measures,
        })
    }
}

fn heuristic(prediction: &Prediction) -> Result<&Tensor> {
    Ok(prediction.heuristic.as_ref().ok_or_else(|| {
        complain("a model with HDA's heuristic heads", "a plain linear head")
            .advice("set ModelSpec::head to that of the method's row")
    })?)
}
