//! Testing: how many pictures of a domain are classified right.

use candle_core::{D, DType, Tensor};

use crate::data::batches::test_batches;
use crate::data::dataset::Domain;
use crate::data::transform::Transform;
use crate::error::Result;
use crate::model::Model;

/// What the model says about one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The picture's index in its domain.
    pub index: usize,
    /// Its true class.
    pub label: u32,
    /// The class with the largest logit.
    pub class: u32,
    /// The softmax probability of that class.
    pub probability: f32,
}

/// A test on every picture of a domain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// Pictures classified right, in percent.
    pub accuracy: f64,
    /// One prediction per picture, in the order of the domain.
    pub predictions: Vec<Prediction>,
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
    for batch in test_batches(domain.clone(), transform.clone(), batch_size)? {
        let batch = batch?;
        let answers = classify(&model.predict(&batch.images.to_device(model.device())?)?)?;
        let labels = batch.labels.to_vec1::<u32>()?;
        for ((index, label), (class, probability)) in batch.indices.into_iter().zip(labels).zip(answers) {
            predictions.push(Prediction { index, label, class, probability });
        }
    }
    Ok(Evaluation { accuracy: accuracy(&predictions), predictions })
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
    let probabilities = candle_nn::ops::softmax(&logits.to_dtype(DType::F32)?, D::Minus1)?;
    let classes = probabilities.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let largest = probabilities.max(D::Minus1)?.to_vec1::<f32>()?;
    Ok(classes.into_iter().zip(largest).collect())
}

fn accuracy(predictions: &[Prediction]) -> f64 {
    let right = predictions.iter().filter(|prediction| prediction.class == prediction.label).count();
    100.0 * right as f64 / predictions.len().max(1) as f64
}
