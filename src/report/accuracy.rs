//! What each method reaches on each task: mean and sample standard deviation over the seeds.

use std::collections::{BTreeMap, BTreeSet};

use super::selection::{Choice, choose};
use crate::draw::style::display_name;
use crate::method::table::place;
use crate::report::published::{Published, as_printed};
use crate::report::statistics::{deviation, mean};
use crate::report::table::{Align, Table};
use crate::runs::study::{Study, StudyRun};
use crate::train::label_free::LabelFree;

/// Accuracy on the target in percent, by task and seed.
pub type Scores<'a> = BTreeMap<(&'a str, u64), f64>;

/// The methods of a study, each once, in the order of tables: those without alignment first, unknown ones last.
pub fn methods(study: &Study) -> Vec<&str> {
    let names: BTreeSet<&str> = study.runs.iter().map(|run| run.method.as_str()).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| place(name));
    names
}

/// The accuracy of every finished run of a method in which the rule can choose a test.
pub fn scores<'a>(study: &'a Study, method: &str, choice: Choice) -> Scores<'a> {
    let runs = study.runs.iter().filter(|run| run.method == method);
    runs.filter_map(|run| Some(((run.task.as_str(), run.seed), choose(run, choice)?.accuracy))).collect()
}

/// Those of one task, by seed.
pub fn on_task(scores: &Scores, task: &str) -> Vec<f64> {
    scores.iter().filter(|((of, _), _)| *of == task).map(|(_, accuracy)| *accuracy).collect()
}

/// For every seed that has all of `tasks`, the mean over them. A seed that lacks one is left out, since tasks differ in
/// difficulty.
pub fn means_by_seed(scores: &Scores, tasks: &[&str]) -> Vec<f64> {
    let seeds: BTreeSet<u64> = scores.keys().map(|(_, seed)| *seed).collect();
    let of_seed = |seed: u64| -> Option<f64> {
        let values: Option<Vec<f64>> = tasks.iter().map(|task| scores.get(&(*task, seed)).copied()).collect();
        mean(&values?)
    };
    seeds.into_iter().filter_map(of_seed).collect()
}

/// Accuracy on the source after the last step, in percent, by task and seed.
fn source_scores<'a>(study: &'a Study, method: &str) -> Scores<'a> {
    let runs = study.runs.iter().filter(|run| run.method == method && run.finish().is_some());
    runs.filter_map(|run| Some(((run.task.as_str(), run.seed), run.last_test()?.0))).collect()
}

/// Whether the runs have enough tests, and labels for them, that the best of them is another than the last.
pub fn has_choice(study: &Study) -> bool {
    study.runs.iter().any(|run| run.tests() != 1 && choose(run, Choice::Last).is_some())
}

/// What can be said without the target's labels, after the last step: mean entropy and soft neighbourhood density in nats, mean
/// over all runs of a method. For runs whose target has none.
pub fn label_free_table(study: &Study) -> Option<Table> {
    let without = |run: &&StudyRun| run.finish().is_some_and(|finish| finish.last_target_accuracy.is_nan());
    study.runs.iter().find(without)?;
    let mut table = Table::new([
        ("without target labels", Align::Left),
        ("runs", Align::Right),
        ("entropy", Align::Right),
        ("SND", Align::Right),
    ]);
    for method in methods(study) {
        let runs = study.runs.iter().filter(|run| run.method == method).filter(without);
        let numbers: Vec<LabelFree> = runs.filter_map(|run| run.last_test()?.1).collect();
        let of = |number: fn(&LabelFree) -> f64| {
            mean(&numbers.iter().map(number).collect::<Vec<_>>())
                .map_or("–".into(), |mean| format!("{mean:.3}"))
        };
        let cells = [numbers.len().to_string(), of(|found| found.entropy), of(|found| found.density)];
        table.push([display_name(method)].into_iter().chain(cells));
    }
    Some(table)
}

/// As [`accuracy_table`], of the source after the last step; none if no run noted a test.
pub fn source_table(study: &Study) -> Option<Table> {
    let noted = study.runs.iter().any(|run| run.last_test().is_some());
    noted.then(|| table_of(study, |method| source_scores(study, method)))
}

/// One column for each method, one row for each task and one for the mean over all tasks: "65.2 ± 2.8", the sample standard
/// deviation over the seeds. A single seed has no deviation; where there is no run stands "–".
///
/// The deviation of the mean is that of the means of single seeds, not the mean of the deviations.
pub fn accuracy_table(study: &Study, choice: Choice) -> Table {
    table_of(study, |method| scores(study, method, choice))
}

