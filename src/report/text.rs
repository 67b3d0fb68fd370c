//! A comparison in words and tables for a terminal of 100 columns.

use super::accuracy::{
    accuracy_table, beside_published, choice_table, data_note, has_choice, label_free_table, methods,
    source_table,
};
use super::adversary::{NOTE, adversary_table};
use super::cost::{BenchLine, MEMORY_NOTE, bench_table, cost_table, published_cost};
use super::gains::{comparisons, gains_by_task, gains_notes, gains_table};
use super::selection::Choice;
use crate::draw::style::display_name;
use crate::error::Result;
use crate::method::shown::Variant;
use crate::report::published::{published as published_rows, published_notes};
use crate::runs::find::FoundRuns;

/// How wide the terminal may be taken to be.
const WIDTH: usize = 100;

/// What the columns of a choice mean.
pub const CHOICE_NOTE: &str = "\
    last: after the last step. best (oracle): the best of all tests, chosen by target labels, so nobody without these \
    labels could have chosen it. by entropy: the test with the smallest mean entropy on the target. by SND: that with the \
    largest soft neighbourhood density. The last two need no labels. In brackets: points lost against the oracle. Of \
    equals, the first test counts.";

/// How many runs there are, of what.
pub fn summary(found: &FoundRuns) -> String {
    let study = &found.study;
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    format!(
        "{} on {}: {}, {}, {}",
        count(study.runs.len(), "finished run"),
        found.data,
        count(study.tasks().len(), "task"),
        count(methods(study).len(), "method"),
        count(study.seeds().len(), "seed"),
    )
}

/// Everything but the charts. `choice` names the test that counts for the gains.
pub fn text(found: &FoundRuns, bench: &[BenchLine], choice: Choice) -> Result<String> {
    let study = &found.study;
    let chosen = has_choice(study);
    let mut parts = vec![summary(found)];
    parts.extend(found.remarks.iter().map(|remark| wrapped(remark)));
    if !found.unfinished.is_empty() {
        parts.push(format!("not finished, left out:\n  {}", found.unfinished.join("\n  ")));
    }
    for shown in [Choice::Last, Choice::Best].into_iter().take(if chosen { 2 } else { 1 }) {
        parts.push(format!("Target accuracy in percent, {shown}, mean ± deviation over seeds:"));
        parts.push(accuracy_table(study, shown).to_string());
    }
    if let Some(table) = source_table(study) {
        parts.push("Source accuracy in percent, last, mean ± deviation over seeds:".into());
        parts.push(table.to_string());
    }
    parts.extend(label_free_table(study).map(|table| table.to_string()));
    if !comparisons(study).is_empty() {
        parts.push(format!("Gains, mean over tasks, {choice}:"));
        parts.push(gains_table(study, choice).to_string());
        for (method, baseline) in
            comparisons(study).into_iter().filter(|(method, _)| !Variant::split(method).1.is_plain())
        {
            let (method_name, baseline_name) = (display_name(method), display_name(baseline));
            parts.push(format!("{method_name} − {baseline_name} by task, {choice}:"));
            parts.push(gains_by_task(study, method, baseline, choice).to_string());
        }
        parts.extend(gains_notes(study).iter().map(|note| wrapped(note)));
    }
    if let Some(table) = adversary_table(study) {
        parts.push("What the adversary is shown of the source, first → last:".into());
        parts.push(table.to_string());
        parts.push(wrapped(NOTE));
    }
    if chosen {
        parts.push("Choosing without target labels, mean over tasks:".into());
        parts.push(choice_table(study).to_string());
        parts.push(wrapped(CHOICE_NOTE));
    }
    if found.show_published {
        parts.push(wrapped(&format!("Published. {}", data_note(&found.data))));
        parts.push(beside_published(study, &published_rows()?).to_string());
        parts.push("Where the published numbers disagree among themselves:".into());
        parts.extend(published_notes()?.iter().map(|note| wrapped(note)));
    }
    parts.push("Cost of a step:".into());
    parts.push(cost_table(study).to_string());
    parts.push(wrapped(&published_cost()));
    parts.push(match bench.is_empty() {
        true => wrapped(MEMORY_NOTE),
        false => bench_table(bench).to_string(),
    });
    Ok(parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n")
}

/// Lines of at most [`WIDTH`] letters.
fn wrapped(words: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for word in words.split_whitespace() {
        let letters = word.chars().count();
        if length > 0 && length + 1 + letters > WIDTH {
            text.push('\n');
            length = 0;
        } else if length > 0 {
            text.push(' ');
            length += 1;
        }
        text += word;
        length += letters;
    }
    text
}
