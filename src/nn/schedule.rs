//! How the learning rate falls and how the adversary's influence grows, as functions of the progress `u` in [0, 1), the papers' p.

/// Inverse decay: `(1 + γu)^-power`, with γ = 10 and power 0.75 in the published code, as in DANN's paper (Ganin & Lempitsky
/// 2015, equation 10: α = 10, β = 0.75, from 0.01).
///
/// The slides write γ = 5e-4; in the code that is the weight decay.
///
/// ```
/// use toalign::nn::schedule::inverse_decay;
/// // lr = 1e-3 * (1 + 10 * 2000 / 8000) ** -0.75
/// assert!((1e-3 * inverse_decay(0.25, 10.0, 0.75) - 0.000_390_794_971_390_680_16).abs() < 1e-18);
/// assert_eq!(inverse_decay(0.0, 10.0, 0.75), 1.0);
/// ```
pub fn inverse_decay(progress: f64, gamma: f64, power: f64) -> f64 {
    (1.0 + gamma * progress).powf(-power)
}

/// Coefficient of the gradient reversal, `2 / (1 + exp(-γu)) - 1` with γ = 10 (Ganin & Lempitsky 2015, section 4, equation 11).
///
/// ```
/// use toalign::nn::schedule::reversal_coefficient;
/// assert_eq!(reversal_coefficient(0.0, 10.0), 0.0);
/// assert!((reversal_coefficient(0.25, 10.0) - 0.848_283_639_957_513_1).abs() < 1e-15);
/// ```
pub fn reversal_coefficient(progress: f64, gamma: f64) -> f64 {
    2.0 / (1.0 + (-gamma * progress).exp()) - 1.0
}
