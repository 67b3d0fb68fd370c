//! Means, sample standard deviations, paired differences with Student's t interval, and whether two things go together.

use rand::Rng;

use crate::random::generator;
use crate::train::progress;

/// How sure the intervals are: 95 %.
pub const CONFIDENCE: f64 = 0.95;

/// The mean; none of nothing.
///
/// ```
/// assert_eq!(toalign::report::statistics::mean(&[1.0, 2.0, 6.0]), Some(3.0));
/// ```
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, which divides by `n - 1`; none of fewer than two values.
///
/// ```
/// assert_eq!(toalign::report::statistics::deviation(&[2.0, 4.0, 6.0]), Some(2.0));
/// ```
pub fn deviation(values: &[f64]) -> Option<f64> {
    let middle = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The middle value, of an even number the mean of the middle two; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| progress::median(values))
}

/// The mean of paired differences and how far it is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Ends of the 95 % confidence interval of the mean; none of a single pair.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p value of the paired t test against no difference; none of a single pair.
    pub p: Option<f64>,
}

impl Difference {
    /// From one difference per pair, `mean ± t(0.975, n - 1) · s / √n`; none without a pair.
    ///
    /// The differences are taken as independent and about normal. With 3 pairs t is 4.30, so that only a difference that is
    /// 2.5 times as large as its deviation stands out.
    ///
    /// ```
    /// use toalign::report::statistics::Difference;
    /// let found = Difference::of(&[1.0, 2.0, 3.0]).unwrap();
    /// let (low, high) = found.interval.unwrap();
    /// assert!((low + 0.4841).abs() < 1e-4 && (high - 4.4841).abs() < 1e-4);
    /// assert!((found.p.unwrap() - 0.0742).abs() < 1e-4);
    /// ```
    pub fn of(differences: &[f64]) -> Option<Self> {
        let mean = mean(differences)?;
        let pairs = differences.len();
        let spread = deviation(differences).map(|deviation| deviation / (pairs as f64).sqrt());
        let interval = spread.map(|spread| {
            let half = student_quantile(CONFIDENCE, pairs - 1) * spread;
            (mean - half, mean + half)
        });
        let p = spread.map(|spread| match spread {
            0.0 if mean == 0.0 => 1.0,
            _ => 1.0 - student_within((mean / spread).abs(), pairs - 1),
        });
        Some(Self { pairs, mean, interval, p })
    }
}

/// The p value of two one-sided t tests (Schuirmann 1987) against a mean difference of `margin` or more to either side: below
/// 0.05, the two are the same within that margin. None of fewer than two pairs.
///
/// ```
/// use toalign::report::statistics::equivalence;
/// let same = [0.1, -0.2, 0.0, 0.2, -0.1];
/// assert!(equivalence(&same, 1.0).unwrap() < 0.001 && equivalence(&same, 0.05).unwrap() > 0.05);
/// assert!(equivalence(&[0.9, 1.2, 1.1], 1.0).unwrap() > 0.5 && equivalence(&[0.0], 1.0).is_none());
/// ```
pub fn equivalence(differences: &[f64], margin: f64) -> Option<f64> {
    let (mean, pairs) = (mean(differences)?.abs(), differences.len());
    let error = deviation(differences)? / (pairs as f64).sqrt();
    // The side that is nearer decides.
    let inside = margin - mean;
    if error == 0.0 {
        return Some(if inside > 0.0 { 0.0 } else { 1.0 });
    }
    let tail = (1.0 - student_within((inside / error).abs(), pairs - 1)) / 2.0;
    Some(if inside > 0.0 { tail } else { 1.0 - tail })
}

/// The probability that Student's t with `freedom` degrees of freedom lies within `±t` (Abramowitz and Stegun, 26.7.3 and
/// 26.7.4, which are exact).
pub fn student_within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    // Odd: cos θ + 2/3 cos³ θ + …; even: 1 + 1/2 cos² θ + …; both up to the power freedom - 2.
    let first = freedom % 2;
    let (mut term, mut sum) = (if first == 1 { cosine } else { 1.0 }, 0.0);
    for power in (first..freedom.saturating_sub(1)).step_by(2) {
        sum += term;
        term *= cosine * cosine * (power + 1) as f64 / (power + 2) as f64;
    }
    let share = if first == 1 { (angle + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum };
    share.clamp(0.0, 1.0)
}

