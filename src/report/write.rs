//! The runs as a tidy CSV file, and the accuracies as a LaTeX table.

use super::accuracy::{Scores, means_by_seed, methods, on_task, scores};
use super::selection::{Choice, choose};
use crate::draw::style::display_name;
use crate::report::statistics::{deviation, mean};
use crate::runs::study::Study;

/// One row for each finished run. Accuracies are in percent; what a run did not note stays blank.
///
/// ```
/// use toalign::report::write::csv;
/// use toalign::runs::study::Study;
/// assert!(csv(&Study::default()).starts_with("task,method,seed,last,best_oracle,best_oracle_step,by_entropy,"));
/// ```
pub fn csv(study: &Study) -> String {
    let mut text = String::from(
        "task,method,seed,last,best_oracle,best_oracle_step,by_entropy,by_entropy_step,by_snd,by_snd_step,seconds_per_step,source_last,\
         entropy_last,snd_last\n",
    );
    for run in &study.runs {
        let Some(finish) = run.finish() else { continue };
        let [last, others @ ..] = Choice::ALL.map(|choice| choose(run, choice));
        let mut cells = vec![cell(&run.task), cell(&run.method), run.seed.to_string()];
        cells.push(last.map_or(String::new(), |chosen| format!("{:.4}", chosen.accuracy)));
        for chosen in others {
            cells.push(chosen.map_or(String::new(), |chosen| format!("{:.4}", chosen.accuracy)));
            cells.push(chosen.map_or(String::new(), |chosen| chosen.step.to_string()));
        }
        cells.push(format!("{:.6}", finish.seconds_per_step));
        let (source, label_free) = run.last_test().unwrap_or((f64::NAN, None));
        cells.push(if source.is_nan() { String::new() } else { format!("{source:.4}") });
        let numbers =
            label_free.map(|found| [found.entropy, found.density].map(|number| format!("{number:.6}")));
        cells.extend(numbers.unwrap_or_default());
        text += &cells.join(",");
        text.push('\n');
    }
    text
}

/// A cell of CSV (RFC 4180).
pub fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// The accuracies as the paper prints them: methods in rows, tasks and their mean in columns, for the package `booktabs`.
///
/// The largest mean of a column is bold. The caption names the data, the rule of choice and the number of seeds.
pub fn latex(study: &Study, data: &str, choice: Choice) -> String {
    let tasks = study.tasks();
    let methods = methods(study);
    let cells: Vec<Vec<Vec<f64>>> = methods
        .iter()
        .map(|method| {
            let scores: Scores = scores(study, method, choice);
            let mut row: Vec<Vec<f64>> = tasks.iter().map(|task| on_task(&scores, task)).collect();
            row.push(means_by_seed(&scores, &tasks));
            row
        })
        .collect();
    let best: Vec<Option<String>> = (0..=tasks.len())
        .map(|column| {
            let means = cells.iter().filter_map(|row| mean(&row[column]));
            means.max_by(f64::total_cmp).map(|mean| format!("{mean:.1}"))
        })
        .collect();
    let rule = match choice {
        Choice::Last => "after the last step",
        Choice::Best => "at the best of all tests, which is chosen by target labels (an oracle)",
        Choice::Entropy => "at the test with the smallest entropy on the target, which needs no labels",
        Choice::Density => {
            "at the test with the largest soft neighbourhood density on the target, which needs no labels"
        }
    };
    let seeds = match study.seeds().len() {
        1 => "one seed".to_owned(),
        seeds => format!("mean $\\pm$ sample standard deviation over up to {seeds} seeds"),
    };
    let mut lines = vec![
        "% Needs \\usepackage{booktabs}.".to_owned(),
        "\\begin{table}".into(),
        "\\centering\\scriptsize\\setlength{\\tabcolsep}{3pt}".into(),
        format!(
            "\\caption{{Accuracy (\\%) on the target of {} {rule}; {seeds}. Bold: the largest mean of a column, \
             whether or not the difference is significant.}}",
            escaped(data)
        ),
        format!("\\begin{{tabular}}{{l{}}}", "c".repeat(tasks.len() + 1)),
        "\\toprule".into(),
    ];
    let head = tasks.iter().map(|task| escaped(task).replace('-', "$\\to$"));
    lines.push(row(["Method".to_owned()].into_iter().chain(head).chain(["Avg".to_owned()])));
    lines.push("\\midrule".into());
    for (method, values) in methods.iter().zip(&cells) {
        let numbers = values.iter().zip(&best).map(|(values, best)| number(values, best.as_deref()));
        lines.push(row([escaped(&display_name(method))].into_iter().chain(numbers)));
    }
    lines.extend(["\\bottomrule", "\\end{tabular}", "\\end{table}"].map(str::to_owned));
    lines.join("\n") + "\n"
}

fn row(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" & ") + " \\\\"
}

fn number(values: &[f64], best: Option<&str>) -> String {
    let Some(mean) = mean(values) else { return "--".into() };
    let mean = format!("{mean:.1}");
    let shown = match best == Some(mean.as_str()) {
        true => format!("\\textbf{{{mean}}}"),
        false => mean,
    };
    match deviation(values) {
        Some(deviation) => format!("{shown}$_{{\\pm{deviation:.1}}}$"),
        None => shown,
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => safe += "\\textbackslash{}",
            '~' => safe += "\\textasciitilde{}",
            '^' => safe += "\\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => safe.extend(['\\', letter]),
            _ => safe.push(letter),
        }
    }
    safe
}
