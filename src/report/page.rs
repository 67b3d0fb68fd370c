//! A report as one HTML file that needs nothing else: no link, no script, no font.
//!
//! The main job and a comparison of many runs are the same page; each fills in the sections that it has something for.

use std::path::Path;

use askama::Template;
use image::{Rgb, RgbImage};

use super::accuracy::methods;
use super::accuracy::{
    accuracy_table, beside_published, choice_table, data_note, has_choice, label_free_table, source_table,
};
use super::adversary::{NOTE, adversary_table};
use super::charts::{
    CLASSES, accuracy_bars, class_gain_bars, confusion_map, learning_curves, loss_curves, loss_names,
    method_bars,
};
use super::classes::{class_gains, class_gains_table, confusion};
use super::cost::{BenchLine, MEMORY_NOTE, bench_table, cost_table, published_cost};
use super::gains::{comparisons, gains_by_task, gains_notes, gains_table};
use super::one_task::{Explanation, OneTask, Panel, RESULTS_NOTE, SampleStrip, results_table};
use super::published::{published as published_rows, published_notes, published_table};
use super::selection::Choice;
use super::table::{Align, Table};
use super::text::{CHOICE_NOTE, summary};
use crate::draw::picture::{png_uri, svg_uri};
use crate::draw::style::display_name;
use crate::draw::{Chart, Size};
use crate::error::{Result, complain};
use crate::explain::overlay::heat_colour;
use crate::files::write_atomically;
use crate::method::measures::description;
use crate::method::shown::Variant;
use crate::runs::find::FoundRuns;
use crate::runs::study::{Study, StudyRun};

/// The longest side of an embedded picture, in pixels: twice what the page shows, for sharp screens.
const LONGEST: u32 = 320;

/// What `page.html` is filled with. askama escapes every text; only the tables, which escape their own cells, pass as they are.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/askama.toml")]
pub struct Page {
    title: String,
    task: String,
    paragraphs: Vec<String>,
    results: Option<Results>,
    runs: Option<Runs>,
    curves_note: &'static str,
    headline_curves: Vec<Drawing>,
    curves: Vec<Drawing>,
    losses: Vec<Drawing>,
    strips: Vec<Strip>,
    explanations: Vec<ShownExplanation>,
    scale: String,
    made: Option<Made>,
    version: &'static str,
}

/// One run of each method on one task.
struct Results {
    table: Table,
    note: &'static str,
    bars: Option<Drawing>,
}

/// Many runs beside each other.
struct Runs {
    /// Whether the last row of a table is a mean over tasks.
    mean: bool,
    choice: Choice,
    last: Table,
    best: Option<Table>,
    source: Option<Table>,
    label_free: Option<Table>,
    adversary: Option<Table>,
    adversary_note: &'static str,
    gains: Table,
    gains_notes: Vec<String>,
    pairs: Vec<Pair>,
    choices: Option<Table>,
    choice_note: &'static str,
    published: Option<BesidePublished>,
    confusions: Vec<Confusion>,
    cost: Table,
    published_cost: String,
    memory: Option<Table>,
    memory_note: &'static str,
    unfinished: Vec<String>,
}

/// What has been published, and our runs beside it.
struct BesidePublished {
    data_note: String,
    beside: Table,
    all: Table,
    disagreements: Vec<String>,
}

impl BesidePublished {
    fn of(found: &FoundRuns) -> Result<Self> {
        let rows = published_rows()?;
        Ok(Self {
            data_note: data_note(&found.data),
            beside: beside_published(&found.study, &rows),
            all: published_table(&rows),
            disagreements: published_notes()?,
        })
    }
}

/// A method with ToAlign beside the same without.
struct Pair {
    name: String,
    bars: Drawing,
    by_task: Table,
    classes: Option<(Drawing, Table)>,
}

struct Confusion {
    chart: Drawing,
    pairs: Table,
}

/// A chart, of which the page shows the width that fits; what is drawn in one width has no other.
struct Drawing {
    wide: String,
    narrow: Option<String>,
    title: String,
    caption: String,
}

struct Strip {
    caption: String,
    samples: Vec<(String, String)>,
}

struct ShownExplanation {
    uri: String,
    true_class: String,
    chance: Option<String>,
    panels: Vec<ShownPanel>,
}

struct ShownPanel {
    method: String,
    predicted_class: String,
    probability: String,
    correct: bool,
    uri: Option<String>,
    energy: Option<String>,
}