/// The `t` within whose `±t` Student's distribution has the given share, such as 4.303 for 0.95 and 2 degrees of freedom.
///
/// ```
/// use toalign::report::statistics::student_quantile;
/// assert!((student_quantile(0.95, 2) - 4.30265).abs() < 1e-5);
/// ```
pub fn student_quantile(share: f64, freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, f64::from(1 << 20));
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if student_within(middle, freedom) < share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Holm's correction (1979) of the p values of several tests: what is below 0.05 afterwards may be claimed of all at once.
///
/// ```
/// use toalign::report::statistics::holm;
/// assert_eq!(holm(&[0.02, 0.01, 0.5]), [0.04, 0.03, 0.5]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let (mut corrected, mut largest) = (vec![1.0; p_values.len()], 0f64);
    for (place, &index) in order.iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - place) as f64).min(1.0);
        corrected[index] = largest;
    }
    corrected
}

/// Spearman's rank correlation of pairs, from -1 to +1; equal values share the mean of their ranks. None of fewer than two pairs,
/// or if all values of a side are equal.
///
/// ```
/// use toalign::report::statistics::rank_correlation;
/// assert_eq!(rank_correlation(&[(1.0, 10.0), (2.0, 400.0), (3.0, 5000.0)]), Some(1.0));
/// assert_eq!(rank_correlation(&[(1.0, 3.0), (1.0, 3.0)]), None);
/// ```
pub fn rank_correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let sides: (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (x, y) = (ranks(&sides.0), ranks(&sides.1));
    let middle = (pairs.len() as f64 + 1.0) / 2.0;
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum() };
    let scale = (product(&x, &x) * product(&y, &y)).sqrt();
    (scale > 0.0).then(|| product(&x, &y) / scale)
}

/// The rank of each value, from 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let count = |wanted| values.iter().filter(|other| other.total_cmp(value) == wanted).count() as f64;
        count(std::cmp::Ordering::Less) + (count(std::cmp::Ordering::Equal) + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// The 95 % percentile interval of a statistic by the bootstrap (Efron 1979): the same number of observations is drawn again and
/// again, with replacement, 5,000 times, the same draws for the same `seed`. Draws that have no statistic are left out; none
/// if most have none.
///
/// ```
/// use toalign::report::statistics::{bootstrap_interval, mean};
/// let (low, high) = bootstrap_interval(&[1.0, 2.0, 3.0, 4.0], 1, mean).unwrap();
/// assert!(1.0 < low && low < 2.5 && 2.5 < high && high < 4.0);
/// ```
pub fn bootstrap_interval<T: Copy>(
    observations: &[T],
    seed: u64,
    statistic: impl Fn(&[T]) -> Option<f64>,
) -> Option<(f64, f64)> {
    const DRAWS: usize = 5000;
    let mut random = generator(seed, "bootstrap", 0, 0);
    let mut found: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let drawn: Vec<T> = observations
                .iter()
                .map(|_| observations[random.random_range(0..observations.len())])
                .collect();
            statistic(&drawn)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found[(share * (found.len() - 1) as f64).round() as usize];
    let outside = (1.0 - CONFIDENCE) / 2.0;
    (found.len() > DRAWS / 2).then(|| (at(outside), at(1.0 - outside)))
}

/// The two-sided p value of McNemar's exact test (1947): of the pictures on which two networks, or one before and after, disagree,
/// `first` went one way and `second` the other; a fair coin would do so or worse with this probability.
///
/// ```
/// use toalign::report::statistics::mcnemar;
/// assert!((mcnemar(1, 5) - 0.21875).abs() < 1e-12);
/// assert_eq!((mcnemar(3, 3), mcnemar(0, 0)), (1.0, 1.0));
/// ```
pub fn mcnemar(first: usize, second: usize) -> f64 {
    let disagreements = first + second;
    // Sums of the binomial distribution, each term from the one before; logarithms, since 0.5^n may be below every f64.
    let mut log_term = -(disagreements as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for rarer in 0..=first.min(second) {
        tail += log_term.exp();
        log_term += ((disagreements - rarer) as f64 / (rarer + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}
