//! How far a run is: all of its state that is not a tensor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The best test so far. An oracle, chosen by the labels of the target; where it has none, by its entropy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Target accuracy in percent; NaN of a target without labels.
    pub accuracy: f64,
    /// Steps done at that test.
    pub step: usize,
    /// Mean entropy on the target in nats, by which the best is chosen where there are no labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}

/// The state of a run beside its tensors.
///
/// There is no generator state and no data cursor in it: every random number is a function of (seed, purpose, step)
/// ([`crate::random`]), and batch number b of (seed, domain, b), so the number of steps done says where both are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Target accuracy of the last test, in percent.
    pub last_accuracy: Option<f64>,
    /// The best test so far.
    pub best: Option<Best>,
    /// Losses since the last line about them.
    pub window: Window,
}

/// Sums of losses over the steps since the last line of `metrics.jsonl` about them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Steps summed.
    pub steps: usize,
    /// Sum of every loss by its name.
    pub sums: BTreeMap<String, f64>,
}

impl Progress {
    /// Takes note of a test; true if it is the best one so far. The first of equals counts, as in the published code.
    pub fn tested(&mut self, accuracy: f64) -> bool {
        self.last_accuracy = Some(accuracy);
        let better = self.best.is_none_or(|best| accuracy > best.accuracy);
        if better {
            self.best = Some(Best { accuracy, step: self.step, entropy: None });
        }
        better
    }

    /// As [`Progress::tested`] on a target without labels: the smaller the mean entropy of its predictions, the better.
    pub fn tested_without_labels(&mut self, entropy: f64) -> bool {
        let better = self.best.and_then(|best| best.entropy).is_none_or(|smallest| entropy < smallest);
        if better {
            self.best = Some(Best { accuracy: f64::NAN, step: self.step, entropy: Some(entropy) });
        }
        better
    }
}

impl Window {
    /// Adds the losses of one step.
    pub fn add(&mut self, losses: &BTreeMap<String, f64>) {
        self.steps += 1;
        for (name, value) in losses {
            *self.sums.entry(name.clone()).or_default() += value;
        }
    }

    /// The mean of every loss; the window starts anew.
    pub fn close(&mut self) -> BTreeMap<String, f64> {
        let Window { steps, sums } = std::mem::take(self);
        sums.into_iter().map(|(name, sum)| (name, sum / steps as f64)).collect()
    }
}

/// The median; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_tests_is_the_best() {
        let mut progress = Progress::default();
        for (step, accuracy, better) in [(10, 50.0, true), (20, 50.0, false), (30, 49.0, false)] {
            progress.step = step;
            assert_eq!(progress.tested(accuracy), better);
        }
        let best = Best { accuracy: 50.0, step: 10, entropy: None };
        assert_eq!(progress.best, Some(best));
        assert_eq!(progress.last_accuracy, Some(49.0));
    }

    #[test]
    fn a_window_gives_means_and_starts_anew() {
        let mut window = Window::default();
        for value in [1.0, 2.0, 6.0] {
            window.add(&BTreeMap::from([("total".to_owned(), value)]));
        }
        assert_eq!(window.close()["total"], 3.0);
        assert_eq!(window, Window::default());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 9.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), 3.0);
    }
}
