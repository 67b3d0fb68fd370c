//! Numbers that judge a model on the target without the target's labels, which a real user does not have.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The temperature of [`soft_neighbourhood_density`] in the published code.
const TEMPERATURE: f64 = 0.05;

/// Both numbers about one test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelFree {
    /// Mean entropy of the predictions in nats. Smaller means more decided, which is easily had by being wrong.
    pub entropy: f64,
    /// Soft neighbourhood density in nats. Larger means that predictions lie in denser groups.
    pub density: f64,
}

impl LabelFree {
    /// Judges softmax probabilities, one row of `[classes]` per picture.
    pub fn of(probabilities: &[Vec<f32>]) -> Self {
        Self { entropy: mean_entropy(probabilities), density: soft_neighbourhood_density(probabilities) }
    }
}

/// The mean over the rows of `H(p) = -Σ p·log p`, in nats; 0 of nothing.
///
/// ```
/// use toalign::train::label_free::mean_entropy;
/// let entropy = mean_entropy(&[vec![1.0, 0.0], vec![0.5, 0.5]]);
/// assert!((entropy - 0.5 * 2f64.ln()).abs() < 1e-12);
/// ```
pub fn mean_entropy(probabilities: &[Vec<f32>]) -> f64 {
    let entropy_of = |row: &Vec<f32>| -> f64 {
        row.iter().map(|&p| f64::from(p)).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
    };
    probabilities.iter().map(entropy_of).sum::<f64>() / probabilities.len().max(1) as f64
}

/// Soft neighbourhood density (Saito et al. 2021, "Tune it the right way", equations 1 to 3), in nats; 0 of nothing.
///
/// For each picture, a softmax over the cosine similarities of its probabilities to those of all others, with temperature
/// 0.05; the density is the mean entropy of these softmaxes. As in the published code a picture's similarity to itself
/// counts as -1, and `1e-5` is added inside the logarithm. The time grows with the square of the number of pictures.
///
/// Four pictures in two equal pairs: each has one neighbour, so next to no entropy. Four equal pictures: three each.
/// ```
/// use toalign::train::label_free::soft_neighbourhood_density as density;
/// let (a, b) = (vec![1f32, 0.0], vec![0f32, 1.0]);
/// assert!(density(&[a.clone(), a.clone(), b.clone(), b]).abs() < 1e-4);
/// assert!((density(&[a.clone(), a.clone(), a.clone(), a]) - 3f64.ln()).abs() < 1e-4);
/// ```
pub fn soft_neighbourhood_density(probabilities: &[Vec<f32>]) -> f64 {
    let unit: Vec<Vec<f64>> = probabilities.iter().map(|row| unit_length(row)).collect();
    let entropies: Vec<f64> = (0..unit.len())
        .into_par_iter()
        .map(|picture| {
            let weights: Vec<f64> = unit
                .iter()
                .enumerate()
                .map(|(other, row)| if other == picture { -1.0 } else { dot(&unit[picture], row) })
                // The largest similarity is 1; without it the exponential could overflow.
                .map(|similarity| ((similarity - 1.0) / TEMPERATURE).exp())
                .collect();
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|weight| weight / sum).map(|p| -p * (p + 1e-5).ln()).sum()
        })
        .collect();
    entropies.iter().sum::<f64>() / entropies.len().max(1) as f64
}

fn unit_length(row: &[f32]) -> Vec<f64> {
    let row: Vec<f64> = row.iter().map(|&p| f64::from(p)).collect();
    let length = dot(&row, &row).sqrt().max(1e-12);
    row.into_iter().map(|p| p / length).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// p = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3], [0.05, 0.9, 0.05]])
    /// f = F.normalize(p.double())
    /// m = f @ f.T / 0.05
    /// m.masked_fill_(torch.eye(5).bool(), -1 / 0.05)
    /// q = F.softmax(m, 1)
    /// print(-(q * torch.log(q + 1e-5)).sum(1).mean(), -(p * p.log()).sum(1).mean())
    /// ```
    #[test]
    fn both_agree_with_pytorch() {
        let rows = [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3], [0.05, 0.9, 0.05]];
        let found = LabelFree::of(&rows.map(|row| row.to_vec()));
        assert!((found.density - 0.224000804).abs() < 1e-6, "{found:?}");
        assert!((found.entropy - 0.764418781).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn nothing_has_no_density() {
        assert_eq!(LabelFree::of(&[]), LabelFree::default());
    }
}
