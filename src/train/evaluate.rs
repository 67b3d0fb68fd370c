//! Testing: how many pictures of a domain are classified right.

use std::collections::BTreeMap;

use candle_core::{D, DType, Tensor};

use crate::data::batches::test_batches;
use crate::data::dataset::{Domain, UNLABELLED};
use crate::data::transform::Transform;
use crate::error::Result;
use crate::method::losses::softmax;
use crate::model::Model;

/// What the model says about one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The picture's index in its domain.
    pub index: usize,
    /// Its true class; [`UNLABELLED`] if nobody knows it.
    pub label: u32,
    /// The class with the largest logit.
    pub class: u32,
    /// The softmax probability of that class.
    pub probability: f32,
}

/// A test on every picture of a domain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// Of the pictures with a label, those classified right, in percent; NaN if none has one.
    pub accuracy: f64,
    /// One prediction per picture, in the order of the domain.
    pub predictions: Vec<Prediction>,
    /// The softmax probabilities of each picture, `[classes]`, in the same order.
    pub probabilities: Vec<Vec<f32>>,
}

impl Evaluation {
    /// True class, predicted class and number of pictures, in this order; without those of no picture.
    pub fn confusion(&self) -> Vec<(u32, u32, usize)> {
        let mut counts = BTreeMap::new();
        for prediction in self.predictions.iter().filter(|prediction| prediction.label != UNLABELLED) {
            *counts.entry((prediction.label, prediction.class)).or_insert(0) += 1;
        }
        counts.into_iter().map(|((label, class), count)| (label, class, count)).collect()
    }
}

/// Classifies every picture of `domain` with the model in evaluation mode, centre crops, `batch_size` at a time.
///
/// # Errors
/// If a picture cannot be decoded.
pub fn evaluate(
    model: &Model,
    domain: &Domain,
    transform: &Transform,
    batch_size: usize,
) -> Result<Evaluation> {
    let mut predictions = Vec::with_capacity(domain.pictures.len());
    let mut all_probabilities = Vec::with_capacity(domain.pictures.len());
    for batch in test_batches(domain.clone(), transform.clone(), batch_size, model.device())? {
        let batch = batch?;
        let logits = model.predict(&batch.images)?.to_dtype(DType::F32)?;
        let probabilities = softmax(&logits)?;
        let answers = most_probable(&probabilities)?;
        all_probabilities.extend(probabilities.to_vec2::<f32>()?);
        let labels = batch.labels.to_vec1::<u32>()?;
        for ((index, label), (class, probability)) in batch.indices.into_iter().zip(labels).zip(answers) {
            predictions.push(Prediction { index, label, class, probability });
        }
    }
    Ok(Evaluation { accuracy: accuracy(&predictions), predictions, probabilities: all_probabilities })
}

/// The class with the largest logit and its softmax probability, for each row of logits `[batch, classes]`.
///
/// # Errors
/// If `logits` is no matrix.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use toalign::train::evaluate::classify;
/// let logits = Tensor::new(&[[0f32, 3f32.ln()], [0.0, 0.0]], &Device::Cpu)?;
/// let answers = classify(&logits)?;
/// assert_eq!((answers[0].0, answers[1].0), (1, 0));
/// assert!((answers[0].1 - 0.75).abs() < 1e-6 && (answers[1].1 - 0.5).abs() < 1e-6);
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn classify(logits: &Tensor) -> Result<Vec<(u32, f32)>> {
    most_probable(&softmax(&logits.to_dtype(DType::F32)?)?)
}

fn most_probable(probabilities: &Tensor) -> Result<Vec<(u32, f32)>> {
    let classes = probabilities.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let largest = probabilities.max(D::Minus1)?.to_vec1::<f32>()?;
    Ok(classes.into_iter().zip(largest).collect())
}

fn accuracy(predictions: &[Prediction]) -> f64 {
    let labelled = predictions.iter().filter(|prediction| prediction.label != UNLABELLED).count();
    let right = predictions.iter().filter(|prediction| prediction.class == prediction.label).count();
    100.0 * right as f64 / labelled as f64 // 0 / 0 is NaN
}
