//! What is measured of the adversary's game beside the losses: what it is shown, and how hard it pulls.

use std::sync::{Arc, Mutex};

use candle_core::{D, DType, Tensor};

use super::losses::entropy;
use crate::device::outside_graph::with_gradient;
use crate::error::Result;
use crate::lock::lock;

/// What each measure is, by its name in the records.
pub const ALL: [(&str, &str); 5] = [
    ("feature_certainty", "largest probability of a source picture, from f"),
    ("shown_certainty", "largest probability of a source picture, as shown to the adversary"),
    ("shown_entropy", "entropy of a source picture, as shown to the adversary (nats)"),
    ("source_pull", "norm of the adversary's gradient at the source features"),
    ("target_pull", "norm of the adversary's gradient at the target features"),
];

/// What a measure is; none if the name is that of a loss.
pub fn description(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(measure, _)| *measure == name).map(|(_, what)| *what)
}

/// Whether a name in the records is that of a measure, not of a loss.
pub fn is_measure(name: &str) -> bool {
    description(name).is_some()
}

/// A scalar that is known now, or once the backward pass has come by.
#[derive(Debug, Clone)]
struct Noted(Arc<Mutex<Option<Tensor>>>);

/// Measures of one step, by their names.
#[derive(Debug, Clone, Default)]
pub struct Measures(Vec<(&'static str, Noted)>);

impl Measures {
    /// The features of source and target, `[batch, channels]`, as they are; on the way back, the norm of all gradients that
    /// come through is noted. Give these to the adversary, and to nothing else.
    ///
    /// # Errors
    /// If candle cannot copy them.
    pub fn watch(&mut self, source: &Tensor, target: &Tensor) -> Result<[Tensor; 2]> {
        let mut watched = |name, feature: &Tensor| -> Result<Tensor> {
            let noted = Noted(Arc::default());
            self.0.push((name, noted.clone()));
            Ok(with_gradient("watched", &[feature], feature.detach(), move |_, gradient| {
                *lock(&noted.0) = Some(gradient.sqr()?.sum_all()?.sqrt()?);
                Ok(vec![gradient.clone()])
            })?)
        };
        Ok([watched("source_pull", source)?, watched("target_pull", target)?])
    }

    /// Takes down how certain the source is: the probabilities of its features, and those that stand for them before the
    /// adversary, `[batch, classes]`.
    ///
    /// # Errors
    /// If these are no matrices.
    pub fn certainty(&mut self, feature: &Tensor, shown: &Tensor) -> Result<()> {
        let (feature, shown) = (feature.detach(), shown.detach());
        let largest = |probabilities: &Tensor| probabilities.max(D::Minus1)?.mean_all();
        for (name, value) in [
            ("feature_certainty", largest(&feature)?),
            ("shown_certainty", largest(&shown)?),
            ("shown_entropy", entropy(&shown)?.mean_all()?),
        ] {
            self.0.push((name, Noted(Arc::new(Mutex::new(Some(value))))));
        }
        Ok(())
    }

    /// The numbers, once the backward pass is done. Where no gradient came by, the adversary does not pull: 0.
    ///
    /// # Errors
    /// If a number cannot be read from the device.
    pub fn read(&self) -> Result<Vec<(&'static str, f64)>> {
        let read = |(name, noted): &(&'static str, Noted)| {
            let value = match &*lock(&noted.0) {
                Some(value) => value.to_dtype(DType::F64)?.to_scalar::<f64>()?,
                None => 0.0,
            };
            Ok((*name, value))
        };
        self.0.iter().map(read).collect()
    }
}
