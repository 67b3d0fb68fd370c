//! Which classes are confused, and which gain and lose most, after the last step.

use crate::report::table::{Align, Table};
use crate::runs::study::{Study, StudyRun};
use crate::train::record::Record;

/// How many target pictures of a class were taken for which class, summed over runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// Class names by label.
    pub classes: Vec<String>,
    /// Number of pictures by true class and predicted class.
    pub counts: Vec<Vec<usize>>,
    /// Number of runs in it.
    pub runs: usize,
}

/// What became of the target pictures of one class, over all pairs of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassGain {
    /// The class.
    pub class: String,
    /// Tested pictures of it; each counts once for every pair of runs.
    pub pictures: usize,
    /// How many of them the baseline got right.
    pub before: usize,
    /// How many of them the method got right.
    pub after: usize,
}

impl ClassGain {
    /// The gain in percentage points of the class's pictures; 0 of none.
    pub fn points(&self) -> f64 {
        100.0 * (self.after as f64 - self.before as f64) / self.pictures.max(1) as f64
    }
}

impl ConfusionMatrix {
    fn add(&mut self, counts: &[(u32, u32, usize)]) {
        for &(label, class, count) in counts {
            let cell = self.counts.get_mut(label as usize).and_then(|row| row.get_mut(class as usize));
            if let Some(cell) = cell {
                *cell += count;
            }
        }
        self.runs += 1;
    }

    /// Each row in percent of its pictures; a class without pictures has no numbers.
    pub fn percent(&self) -> Vec<Vec<f64>> {
        let row = |row: &Vec<usize>| {
            let pictures: usize = row.iter().sum();
            row.iter().map(|count| 100.0 * *count as f64 / pictures as f64).collect()
        };
        self.counts.iter().map(row).collect()
    }

    /// Only the `number` classes with the largest share of errors, in the order of labels; the others' columns are cut off.
    pub fn worst(&self, number: usize) -> Self {
        let right = |class: usize| {
            let pictures: usize = self.counts[class].iter().sum();
            self.counts[class][class] as f64 / pictures.max(1) as f64
        };
        let mut kept: Vec<usize> = (0..self.classes.len()).collect();
        kept.sort_by(|&a, &b| right(a).total_cmp(&right(b)));
        kept.truncate(number);
        kept.sort_unstable();
        Self {
            classes: kept.iter().map(|&class| self.classes[class].clone()).collect(),
            counts: kept
                .iter()
                .map(|&label| kept.iter().map(|&class| self.counts[label][class]).collect())
                .collect(),
            runs: self.runs,
        }
    }

    /// The pairs of classes that are confused most often: true class, predicted class, pictures, share of the true class.
    pub fn most_confused(&self, number: usize) -> Table {
        let mut table = Table::new([
            ("true class", Align::Left),
            ("taken for", Align::Left),
            ("pictures", Align::Right),
            ("share of the class", Align::Right),
        ]);
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for (label, row) in self.counts.iter().enumerate() {
            pairs.extend(row.iter().enumerate().map(|(class, count)| (*count, label, class)));
        }
        pairs.retain(|(count, label, class)| *count > 0 && label != class);
        pairs.sort_by_key(|(count, label, class)| (std::cmp::Reverse(*count), *label, *class));
        for (count, label, class) in pairs.into_iter().take(number) {
            let pictures: usize = self.counts[label].iter().sum();
            table.push([
                spaced(&self.classes[label]),
                spaced(&self.classes[class]),
                count.to_string(),
                format!("{:.0} %", 100.0 * count as f64 / pictures as f64),
            ]);
        }
        table
    }
}

/// The confusion matrix of a method after the last step, summed over all its runs that noted one; none without such a run.
pub fn confusion(study: &Study, method: &str) -> Option<ConfusionMatrix> {
    let mut sum: Option<ConfusionMatrix> = None;
    for run in study.runs.iter().filter(|run| run.method == method) {
        // A target without labels has no true classes.
        let Some((classes, counts)) = confusion_of(run).filter(|(_, counts)| !counts.is_empty()) else {
            continue;
        };
        let matrix = sum.get_or_insert_with(|| ConfusionMatrix {
            classes: classes.to_vec(),
            counts: vec![vec![0; classes.len()]; classes.len()],
            runs: 0,
        });
        // Runs with other classes cannot be added up; one data set has one list.
        if matrix.classes == classes {
            matrix.add(counts);
        }
    }
    sum
}

/// What a method gains on each class, the largest gain first, over all pairs of runs that noted their confusions.
pub fn class_gains(study: &Study, method: &str, baseline: &str) -> Vec<ClassGain> {
    let mut gains: Vec<ClassGain> = Vec::new();
    for ours in study.runs.iter().filter(|run| run.method == method) {
        let twin = study.of(&ours.task, baseline).find(|run| run.seed == ours.seed);
        let (Some((classes, after)), Some((same, before))) =
            (confusion_of(ours), twin.and_then(confusion_of))
        else {
            continue;
        };
        if gains.is_empty() {
            let none = |class: &String| ClassGain { class: class.clone(), pictures: 0, before: 0, after: 0 };
            gains = classes.iter().map(none).collect();
        }
        if classes != same || !gains.iter().map(|gain| &gain.class).eq(classes) {
            continue;
        }
        for (label, gain) in gains.iter_mut().enumerate() {
            let of = |counts: &[(u32, u32, usize)], right: bool| -> usize {
                let own =
                    counts.iter().filter(|(of, class, _)| *of as usize == label && (!right || class == of));
                own.map(|(_, _, count)| count).sum()
            };
            gain.pictures += of(after, false);
            gain.before += of(before, true);
            gain.after += of(after, true);
        }
    }
    gains.sort_by(|a, b| b.points().total_cmp(&a.points()));
    gains
}

/// The classes that gain and that lose most, at most `each` of both, with their numbers of pictures.
pub fn class_gains_table(gains: &[ClassGain], each: usize) -> Table {
    let mut table = Table::new([
        ("class", Align::Left),
        ("points", Align::Right),
        ("right before", Align::Right),
        ("right after", Align::Right),
        ("pictures", Align::Right),
    ]);
    for gain in extremes(gains, each) {
        table.push([
            spaced(&gain.class),
            super::accuracy::signed(gain.points()),
            gain.before.to_string(),
            gain.after.to_string(),
            gain.pictures.to_string(),
        ]);
    }
    table
}

/// The first and the last `each` of sorted gains, without repeating any.
pub fn extremes(gains: &[ClassGain], each: usize) -> Vec<&ClassGain> {
    let last = gains.len().saturating_sub(each).max(each);
    gains
        .iter()
        .enumerate()
        .filter(|(place, _)| *place < each || *place >= last)
        .map(|(_, gain)| gain)
        .collect()
}

/// `Alarm_Clock` as "Alarm Clock".
pub fn spaced(class: &str) -> String {
    class.replace('_', " ")
}

/// The classes and the counts of a finished run's last confusion.
type Counts<'a> = (&'a [String], &'a [(u32, u32, usize)]);

fn confusion_of(run: &StudyRun) -> Option<Counts<'_>> {
    run.finish()?;
    run.records.iter().rev().find_map(|record| match record {
        Record::Confusion { classes, counts, .. } => Some((classes.as_slice(), counts.as_slice())),
        _ => None,
    })
}
