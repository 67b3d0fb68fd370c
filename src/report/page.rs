//! A comparison as one HTML file that needs nothing else: no link, no script, no font.

use std::path::Path;

use askama::Template;

use super::accuracy::{accuracy_table, beside_published, choice_table, data_note, methods};
use super::charts::{CLASSES, accuracy_bars, class_gain_bars, confusion_map, learning_curves};
use super::classes::{class_gains, class_gains_table, confusion};
use super::cost::{BenchLine, MEMORY_NOTE, bench_table, cost_table, published_cost};
use super::gains::{comparisons, gains_by_task, gains_notes, gains_table};
use super::selection::Choice;
use super::text::{CHOICE_NOTE, summary};
use crate::draw::picture::svg_uri;
use crate::draw::style::display_name;
use crate::error::{Result, complain};
use crate::files::write_atomically;
use crate::method::table::split;
use crate::report::published::{published, published_notes, published_table};
use crate::report::table::Table;
use crate::runs::find::FoundRuns;
use crate::runs::study::Study;

/// Makes the page and writes it atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn write_page(found: &FoundRuns, bench: &[BenchLine], choice: Choice, path: &Path) -> Result<()> {
    write_atomically(path, page(found, bench, choice)?.as_bytes())
}

/// The page as HTML text. `choice` names the test that counts for gains and bars.
///
/// # Errors
/// If the list of published results that was built in is damaged.
pub fn page(found: &FoundRuns, bench: &[BenchLine], choice: Choice) -> Result<String> {
    let study = &found.study;
    let rows = published()?;
    let page = Page {
        summary: summary(found),
        found,
        choice,
        last: accuracy_table(study, Choice::Last),
        best: accuracy_table(study, Choice::Best),
        gains: gains_table(study, choice),
        gains_notes: gains_notes(study),
        pairs: toalign_pairs(study)
            .map(|(method, baseline)| pair(study, method, baseline, choice))
            .collect::<Result<_>>()?,
        choices: choice_table(study),
        choice_note: CHOICE_NOTE,
        data_note: data_note(&found.data),
        beside: beside_published(study, &rows),
        published: published_table(&rows),
        disagreements: published_notes()?,
        curves: study
            .tasks()
            .iter()
            .map(|task| {
                let uri = svg_uri(&learning_curves(study, task).to_svg()?);
                Ok(Picture { uri, title: format!("Target accuracy of every run while training, {task}") })
            })
            .collect::<Result<_>>()?,
        confusions: confusions(study)?,
        cost: cost_table(study),
        published_cost: published_cost(),
        memory: (!bench.is_empty()).then(|| bench_table(bench)),
        memory_note: MEMORY_NOTE,
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map_err(|error| complain("a page that can be filled in", error.to_string()).into())
}

/// `comparison.html` filled in. askama escapes every text; only the tables, which escape their own cells, pass as they are.
#[derive(Template)]
#[template(path = "comparison.html", config = "src/report/askama.toml")]
struct Page<'a> {
    summary: String,
    found: &'a FoundRuns,
    choice: Choice,
    last: Table,
    best: Table,
    gains: Table,
    gains_notes: Vec<String>,
    pairs: Vec<Pair>,
    choices: Table,
    choice_note: &'static str,
    data_note: String,
    beside: Table,
    published: Table,
    disagreements: Vec<String>,
    curves: Vec<Picture>,
    confusions: Vec<Confusion>,
    cost: Table,
    published_cost: String,
    memory: Option<Table>,
    memory_note: &'static str,
    version: &'static str,
}

/// A method with ToAlign beside the same without.
struct Pair {
    name: String,
    wide: String,
    narrow: String,
    by_task: Table,
    classes: Option<ClassChanges>,
}

struct ClassChanges {
    chart: Picture,
    table: Table,
}

struct Picture {
    uri: String,
    title: String,
}

struct Confusion {
    chart: Picture,
    caption: String,
    pairs: Table,
}

fn toalign_pairs(study: &Study) -> impl Iterator<Item = (&str, &str)> {
    comparisons(study).into_iter().filter(|(method, _)| split(method).1)
}

