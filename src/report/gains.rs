//! What a method gains over its baseline, in pairs of runs with the same task and seed.
//!
//! Pairs share their seed, hence their order of pictures and initial weights as far as the methods allow; a pair takes away what
//! makes a task or a seed easy for both. For the mean over tasks one has to say what would be drawn anew, since the
//! interval means just that: see [`Unit`].

use std::collections::BTreeMap;

use super::accuracy::{Scores, means_by_seed, methods, scores, signed};
use super::selection::Choice;
use crate::draw::style::display_name;
use crate::method::shown::{Shown, Variant};
use crate::method::table::{TARGET_BATCH_NORM_ONLY, TargetUse, baseline_of, find};
use crate::report::statistics::{Difference, equivalence, holm, mean};
use crate::report::table::{Align, Table};
use crate::runs::study::Study;

/// Two methods whose difference is smaller than this many percentage points are called the same.
const MARGIN: f64 = 1.0;

/// What a confidence interval takes as one independent observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The mean over all tasks with one seed; seeds that lack a task are left out. The interval covers what other seeds would
    /// give on these very tasks, and says nothing about other tasks. With 3 seeds it has 2 degrees of freedom and is wide.
    Seed,
    /// The mean over all seeds on one task. The interval covers what other tasks of the same kind would give. The twelve
    /// tasks share four domains, so that they are fewer than twelve in truth and the interval is rather too narrow.
    Task,
}

/// The methods of a study whose baseline is in it too, each with it: ToAlign first.
pub fn comparisons(study: &Study) -> Vec<(&str, &str)> {
    let methods = methods(study);
    let pairs = methods.iter().filter_map(|method| Some((*method, baseline_of(method)?)));
    let mut pairs: Vec<(&str, &str)> = pairs.filter(|(_, baseline)| methods.contains(baseline)).collect();
    pairs.sort_by_key(|(method, _)| Variant::split(method).1.is_plain());
    pairs
}

/// What else a gain has to be compared with before it is called that of a method, as far as it is in the study: what adapts
/// with batch norm's statistics alone, and ToAlign with labels in the place of its feature.
pub fn attributions(study: &Study) -> Vec<(String, String)> {
    let methods = methods(study);
    let has = |name: &str| methods.contains(&name);
    let mut pairs = Vec::new();
    for &method in &methods {
        let Some((entry, variant)) = find(method) else { continue };
        if variant.is_plain() && entry.target == TargetUse::Loss && has(TARGET_BATCH_NORM_ONLY) {
            pairs.push((method.to_owned(), TARGET_BATCH_NORM_ONLY.to_owned()));
        }
        if variant.shown == Shown::TaskRelevant {
            let labels = entry.name(Variant { shown: Shown::Labels, ..variant });
            pairs.extend(has(&labels).then(|| (method.to_owned(), labels)));
        }
    }
    pairs
}

/// Accuracy of `method` minus that of `baseline`, in percentage points, of every task and seed that both have.
pub fn paired<'a>(study: &'a Study, method: &str, baseline: &str, choice: Choice) -> Scores<'a> {
    let (ours, theirs) = (scores(study, method, choice), scores(study, baseline, choice));
    ours.into_iter().filter_map(|(pair, accuracy)| Some((pair, accuracy - theirs.get(&pair)?))).collect()
}

/// The mean gain over all tasks and its 95 % interval; none without a pair.
///
/// ```
/// use toalign::report::gains::{Unit, gain};
/// use toalign::report::selection::Choice;
/// use toalign::runs::study::Study;
/// assert_eq!(gain(&Study::default(), "hda+toalign", "hda", Choice::Last, Unit::Seed), None);
/// ```
pub fn gain(study: &Study, method: &str, baseline: &str, choice: Choice, unit: Unit) -> Option<Difference> {
    let pairs = paired(study, method, baseline, choice);
    let observations: Vec<f64> = match unit {
        Unit::Seed => means_by_seed(&pairs, &study.tasks()),
        Unit::Task => {
            let mut by_task: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for ((task, _), difference) in &pairs {
                by_task.entry(task).or_default().push(*difference);
            }
            by_task.values().filter_map(|values| mean(values)).collect()
        }
    };
    Difference::of(&observations)
}

/// The gain on one task and its 95 % interval over the seeds; none without a pair.
pub fn gain_on(
    study: &Study,
    task: &str,
    method: &str,
    baseline: &str,
    choice: Choice,
) -> Option<Difference> {
    let pairs = paired(study, method, baseline, choice);
    Difference::of(&super::accuracy::on_task(&pairs, task))
}

/// Every method against its baseline, mean over all tasks: gain with its intervals over seeds and over tasks.
pub fn gains_table(study: &Study, choice: Choice) -> Table {
    let mut table = Table::new([
        ("gain", Align::Left),
        ("points", Align::Right),
        ("95 % over seeds", Align::Right),
        ("95 % over tasks", Align::Right),
        ("won of pairs", Align::Right),
        ("verdict", Align::Left),
    ]);
    let compared =
        comparisons(study).into_iter().map(|(method, other)| (method.to_owned(), other.to_owned()));
    for (method, baseline) in compared.chain(attributions(study)) {
        let (method, baseline) = (method.as_str(), baseline.as_str());
        let pairs = paired(study, method, baseline, choice);
        let won = pairs.values().filter(|difference| **difference > 0.0).count();
        let [seeds, tasks] = [Unit::Seed, Unit::Task].map(|unit| gain(study, method, baseline, choice, unit));
        table.push([
            format!("{} − {}", display_name(method), display_name(baseline)),
            seeds.map_or("–".into(), |found| signed(found.mean)),
            interval(seeds.as_ref()),
            interval(tasks.as_ref()),
            format!("{won} of {}", pairs.len()),
            match (&seeds, pairs.is_empty()) {
                (None, false) => "no whole seed".to_owned(),
                _ => {
                    let same = equivalence(&means_by_seed(&pairs, &study.tasks()), MARGIN);
                    match verdict(seeds.as_ref(), seeds.and_then(|found| found.p)) {
                        "not told apart" if same.is_some_and(|p| p < 0.05) => {
                            format!("within {MARGIN} point")
                        }
                        told => told.to_owned(),
                    }
                }
            },
        ]);
    }
    table
}

