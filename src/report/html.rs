//! The report as one HTML file that needs nothing else: no link, no script, no font.

use std::path::Path;

use askama::Template;
use image::{Rgb, RgbImage};

use super::learning::{Run, accuracy_curves, loss_curves, loss_names};
use super::study::{Explanation, MethodRun, Panel, RESULTS_NOTE, SampleStrip, Study, results_table};
use super::table::{Align, Table};
use crate::draw::picture::{png_uri, svg_uri};
use crate::draw::style::{display_name, method_colour};
use crate::draw::{Bar, Bars, Size};
use crate::error::{Result, complain};
use crate::explain::overlay::heat_colour;
use crate::files::write_atomically;

/// The longest side of an embedded picture, in pixels: twice what the page shows, for sharp screens.
const LONGEST: u32 = 320;

/// Makes the page and writes it atomically.
///
/// # Errors
/// If a picture has no pixels, or if the file cannot be written.
pub fn write_page(study: &Study, path: &Path) -> Result<()> {
    write_atomically(path, page(study)?.as_bytes())
}

/// The page as HTML text.
///
/// # Errors
/// If a picture has no pixels.
pub fn page(study: &Study) -> Result<String> {
    let runs: Vec<Run> =
        study.methods.iter().map(|run| (run.name.as_str(), run.records.as_slice())).collect();
    let mut settings = Table::new([("setting", Align::Left), ("value", Align::Left)]);
    for (name, value) in &study.settings {
        settings.push([name, value]);
    }
    let page = Page {
        study,
        results: results_table(&study.methods),
        note: RESULTS_NOTE,
        headline_charts: headline_charts(&study.methods)?,
        learning_charts: learning_charts(&runs)?,
        loss_charts: loss_charts(&runs)?,
        strips: study.domains.iter().map(strip).collect::<Result<_>>()?,
        explanations: study.explanations.iter().map(shown_explanation).collect::<Result<_>>()?,
        scale: colour_scale()?,
        settings,
        duration: duration(study.seconds),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map_err(|error| complain("a page that can be filled in", error.to_string()).into())
}

/// The page: `page.html` filled in. askama escapes every text; only the tables, which escape their own cells, pass as they are.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/askama.toml")]
struct Page<'a> {
    study: &'a Study,
    results: Table,
    note: &'static str,
    headline_charts: Vec<Chart>,
    learning_charts: Vec<Chart>,
    loss_charts: Vec<LossChart>,
    strips: Vec<Strip<'a>>,
    explanations: Vec<ShownExplanation<'a>>,
    scale: String,
    settings: Table,
    duration: String,
    version: &'static str,
}

/// A chart in two widths, of which the page shows the one that fits.
struct Chart {
    wide: String,
    narrow: String,
    title: String,
    caption: &'static str,
}

struct LossChart {
    uri: String,
    title: String,
}

struct Strip<'a> {
    caption: &'a str,
    samples: Vec<Sample<'a>>,
}

struct Sample<'a> {
    uri: String,
    class: &'a str,
}

struct ShownExplanation<'a> {
    uri: String,
    true_class: &'a str,
    chance: Option<String>,
    panels: Vec<ShownPanel<'a>>,
}

struct ShownPanel<'a> {
    method: &'a str,
    predicted_class: &'a str,
    probability: String,
    correct: bool,
    uri: Option<String>,
    energy: Option<String>,
}

fn headline_charts(methods: &[MethodRun]) -> Result<Vec<Chart>> {
    if methods.is_empty() {
        return Ok(Vec::new());
    }
    let bars = |size| Bars {
        title: "Target accuracy of each method".into(),
        value_title: "target accuracy (%)".into(),
        decimals: 1,
        size,
        bars: methods
            .iter()
            .map(|run| Bar {
                label: display_name(&run.name).to_owned(),
                colour: method_colour(&run.name),
                value: run.last,
                error: None,
                diamond: Some(run.best),
            })
            .collect(),
        ..Bars::default()
    };
    Ok(vec![Chart {
        wide: svg_uri(&bars(Size::Wide).to_svg()?),
        narrow: svg_uri(&bars(Size::Narrow).to_svg()?),
        title: "Target accuracy of each method after the last step, and the best".into(),
        caption: "Bar and the number in it: accuracy after the last step. Diamond and the number beside it: best (oracle: chosen by target labels).",
    }])
}

fn learning_charts(runs: &[Run]) -> Result<Vec<Chart>> {
    if runs.iter().all(|(_, records)| records.is_empty()) {
        return Ok(Vec::new());
    }
    Ok(vec![Chart {
        wide: svg_uri(&accuracy_curves(runs, Size::Wide)?),
        narrow: svg_uri(&accuracy_curves(runs, Size::Narrow)?),
        title: "Target accuracy over training steps, one curve per method".into(),
        caption: "Target labels are used for these tests only, never for training.",
    }])
}

/// The losses stand in two columns, or in one on a phone: narrow in any case.
fn loss_charts(runs: &[Run]) -> Result<Vec<LossChart>> {
    loss_names(runs)
        .iter()
        .map(|name| {
            Ok(LossChart {
                uri: svg_uri(&loss_curves(runs, name, Size::Narrow)?),
                title: format!("The loss {name} over training steps, one curve per method"),
            })
        })
        .collect()
}

fn strip(strip: &SampleStrip) -> Result<Strip<'_>> {
    Ok(Strip {
        caption: &strip.caption,
        samples: strip
            .pictures
            .iter()
            .map(|(picture, class)| Ok(Sample { uri: png_uri(picture, LONGEST)?, class }))
            .collect::<Result<_>>()?,
    })
}

fn shown_explanation(explanation: &Explanation) -> Result<ShownExplanation<'_>> {
    Ok(ShownExplanation {
        uri: png_uri(&explanation.picture, LONGEST)?,
        true_class: &explanation.true_class,
        chance: explanation.chance.map(percent),
        panels: explanation.panels.iter().map(shown_panel).collect::<Result<_>>()?,
    })
}

fn shown_panel(panel: &Panel) -> Result<ShownPanel<'_>> {
    let overlay = panel.overlay.as_ref();
    Ok(ShownPanel {
        method: display_name(&panel.method),
        predicted_class: &panel.predicted_class,
        probability: percent(panel.probability),
        correct: panel.correct,
        uri: overlay.map(|picture| png_uri(picture, LONGEST)).transpose()?,
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
#[path = "html_tests.rs"]
mod tests;