fn pair(study: &Study, method: &str, baseline: &str, choice: Choice) -> Result<Pair> {
    let bars = accuracy_bars(study, method, baseline, choice);
    let gains = class_gains(study, method, baseline);
    let name = format!("{} − {}", display_name(method), display_name(baseline));
    let classes = match gains.is_empty() {
        true => None,
        false => Some(ClassChanges {
            chart: Picture {
                uri: svg_uri(&class_gain_bars(&gains, method).to_svg()?),
                title: format!("{name}: gain on each class"),
            },
            table: class_gains_table(&gains, CLASSES / 2),
        }),
    };
    Ok(Pair {
        wide: svg_uri(&bars.to_svg()?),
        narrow: svg_uri(&bars.narrow().to_svg()?),
        by_task: gains_by_task(study, method, baseline, choice),
        classes,
        name,
    })
}

/// The confusion matrices of the last methods of the table: the most elaborate, with and without ToAlign.
fn confusions(study: &Study) -> Result<Vec<Confusion>> {
    let all = methods(study);
    let shown = all.iter().rev().filter_map(|method| Some((method, confusion(study, method)?))).take(2);
    let mut confusions: Vec<Confusion> = shown
        .map(|(method, matrix)| {
            let title = format!("{}: percent of each true class", display_name(method));
            let cut = match matrix.classes.len() > CLASSES {
                true => format!(" Of {} classes, the {CLASSES} with the most errors.", matrix.classes.len()),
                false => String::new(),
            };
            Ok(Confusion {
                caption: format!("After the last step, all target pictures of {} runs.{cut}", matrix.runs),
                pairs: matrix.most_confused(6),
                chart: Picture { uri: svg_uri(&confusion_map(&matrix, &title).to_svg()?), title },
            })
        })
        .collect::<Result<_>>()?;
    confusions.reverse();
    Ok(confusions)
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{run_of_tests, study};
    use super::*;
    use crate::train::record::Record;

    fn found() -> FoundRuns {
        let mut study = study();
        for run in &mut study.runs {
            let classes = vec!["<i>Bike</i>".to_owned(), "Mug".to_owned()];
            run.records.insert(0, Record::Confusion { step: 9, classes, counts: vec![(0, 0, 5), (1, 0, 3)] });
        }
        study.runs.push(run_of_tests(&[(60.0, 0.5, 2.0)]));
        let unfinished = vec!["Cl-Rw hda seed 4: 200 of 500 steps".into()];
        FoundRuns { data: "mini".into(), study, unfinished, remarks: vec!["a < b".into()] }
    }

    #[test]
    fn the_page_holds_everything_and_links_to_nothing() {
        let html = page(&found(), &[], Choice::Last).unwrap();
        // Bars in two widths, the curves of two tasks, the gains of classes, two confusion matrices.
        assert_eq!(html.matches("data:image/svg+xml;base64,").count(), 2 + 2 + 1 + 2);
        for said in [
            "13 finished runs on mini",
            "Cl-Rw hda seed 4: 200 of 500 steps",
            "a &#60; b",
            "&#60;i&#62;Bike",
            "NOT comparable",
            "69.33 in slides-reproduced-batch15",
            "chosen by target labels",
        ] {
            assert!(html.contains(said), "{said}");
        }
        for link in ["http://", "https://", "<script", "<link", "url(", "<i>"] {
            assert!(!html.contains(link), "{link}");
        }
    }

    #[test]
    fn runs_of_one_method_have_no_empty_sections() {
        let study = Study { runs: vec![run_of_tests(&[(60.0, 0.5, 2.0)])] };
        let found = FoundRuns { data: "toys".into(), study, ..FoundRuns::default() };
        let html = page(&found, &[], Choice::Last).unwrap();
        for absent in ["Gains", "Classes", "Not finished"] {
            assert!(!html.contains(&format!("<h2>{absent}")), "{absent}");
        }
        assert!(html.contains("only if the data &#39;toys&#39;"), "{html}");
    }
}
