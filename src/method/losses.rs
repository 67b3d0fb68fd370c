//! The losses that methods are made of.

use candle_core::{D, Tensor};

use crate::error::Result;
use crate::model::discriminator::Discriminator;
use crate::nn::grad_reverse::grad_reverse;
use crate::random::generator;

use super::StepInput;

/// Inside both logarithms of the domain loss, as in the published code.
const DOMAIN_EPSILON: f64 = 1e-8;

/// Inside the logarithm of the entropy, as in the published code.
const ENTROPY_EPSILON: f64 = 1e-5;

/// Softmax over the classes: `[batch, classes]` → `[batch, classes]`.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(candle_nn::ops::softmax(logits, D::Minus1)?)
}

/// Mean cross entropy of `logits` `[batch, classes]` with `labels` `[batch]`.
///
/// # Errors
/// If a label is not below the number of classes.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok(candle_nn::loss::cross_entropy(logits, labels)?)
}

/// The labels `[batch]` as rows of zeros with a one, of the shape and type of `like` `[batch, classes]`.
///
/// # Errors
/// If a label is not below the number of classes.
pub fn one_hot(labels: &Tensor, like: &Tensor) -> Result<Tensor> {
    let identity = Tensor::eye(like.dim(1)?, like.dtype(), like.device())?;
    Ok(identity.index_select(labels, 0)?)
}

/// Entropy of each row, `H = -Σ p·log(p + 1e-5)`: `[batch, classes]` → `[batch]`.
pub fn entropy(probabilities: &Tensor) -> Result<Tensor> {
    let log = (probabilities + ENTROPY_EPSILON)?.log()?;
    Ok((probabilities * log)?.sum(D::Minus1)?.neg()?)
}

/// How much each image counts within its domain, `a = e / Σe` with `e = exp(-H(p))`: `[batch, classes]` → `[batch]`.
///
/// A confident prediction counts more. The idea is CDAN's entropy conditioning (Long et al. 2018, equation 8), but its weight is
/// `1 + exp(-H)`; without the 1 it is that of HDA's and ToAlign's published code. For 12 classes a certain picture then counts 12
/// times, not 1.85 times, as much as one of which nothing is known. The gradient through H is reversed and scaled by the
/// coefficient too; the sum is a constant.
pub fn entropy_weights(probabilities: &Tensor, coefficient: f64) -> Result<Tensor> {
    let certainty = grad_reverse(&entropy(probabilities)?, coefficient)?.neg()?.exp()?; // [batch]
    let sum = certainty.sum_all()?.detach();
    Ok(certainty.broadcast_div(&sum)?)
}

/// The same weight, `1 / batch`, for each image of a domain.
pub fn equal_weights(of: &Tensor) -> Result<Tensor> {
    let batch = of.dim(0)?;
    Ok(Tensor::full(1.0 / batch as f64, batch, of.device())?.to_dtype(of.dtype())?)
}

/// The loss of the discriminator, which the reversal turns into the adversary of the backbone.
///
/// With `d = sigmoid(D(x))`, domain label 1 for the source and 0 for the target:
/// `L_D = ½ Σ a·(-log(d + 1e-8))` over the source plus the same of `1 - d` over the target.
///
/// `source` and `target` are what D sees, `[batch, inputs]`; the weights are `[batch]`, each domain's of sum 1.
pub fn adversarial(
    discriminator: &Discriminator,
    [source, target]: [&Tensor; 2],
    [source_weights, target_weights]: [&Tensor; 2],
    input: &StepInput,
) -> Result<Tensor> {
    let logits = domain_logits(discriminator, [source, target], input)?; // [source + target, 1]
    let is_source = candle_nn::ops::sigmoid(&logits)?.flatten_all()?;
    let batch = source.dim(0)?;
    let of_source = is_source.narrow(0, 0, batch)?; // [source]
    let of_target = (1.0 - is_source.narrow(0, batch, target.dim(0)?)?)?; // [target]
    let weighted = |probability: Tensor, weights: &Tensor| -> Result<Tensor> {
        let loss = (probability + DOMAIN_EPSILON)?.log()?.neg()?;
        Ok((loss * weights)?.sum_all()?)
    };
    let sum = (weighted(of_source, source_weights)? + weighted(of_target, target_weights)?)?;
    Ok((sum * 0.5)?)
}

/// The loss of the discriminator that meets several sources, all of them against the target.
///
/// D has two outputs, `target` and `source`, and `L = Σ w·CE(D(x), domain label)` over the images of all domains, without
/// the ½ and the epsilon of [`adversarial`]: so the published code has it for DomainNet. One output is the special case
/// in which that of `target` is 0.
///
/// `source` and `target` are what D sees, `[batch, inputs]`, which need not be equally many; the weights are `[batch]`.
///
/// # Errors
/// If the inputs do not fit the discriminator, or it has not two outputs.
pub fn adversarial_of_several_sources(
    discriminator: &Discriminator,
    [source, target]: [&Tensor; 2],
    [source_weights, target_weights]: [&Tensor; 2],
    input: &StepInput,
) -> Result<Tensor> {
    let logits = domain_logits(discriminator, [source, target], input)?; // [source + target, 2]
    let log_probabilities = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
    let batch = source.dim(0)?;
    let of_source = log_probabilities.narrow(0, 0, batch)?.narrow(1, 1, 1)?.squeeze(1)?; // [source]
    let of_target = log_probabilities.narrow(0, batch, target.dim(0)?)?.narrow(1, 0, 1)?.squeeze(1)?; // [target]
    let sum = ((of_source * source_weights)?.sum_all()? + (of_target * target_weights)?.sum_all()?)?;
    Ok(sum.neg()?)
}

/// What the discriminator says of both domains, source first; the gradient to what it sees is reversed.
fn domain_logits(
    discriminator: &Discriminator,
    [source, target]: [&Tensor; 2],
    input: &StepInput,
) -> Result<Tensor> {
    let seen = Tensor::cat(&[source, target], 0)?; // [source + target, inputs]
    let reversed = grad_reverse(&seen, input.reversal_coefficient)?;
    let mut masks = generator(input.seed, "dropout", input.step as u64, 0);
    Ok(discriminator.forward(&reversed, &mut masks)?) // [source + target, outputs]
}
