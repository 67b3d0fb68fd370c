//! Which test of a run counts: the last, the best by target labels, or one that is chosen without them.

use std::fmt;

use crate::runs::study::StudyRun;
use crate::train::label_free::LabelFree;
use crate::train::record::Record;

/// A rule that chooses one test of a run. Of several that are equally good, the first counts, as in the published code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The test after the last step.
    #[default]
    Last,
    /// The best accuracy on the target: an oracle, since it is chosen by target labels.
    Best,
    /// The smallest mean entropy of the predictions on the target; needs no labels.
    Entropy,
    /// The largest soft neighbourhood density (SND) on the target; needs no labels.
    Density,
}

impl Choice {
    /// All rules, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Last, Self::Best, Self::Entropy, Self::Density];
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::Best => "best (oracle)",
            Self::Entropy => "by entropy",
            Self::Density => "by SND",
        })
    }
}

/// The test that was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Steps done.
    pub step: usize,
    /// Accuracy on the target, in percent.
    pub accuracy: f64,
}

/// The test of a finished run that a rule chooses.
///
/// None if the run is not finished, or if a rule without labels meets a test that did not note its numbers. Numbers that are
/// not finite are never chosen.
pub fn choose(run: &StudyRun, choice: Choice) -> Option<Chosen> {
    let finish = run.finish()?;
    let last = Chosen { step: finish.step, accuracy: finish.last_target_accuracy };
    let best = Chosen { step: finish.best_step, accuracy: finish.best_target_accuracy };
    let tests = tests_of(run);
    let chosen = match choice {
        Choice::Last => last,
        Choice::Best if tests.is_empty() => best,
        Choice::Best => first_largest(tests.iter().map(|(test, _)| (*test, test.accuracy)))?,
        Choice::Entropy => by_label_free(&tests, |numbers| -numbers.entropy)?,
        Choice::Density => by_label_free(&tests, |numbers| numbers.density)?,
    };
    chosen.accuracy.is_finite().then_some(chosen)
}

fn by_label_free(tests: &[(Chosen, Option<LabelFree>)], score: impl Fn(&LabelFree) -> f64) -> Option<Chosen> {
    let scored: Option<Vec<(Chosen, f64)>> =
        tests.iter().map(|(test, numbers)| Some((*test, score(numbers.as_ref()?)))).collect();
    first_largest(scored?.into_iter())
}

fn first_largest(scored: impl Iterator<Item = (Chosen, f64)>) -> Option<Chosen> {
    let mut largest: Option<(Chosen, f64)> = None;
    for (test, score) in scored.filter(|(_, score)| score.is_finite()) {
        if largest.is_none_or(|(_, before)| score > before) {
            largest = Some((test, score));
        }
    }
    largest.map(|(test, _)| test)
}

/// The tests in the order of their steps; where a resumed run repeated one, the later counts.
fn tests_of(run: &StudyRun) -> Vec<(Chosen, Option<LabelFree>)> {
    let mut tests: Vec<(Chosen, Option<LabelFree>)> = Vec::new();
    for record in &run.records {
        if let Record::Test { step, target_accuracy, label_free, .. } = record {
            while tests.last().is_some_and(|(before, _)| before.step >= *step) {
                tests.pop();
            }
            tests.push((Chosen { step: *step, accuracy: *target_accuracy }, *label_free));
        }
    }
    tests
}
