//! Which kind of heat map is better, by measure, as a table.

use super::statistics::{deviation, mean};
use super::table::{Align, Table};
use super::write::cell;
use crate::explain::measured::{MEASURES, Row};

/// Means with their standard errors, a row for each map; blank where no picture has the measure.
pub fn measures_table(rows: &[Row]) -> Table {
    let heads = MEASURES.map(|(name, _)| (name, Align::Right));
    let mut table = Table::new([("map", Align::Left)].into_iter().chain(heads));
    for row in rows {
        let text = |(measure, values): (usize, &Vec<f64>)| {
            let decimals = if measure < 4 { 1 } else { 3 };
            match (mean(values), standard_error(values)) {
                (Some(mean), Some(error)) => format!("{mean:.decimals$} ± {error:.decimals$}"),
                (Some(mean), None) => format!("{mean:.decimals$}"),
                (None, _) => String::new(),
            }
        };
        let cells = row.values.iter().enumerate().map(text);
        table.push([row.name.clone()].into_iter().chain(cells));
    }
    table
}

/// The first line of [`measures_csv`].
pub const CSV_HEAD: &str = "task,method,seed,domain,layer,map,measure,mean,standard_error,pictures\n";

/// A line for each map and each of its measures; `of` is what stands in the first five columns.
pub fn measures_csv(of: [&str; 5], rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for ((measure, _), values) in MEASURES.iter().zip(&row.values) {
            let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
            let first = of.into_iter().chain([row.name.as_str(), measure]).map(cell);
            let last = [number(mean(values)), number(standard_error(values)), values.len().to_string()];
            text += &first.chain(last).collect::<Vec<_>>().join(",");
            text.push('\n');
        }
    }
    text
}

fn standard_error(values: &[f64]) -> Option<f64> {
    deviation(values).map(|deviation| deviation / (values.len() as f64).sqrt())
}
