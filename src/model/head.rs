//! The classifiers on top of the feature: one linear layer, or HDA's with its three heuristic ones.

use candle_core::{DType, Device, Result, Tensor};

use super::HeadKind;
use crate::nn::linear::Linear;
use crate::nn::parameters::{Group, Parameter};
use crate::random::Generator;

/// Slopes of the Kaiming initialisation of HDA's `fc`, `fc0`, `fc1`, `fc2` in the published code.
///
/// The deviation is `sqrt(2 / ((1 + a²)·channels))`, so with a = 100 the classifier starts 100, 71 and 45 times smaller than its
/// heuristic companions, and 130 times smaller than their sum.
pub const HEURISTIC_SLOPES: [f64; 4] = [100.0, 0.0, 1.0, 2.0];

/// `fc`, and under HDA `fc0`, `fc1`, `fc2`.
#[derive(Debug, Clone)]
pub struct Head {
    /// The classifier.
    pub classifier: Linear,
    /// HDA's heuristic heads; empty without HDA.
    pub heuristics: Vec<Linear>,
}

/// What a head computes.
pub struct Prediction {
    /// `[batch, classes]`.
    pub logits: Tensor,
    /// HDA's z, the sum of the heuristic heads, `[batch, classes]`; absent without HDA.
    pub heuristic: Option<Tensor>,
}

impl Head {
    /// A head with the published initial values.
    pub fn new(
        kind: HeadKind,
        channels: usize,
        classes: usize,
        dtype: DType,
        generator: &mut Generator,
    ) -> Result<Self> {
        let mut linear = |slope| Linear::new(channels, classes, slope, dtype, generator);
        let [of_classifier, of_heuristics @ ..] = HEURISTIC_SLOPES;
        Ok(match kind {
            HeadKind::Linear => Self { classifier: linear(0.0)?, heuristics: Vec::new() },
            HeadKind::Heuristic => Self {
                classifier: linear(of_classifier)?,
                heuristics: of_heuristics.into_iter().map(linear).collect::<Result<_>>()?,
            },
        })
    }

    /// The same on `device`.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let heuristics = self.heuristics.iter().map(|head| head.to_device(device)).collect::<Result<_>>()?;
        Ok(Self { classifier: self.classifier.to_device(device)?, heuristics })
    }

    /// `logits = fc(f) - z` with `z = fc0(f) + fc1(f) + fc2(f)` (HDA, equation 4); without HDA `logits = fc(f)`.
    ///
    /// # Errors
    /// If the feature `[batch, channels]` does not fit.
    pub fn forward(&self, feature: &Tensor) -> Result<Prediction> {
        let mut heuristic: Option<Tensor> = None;
        for head in &self.heuristics {
            let output = head.forward(feature)?;
            heuristic = Some(match heuristic {
                Some(sum) => (sum + output)?,
                None => output,
            });
        }
        let logits = self.classifier.forward(feature)?;
        let logits = match &heuristic {
            Some(z) => (logits - z)?,
            None => logits,
        };
        Ok(Prediction { logits, heuristic })
    }

    /// The slope of each class's logit in the feature, `[classes, channels]`: the rows of `fc`'s weight minus those of
    /// the heuristic heads.
    pub fn rows(&self) -> Result<Tensor> {
        let mut rows = self.classifier.weight.as_tensor().clone();
        for head in &self.heuristics {
            rows = (rows - head.weight.as_tensor())?;
        }
        Ok(rows)
    }

    /// `fc.weight`, `fc.bias`, and under HDA `fc0.weight` and so on.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.classifier.parameters("fc", Group::Head);
        for (number, head) in self.heuristics.iter().enumerate() {
            all.extend(head.parameters(&format!("fc{number}"), Group::Head));
        }
        all
    }
}
