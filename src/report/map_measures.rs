//! Which kind of heat map is better, by measure, as a table.

use super::statistics::{deviation, mean};
use super::table::{Align, Table};
use crate::explain::measured::{MEASURES, Row};

/// Means with their standard errors, a row for each map; blank where no picture has the measure.
pub fn measures_table(rows: &[Row]) -> Table {
    let heads = MEASURES.map(|(name, _)| (name, Align::Right));
    let mut table = Table::new([("map", Align::Left)].into_iter().chain(heads));
    for row in rows {
        let cell = |(measure, values): (usize, &Vec<f64>)| {
            let decimals = if measure < 4 { 1 } else { 3 };
            match (mean(values), deviation(values)) {
                (Some(mean), Some(deviation)) => {
                    let error = deviation / (values.len() as f64).sqrt();
                    format!("{mean:.decimals$} ± {error:.decimals$}")
                }
                (Some(mean), None) => format!("{mean:.decimals$}"),
                (None, _) => String::new(),
            }
        };
        let cells = row.values.iter().enumerate().map(cell);
        table.push([row.name.clone()].into_iter().chain(cells));
    }
    table
}