struct Made {
    command: String,
    duration: String,
    settings: Table,
}

impl Page {
    /// The page of the main job.
    ///
    /// # Errors
    /// If a picture has no pixels.
    pub fn of_one_task(found: &OneTask) -> Result<Self> {
        let study = &found.study;
        let mut settings = Table::new([("setting", Align::Left), ("value", Align::Left)]);
        for (name, value) in &found.settings {
            settings.push([name, value]);
        }
        let bars = |size| method_bars(study, size).to_svg();
        let bars = match study.runs.is_empty() {
            true => None,
            false => Some(Drawing {
                wide: svg_uri(&bars(Size::Wide)?),
                narrow: Some(svg_uri(&bars(Size::Narrow)?)),
                title: "Target accuracy of each method after the last step, and the best".into(),
                caption: "Bar and the number in it: accuracy after the last step. Diamond and the number beside it: best \
                          (oracle: chosen by target labels)."
                    .into(),
            }),
        };
        let mut headline_curves = Vec::new();
        for task in study.tasks().into_iter().filter(|_| study.runs.iter().any(|run| !run.records.is_empty()))
        {
            let chart = Chart {
                title: "Target accuracy while training".into(),
                x_range: Some((0.0, study.planned_steps() as f64)),
                ..learning_curves(study, task)
            };
            headline_curves.push(Drawing {
                wide: svg_uri(&Chart { size: Size::Wide, ..chart.clone() }.to_svg()?),
                narrow: Some(svg_uri(&chart.to_svg()?)),
                title: "Target accuracy over training steps, one curve per method".into(),
                caption: "Target labels are used for these tests only, never for training.".into(),
            });
        }
        // The losses stand in two columns, or in one on a phone: narrow in any case.
        let losses = loss_names(study);
        let losses = losses.iter().map(|name| {
            let title = match description(name) {
                Some(what) => format!("{name} over training steps, one curve per method: {what}"),
                None => format!("The loss {name} over training steps, one curve per method"),
            };
            Drawing::of(&loss_curves(study, name).to_svg()?, title)
        });
        Ok(Self {
            title: found.title.clone(),
            task: found.task.clone(),
            paragraphs: found.summary.clone(),
            results: Some(Results { table: results_table(study), note: RESULTS_NOTE, bars }),
            headline_curves,
            losses: losses.collect::<Result<_>>()?,
            strips: found.domains.iter().map(strip).collect::<Result<_>>()?,
            explanations: found.explanations.iter().map(shown_explanation).collect::<Result<_>>()?,
            scale: colour_scale()?,
            made: Some(Made { command: found.command.clone(), duration: duration(found.seconds), settings }),
            ..Self::empty()
        })
    }

    /// The page of many runs. `choice` names the test that counts for gains and bars.
    pub fn of_runs(found: &FoundRuns, bench: &[BenchLine], choice: Choice) -> Result<Self> {
        let study = &found.study;
        let chosen = has_choice(study);
        let pairs = comparisons(study).into_iter().filter(|(method, _)| !Variant::split(method).1.is_plain());
        let runs = Runs {
            mean: study.tasks().len() > 1,
            choice,
            last: accuracy_table(study, Choice::Last),
            best: chosen.then(|| accuracy_table(study, Choice::Best)),
            source: source_table(study),
            label_free: label_free_table(study),
            adversary: adversary_table(study),
            adversary_note: NOTE,
            gains: gains_table(study, choice),
            gains_notes: gains_notes(study),
            pairs: pairs
                .map(|(method, baseline)| pair(study, method, baseline, choice))
                .collect::<Result<_>>()?,
            choices: chosen.then(|| choice_table(study)),
            choice_note: CHOICE_NOTE,
            published: match found.show_published {
                true => Some(BesidePublished::of(found)?),
                false => None,
            },
            confusions: confusions(study)?,
            cost: cost_table(study),
            published_cost: published_cost(),
            memory: (!bench.is_empty()).then(|| bench_table(bench)),
            memory_note: MEMORY_NOTE,
            unfinished: found.unfinished.clone(),
        };
        let has_labels = |task: &&str| {
            let mut finishes = study.runs.iter().filter(|run| run.task == *task).filter_map(StudyRun::finish);
            finishes.any(|finish| !finish.last_target_accuracy.is_nan())
        };
        let curves = study.tasks().into_iter().filter(has_labels).map(|task| {
            let title = format!("Target accuracy of every run while training, {task}");
            Drawing::of(&learning_curves(study, task).to_svg()?, title)
        });
        Ok(Self {
            title: format!("Runs on {}", found.data),
            task: summary(found),
            paragraphs: found.remarks.clone(),
            runs: Some(runs),
            curves_note: "One line for each run, in the colour of its method. Target labels are used for these tests only, \
                          never for training.",
            curves: curves.collect::<Result<_>>()?,
            ..Self::empty()
        })
    }

