//! What the adversary was shown of the source, and how hard it pulled.

use super::accuracy::methods;
use super::statistics::mean;
use super::table::{Align, Table};
use crate::draw::style::display_name;
use crate::runs::study::Study;

/// What the table's columns mean.
pub const NOTE: &str = "Certain: mean largest probability of a source picture, from its feature and as shown to the adversary; one-hot is 1. \
    Pull: norm of the adversary's gradient at the source features over that at the target features. Means over the runs, \
    in the first and the last line of their losses.";

/// For each method with an adversary, how certain the source is at the beginning and at the end of its runs, from its feature
/// and as shown, and the ratio of the pulls at the end; none if no run has noted them.
pub fn adversary_table(study: &Study) -> Option<Table> {
    let mut table = Table::new([
        ("method", Align::Left),
        ("certain from f", Align::Right),
        ("certain as shown", Align::Right),
        ("entropy as shown", Align::Right),
        ("pull, source / target", Align::Right),
    ]);
    let mut noted = false;
    for method in methods(study) {
        let runs: Vec<_> = study.runs.iter().filter(|run| run.method == method).collect();
        // Of every run that has it, the first and the last value.
        let ends = |name: &str| -> Vec<(f64, f64)> {
            let points = runs.iter().map(|run| run.points(|record| record.loss(name)));
            points.filter_map(|points| Some((points.first()?.1, points.last()?.1))).collect()
        };
        let from_to = |name: &str, decimals: usize| {
            let (first, last): (Vec<f64>, Vec<f64>) = ends(name).into_iter().unzip();
            let ends = mean(&first).zip(mean(&last));
            // The entropy's epsilon takes it a little below zero, which no reader wants to see.
            ends.map(|(first, last)| format!("{:.decimals$} → {:.decimals$}", first.max(0.0), last.max(0.0)))
        };
        let Some(from_feature) = from_to("feature_certainty", 3) else { continue };
        noted = true;
        let pulls = ends("source_pull").into_iter().zip(ends("target_pull"));
        let ratios: Vec<f64> = pulls.map(|((_, source), (_, target))| source / target).collect();
        table.push([
            display_name(method),
            from_feature,
            from_to("shown_certainty", 4).unwrap_or_default(),
            from_to("shown_entropy", 3).unwrap_or_default(),
            mean(&ratios).map_or(String::new(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    noted.then_some(table)
}