/// The gain on each task, with its interval over seeds and whether it stands after Holm's correction for all tasks at once.
pub fn gains_by_task(study: &Study, method: &str, baseline: &str, choice: Choice) -> Table {
    let tasks = study.tasks();
    // Over one task there is nothing to correct for.
    let corrects = tasks.len() > 1;
    let heads = ["task", "points", "95 % over seeds", "seeds", "p-value", "by Holm"];
    let heads = heads.into_iter().take(if corrects { 6 } else { 5 });
    let align = |head| if head == "task" { Align::Left } else { Align::Right };
    let verdict_head = if corrects { "after Holm" } else { "verdict" };
    let mut table = Table::new(
        heads.map(|head| (head, align(head))).chain([(verdict_head, Align::Left)]).collect::<Vec<_>>(),
    );
    let gains: Vec<Option<Difference>> =
        tasks.iter().map(|task| gain_on(study, task, method, baseline, choice)).collect();
    let tested: Vec<f64> = gains.iter().filter_map(|gain| gain.as_ref()?.p).collect();
    let mut corrected = holm(&tested).into_iter();
    for (task, gain) in tasks.iter().zip(&gains) {
        let p = gain.as_ref().and_then(|gain| gain.p);
        let held = p.and_then(|_| corrected.next());
        let mut cells = vec![
            (*task).to_owned(),
            gain.as_ref().map_or("–".into(), |gain| signed(gain.mean)),
            interval(gain.as_ref()),
            gain.as_ref().map_or(0, |gain| gain.pairs).to_string(),
            p.map_or(String::new(), |p| format!("{p:.3}")),
        ];
        cells.extend(corrects.then(|| held.map_or(String::new(), |p| format!("{p:.3}"))));
        cells.push(verdict(gain.as_ref(), held).to_owned());
        table.push(cells);
    }
    table
}

/// What the two tables above mean, one paragraph each.
pub fn gains_notes(study: &Study) -> Vec<String> {
    let seeds = study.seeds().len();
    let tasks = study.tasks().len();
    let all = if tasks == 1 {
        "accuracy on the one task".to_owned()
    } else {
        format!("mean over all {tasks} tasks")
    };
    let mut notes = vec![
        "Gains are of pairs with the same task and seed, in percentage points of target accuracy; intervals are \
         Student's t, 95 %."
            .into(),
        format!(
            "Verdicts are by the interval over seeds. There, one observation is the {all} with one \
             seed that has them all, so the interval covers other seeds on these tasks{}. Over tasks: one observation is \
             the mean over the seeds on one task; tasks share domains, so this interval is rather too narrow. 'Within \
             {MARGIN} point' is the verdict of two one-sided tests at 5 %.",
            match seeds {
                1 => "; with one seed there is none".to_owned(),
                2 => "; with 2 seeds t has 1 degree of freedom".to_owned(),
                _ => format!("; with {seeds} seeds t has at most {} degrees of freedom", seeds - 1),
            }
        ),
    ];
    let methods = methods(study);
    let counted_twice = methods.iter().filter_map(|method| {
        let (entry, variant) = find(method)?;
        let once = entry.name(Variant { once: true, ..variant });
        (!variant.is_plain() && !variant.once && !methods.contains(&once.as_str())).then_some(once)
    });
    let counted_twice: Vec<String> = counted_twice.collect();
    if !counted_twice.is_empty() {
        notes.push(format!(
            "With ToAlign and its controls batch norm counts each source batch twice, as published, so a difference from the plain \
             method is not alignment's alone. What tells them apart is not in this study: {}.",
            counted_twice.join(", ")
        ));
    }
    if tasks > 1 {
        notes.push(format!(
            "Of {tasks} tasks that are tested at 5 % each, about one in twenty stands out by chance alone: a single task \
             counts only after Holm's correction. The few verdicts on the mean are not corrected. 'Not told apart' is no \
             proof that two methods are equal."
        ));
    }
    notes
}

/// "-1.5 to +2.0"; in words where one pair allows none.
fn interval(gain: Option<&Difference>) -> String {
    match gain {
        None => "–".into(),
        Some(Difference { interval: Some((low, high)), .. }) => {
            // Beyond the scale of accuracies no decimal matters.
            let end = |value: f64| if value.abs() < 100.0 { signed(value) } else { format!("{value:+.0}") };
            format!("{} to {}", end(*low), end(*high))
        }
        Some(_) => "none: only one".into(),
    }
}

fn verdict(gain: Option<&Difference>, p: Option<f64>) -> &'static str {
    match (gain, p) {
        (None, _) => "no pairs",
        (Some(_), None) => "cannot be told",
        (Some(gain), Some(p)) if p < 0.05 && gain.mean > 0.0 => "better",
        (Some(gain), Some(p)) if p < 0.05 && gain.mean < 0.0 => "worse",
        _ => "not told apart",
    }
}