    /// The page as HTML text.
    pub fn html(&self) -> Result<String> {
        self.render().map_err(|error| complain("a page that can be filled in", error.to_string()).into())
    }

    /// Writes it atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, self.html()?.as_bytes())
    }

    fn empty() -> Self {
        Self {
            title: String::new(),
            task: String::new(),
            paragraphs: Vec::new(),
            results: None,
            runs: None,
            curves_note: "",
            headline_curves: Vec::new(),
            curves: Vec::new(),
            losses: Vec::new(),
            strips: Vec::new(),
            explanations: Vec::new(),
            scale: String::new(),
            made: None,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl Drawing {
    /// In one width.
    fn of(svg: &str, title: String) -> Result<Self> {
        Ok(Self { wide: svg_uri(svg), narrow: None, title, caption: String::new() })
    }
}

fn pair(study: &Study, method: &str, baseline: &str, choice: Choice) -> Result<Pair> {
    let bars = accuracy_bars(study, method, baseline, choice);
    let gains = class_gains(study, method, baseline);
    let name = format!("{} − {}", display_name(method), display_name(baseline));
    let classes = match gains.is_empty() {
        true => None,
        false => {
            let chart = class_gain_bars(&gains, method).to_svg()?;
            let chart = Drawing::of(&chart, format!("{name}: gain on each class"))?;
            Some((chart, class_gains_table(&gains, CLASSES / 2)))
        }
    };
    Ok(Pair {
        bars: Drawing {
            wide: svg_uri(&bars.to_svg()?),
            narrow: Some(svg_uri(&bars.narrow().to_svg()?)),
            title: format!("Accuracy on each task, {name}"),
            caption: format!(
                "Accuracy ({choice}); error bars: one sample standard deviation over seeds to each side."
            ),
        },
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
            let runs = if matrix.runs == 1 { "1 run".to_owned() } else { format!("{} runs", matrix.runs) };
            let caption = format!("After the last step, all target pictures of {runs}.{cut}");
            let svg = confusion_map(&matrix, &title).to_svg()?;
            let chart = Drawing { caption, ..Drawing::of(&svg, title)? };
            Ok(Confusion { chart, pairs: matrix.most_confused(6) })
        })
        .collect::<Result<_>>()?;
    confusions.reverse();
    Ok(confusions)
}

fn strip(strip: &SampleStrip) -> Result<Strip> {
    let samples =
        strip.pictures.iter().map(|(picture, class)| Ok((png_uri(picture, LONGEST)?, class.clone())));
    Ok(Strip { caption: strip.caption.clone(), samples: samples.collect::<Result<_>>()? })
}

fn shown_explanation(explanation: &Explanation) -> Result<ShownExplanation> {
    Ok(ShownExplanation {
        uri: png_uri(&explanation.picture, LONGEST)?,
        true_class: explanation.true_class.clone(),
        chance: explanation.chance.map(percent),
        panels: explanation.panels.iter().map(shown_panel).collect::<Result<_>>()?,
    })
}

fn shown_panel(panel: &Panel) -> Result<ShownPanel> {
    Ok(ShownPanel {
        method: display_name(&panel.method),
        predicted_class: panel.predicted_class.clone(),
        probability: percent(panel.probability),
        correct: panel.correct,
        uri: panel.overlay.as_ref().map(|picture| png_uri(picture, LONGEST)).transpose()?,
        energy: panel.energy_in_mask.map(percent),
    })
}

/// All heat colours from left to right.
fn colour_scale() -> Result<String> {
    let scale = RgbImage::from_fn(180, 1, |x, _| Rgb(heat_colour(x as f32 / 179.0)));
    png_uri(&scale, 180)
}

/// With a space that does not break, so that the sign stays at its number.
fn percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", 100.0 * share)
}

/// Such as "5 min 12 s".
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let words = [4.25, 312.4, 7325.0, f64::NAN].map(duration);
        assert_eq!(words, ["4.2 s", "5 min 12 s", "2 h 2 min", "NaN s"]);
    }
}