fn table_of<'a>(study: &'a Study, scores_of: impl Fn(&str) -> Scores<'a>) -> Table {
    let methods = methods(study);
    let names: Vec<String> = methods.iter().map(|method| display_name(method)).collect();
    let names = names.iter().map(|name| (name.as_str(), Align::Right));
    let mut table = Table::new([("task", Align::Left)].into_iter().chain(names));
    let scores: Vec<Scores> = methods.iter().map(|method| scores_of(method)).collect();
    let tasks = study.tasks();
    for task in &tasks {
        let cells = scores.iter().map(|scores| with_deviation(&on_task(scores, task)));
        table.push([(*task).to_owned()].into_iter().chain(cells));
    }
    if tasks.len() > 1 {
        let cells = scores.iter().map(|scores| with_deviation(&means_by_seed(scores, &tasks)));
        table.push(["mean".to_owned()].into_iter().chain(cells));
    }
    table
}

/// The mean over all tasks of every method under each rule of choice, with what the rule loses against the oracle.
///
/// Only seeds with all tasks count. A user has no target labels: what he can have is *last*, *by entropy* or *by SND*.
pub fn choice_table(study: &Study) -> Table {
    let columns = Choice::ALL.map(|choice| choice.to_string());
    let columns = columns.iter().map(|name| (name.as_str(), Align::Right));
    let columns: Vec<_> = [("method", Align::Left)].into_iter().chain(columns).collect();
    let mut table = Table::new(columns);
    let tasks = study.tasks();
    for method in methods(study) {
        let of = |choice| means_by_seed(&scores(study, method, choice), &tasks);
        let oracle = mean(&of(Choice::Best));
        let cells = Choice::ALL.map(|choice| {
            let values = of(choice);
            let lost = match (choice, mean(&values), oracle) {
                (Choice::Best, _, _) | (_, None, _) | (_, _, None) => String::new(),
                (_, Some(mean), Some(oracle)) => format!(" ({})", signed(mean - oracle)),
            };
            with_deviation(&values) + &lost
        });
        table.push([display_name(method)].into_iter().chain(cells));
    }
    table
}

/// The mean over all tasks, last and best (oracle), beside the published means of the same method, one row for each source.
///
/// The published numbers are of Office-Home with ResNet-50; [`data_note`] says whether ours are.
pub fn beside_published(study: &Study, published: &[Published]) -> Table {
    let mut table = Table::new([
        ("method", Align::Left),
        ("ours, last", Align::Right),
        ("ours, best (oracle)", Align::Right),
        ("published mean", Align::Right),
        ("where", Align::Left),
    ]);
    let tasks = study.tasks();
    for method in methods(study) {
        let of = |choice| with_deviation(&means_by_seed(&scores(study, method, choice), &tasks));
        let mut ours = vec![display_name(method), of(Choice::Last), of(Choice::Best)];
        for row in published.iter().filter(|row| row.our_name().as_deref() == Some(method)) {
            let theirs = [row.mean.map_or(String::new(), as_printed), row.source.clone()];
            table.push(ours.drain(..).chain(theirs));
            ours = vec![String::new(); 3];
        }
        if !ours[0].is_empty() {
            table.push(ours);
        }
    }
    table
}

/// Whether runs on `data` may be compared with the published numbers, in a sentence.
pub fn data_note(data: &str) -> String {
    if data == "mini" {
        return "These runs are on Mini Office-Home, whose domains are named like Office-Home's: another data set and \
                another network, so the published numbers are NOT comparable with ours."
            .into();
    }
    format!(
        "The published numbers are of Office-Home with ResNet-50. They are comparable only if the data '{data}' are \
         Office-Home and the backbone is a pretrained ResNet-50."
    )
}

/// "65.2 ± 2.8"; "65.2" of a single value; "–" of none.
pub fn with_deviation(values: &[f64]) -> String {
    match (mean(values), deviation(values)) {
        (None, _) => "–".into(),
        (Some(mean), None) => format!("{mean:.1}"),
        (Some(mean), Some(deviation)) => format!("{mean:.1} ± {deviation:.1}"),
    }
}

/// "+1.2"; what rounds to zero is "+0.0", never "-0.0".
pub fn signed(value: f64) -> String {
    let text = format!("{value:+.1}");
    if text == "-0.0" { "+0.0".into() } else { text }
}
