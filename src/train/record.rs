//! One line of `metrics.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::label_free::LabelFree;

/// What a run writes down, one JSON object per line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The first line of every start or resumption.
    Start {
        /// The method's name, such as `hda+toalign`.
        method: String,
        /// The task, such as `Cl-Rw`.
        task: String,
        /// The seed of the run.
        seed: u64,
        /// The length of the whole run.
        steps: usize,
        /// The step from which it starts: 0, or where the checkpoint was taken.
        from_step: usize,
    },
    /// Losses of training, averaged since the last such line.
    Train {
        /// Steps done.
        step: usize,
        /// Learning rate of the backbone in the last of these steps.
        learning_rate: f64,
        /// Coefficient of the gradient reversal in the last of these steps.
        coefficient: f64,
        /// Mean of every loss by name, `total` among them, and of every [measure](crate::method::measures).
        losses: BTreeMap<String, f64>,
        /// Mean seconds per step.
        seconds_per_step: f64,
    },
    /// A test on the whole source and the whole target.
    Test {
        /// Steps done.
        step: usize,
        /// Accuracy on the source, in percent.
        source_accuracy: f64,
        /// Accuracy on the target, in percent; NaN (`null` in JSON) of a target without labels.
        #[serde(deserialize_with = "number_or_null")]
        target_accuracy: f64,
        /// The best target accuracy so far: an oracle, since it is chosen by target labels.
        #[serde(deserialize_with = "number_or_null")]
        best_target_accuracy: f64,
        /// What a choice without target labels goes by; records from before it was noted have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label_free: Option<LabelFree>,
        /// Seconds that the test took.
        seconds: f64,
    },
    /// Which classes the target's pictures were taken for at the end.
    Confusion {
        /// Steps done.
        step: usize,
        /// Class names by label.
        classes: Vec<String>,
        /// True class, predicted class, number of pictures; in this order, and only what is not zero.
        counts: Vec<(u32, u32, usize)>,
    },
    /// The last line of a run that reached its end.
    Finish(Finish),
}

/// How a run ended that reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Steps done.
    pub step: usize,
    /// Target accuracy after the last step, in percent; NaN (`null` in JSON) of a target without labels.
    #[serde(deserialize_with = "number_or_null")]
    pub last_target_accuracy: f64,
    /// Best target accuracy (oracle), in percent.
    #[serde(deserialize_with = "number_or_null")]
    pub best_target_accuracy: f64,
    /// The step at which that was; of a target without labels, where the entropy was smallest.
    pub best_step: usize,
    /// Median seconds per training step, tests not counted.
    pub seconds_per_step: f64,
}

/// JSON knows no NaN.
fn number_or_null<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(f64::NAN))
}

/// An accuracy in words: `61.3 %`, or that there are no labels.
///
/// ```
/// use toalign::train::record::percent;
/// assert_eq!((percent(61.25), percent(f64::NAN)), ("61.2 %".to_owned(), "no labels".to_owned()));
/// ```
pub fn percent(accuracy: f64) -> String {
    if accuracy.is_nan() { "no labels".to_owned() } else { format!("{accuracy:.1} %") }
}

impl Record {
    /// Steps done when it was written.
    pub fn step(&self) -> usize {
        match self {
            Self::Start { from_step: step, .. }
            | Self::Train { step, .. }
            | Self::Test { step, .. }
            | Self::Confusion { step, .. }
            | Self::Finish(Finish { step, .. }) => *step,
        }
    }

    /// How the run ended, if this is its last line.
    pub fn finish(&self) -> Option<&Finish> {
        match self {
            Self::Finish(finish) => Some(finish),
            _ => None,
        }
    }

    /// The step and the mean of the loss called `name` since the record before, if this is a record of losses with it.
    pub fn loss(&self, name: &str) -> Option<(usize, f64)> {
        match self {
            Self::Train { step, losses, .. } => losses.get(name).map(|loss| (*step, *loss)),
            _ => None,
        }
    }

    /// The step and the accuracies on source and target in percent, if this is a record of a test.
    pub fn accuracies(&self) -> Option<(usize, [f64; 2])> {
        match self {
            Self::Test { step, source_accuracy, target_accuracy, .. } => {
                Some((*step, [*source_accuracy, *target_accuracy]))
            }
            _ => None,
        }
    }
}
