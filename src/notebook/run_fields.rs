//! Many runs at a glance: one field for each, filled as far as the run is, with its accuracy in it.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::draw::bars::readable_on;
use crate::draw::canvas::{MARGIN, Sheet, drawing_error, font, rgb, svg_of, width_of, write, write_title};
use crate::draw::style::{Colour, display_name, method_colour};
use crate::draw::{Figure, raster};
use crate::error::Result;

/// Width of the page.
const WIDTH: i32 = 856;
/// Where the fields begin.
const TOP: i32 = 112;
/// Height of a row of fields, gap included.
const ROW: i32 = 30;
/// The widest that a field is drawn, and the gap between two.
const FIELD: (i32, i32) = (56, 3);
const WAITING: Colour = [0xE4; 3];
const FAILED: Colour = [0xC4, 0x3C, 0x39];

/// All runs of a sweep, tasks below each other and methods beside each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunFields {
    pub fields: Vec<Field>,
    /// What stands above: how far all of it is.
    pub words: String,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub task: String,
    pub method: String,
    pub seed: u64,
    pub steps: usize,
    pub done: usize,
    /// On the target, in percent.
    pub accuracy: Option<f64>,
    pub has_failed: bool,
}

impl RunFields {
    /// Steps done, and all steps.
    pub fn steps(&self) -> (usize, usize) {
        let sum = |of: fn(&Field) -> usize| self.fields.iter().map(of).sum();
        (sum(|field| field.done), sum(|field| field.steps))
    }

    fn draw_head(&self, sheet: &Sheet, seeds: &[u64]) -> Result<()> {
        write_title(sheet, self.title())?;
        write(sheet, &self.words, (WIDTH - MARGIN, 22), HPos::Right, font(14.0))?;
        let (done, steps) = self.steps();
        let end = MARGIN + (f64::from(WIDTH - 2 * MARGIN) * done as f64 / steps.max(1) as f64) as i32;
        for (end, colour) in [(WIDTH - MARGIN, WAITING), (end, [0x66; 3])] {
            fill(sheet, [(MARGIN, 40), (end, 50)], colour)?;
        }
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let key = match &seeds[..] {
            [one] => format!("Target accuracy (%) so far, seed {one}"),
            _ => format!("Target accuracy (%) so far; fields from left to right: seeds {}", seeds.join(", ")),
        };
        write(sheet, &key, (MARGIN, 68), HPos::Left, font(13.0))
    }
}

impl Figure for RunFields {
    fn title(&self) -> &str {
        "Sweep"
    }

    fn draw(&self) -> Result<RgbImage> {
        let tasks = different(self.fields.iter().map(|field| &field.task));
        let methods = different(self.fields.iter().map(|field| &field.method));
        let seeds = different(self.fields.iter().map(|field| field.seed));
        let place = |in_list: Option<usize>| in_list.unwrap_or(0) as i32;
        let left = MARGIN + tasks.iter().map(|task| width_of(task, 14.0)).max().unwrap_or(0) + 8;
        let column = (WIDTH - left - MARGIN) / methods.len().max(1) as i32;
        let width = ((column - 8) / seeds.len().max(1) as i32 - FIELD.1).clamp(4, FIELD.0);
        let height = TOP + ROW * tasks.len() as i32 + 8;
        let svg = svg_of((WIDTH as u32, height as u32), |sheet| {
            self.draw_head(sheet, &seeds)?;
            for (number, method) in methods.iter().enumerate() {
                let x = left + column * number as i32;
                write(sheet, &display_name(method), (x, TOP - 16), HPos::Left, font(14.0))?;
            }
            for (row, task) in tasks.iter().enumerate() {
                let y = TOP + ROW * row as i32 + (ROW - FIELD.1) / 2;
                write(sheet, task, (left - 10, y), HPos::Right, font(14.0))?;
            }
            for field in &self.fields {
                let x = left
                    + column * place(methods.iter().position(|method| **method == field.method))
                    + (width + FIELD.1) * place(seeds.iter().position(|seed| *seed == field.seed));
                let y = TOP + ROW * place(tasks.iter().position(|task| **task == field.task));
                field.draw(sheet, (x, y), width)?;
            }
            Ok(())
        })?;
        raster::pixels(&svg)
    }
}

impl Field {
    fn draw(&self, sheet: &Sheet, (x, y): (i32, i32), width: i32) -> Result<()> {
        let bottom = y + ROW - FIELD.1;
        let share = self.done as f64 / self.steps.max(1) as f64;
        let done = x + (f64::from(width) * share).round() as i32;
        let colour = if self.has_failed { FAILED } else { method_colour(&self.method) };
        fill(sheet, [(x, y), (x + width, bottom)], if self.has_failed { FAILED } else { WAITING })?;
        if self.done > 0 {
            fill(sheet, [(x, y), (done, bottom)], colour)?;
        }
        let words = match self.accuracy {
            _ if self.has_failed => "failed".to_owned(),
            Some(accuracy) => format!("{accuracy:.1}"),
            None => return Ok(()),
        };
        if width_of(&words, 12.0) > width {
            return Ok(());
        }
        let ink = readable_on(if share > 0.5 || self.has_failed { colour } else { WAITING });
        let style = font(12.0).color(&ink);
        write(sheet, &words, (x + width / 2, (y + bottom) / 2), HPos::Center, style)
    }
}

fn fill(sheet: &Sheet, corners: [(i32, i32); 2], colour: Colour) -> Result<()> {
    sheet.draw(&Rectangle::new(corners, rgb(colour).filled())).map_err(drawing_error)
}

/// Each once, in the order of their first.
fn different<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_fills_with_its_run() {
        let fields = [("source-only", 1, 0), ("dannp", 1, 3), ("source-only", 2, 1), ("dannp", 2, 0)];
        let fields = fields.map(|(method, seed, done)| Field {
            task: "Cl-Rw".into(),
            method: method.into(),
            seed,
            steps: 3,
            done,
            accuracy: None,
            has_failed: false,
        });
        let runs = RunFields { fields: fields.into(), words: String::new() };
        assert_eq!(runs.steps(), (4, 12));
        let drawn = runs.draw().unwrap();
        let left = MARGIN + width_of("Cl-Rw", 14.0) + 8;
        let column = (WIDTH - left - MARGIN) / 2;
        let at = |method: i32, seed: i32, across: i32| {
            let x = left + column * method + (FIELD.0 + FIELD.1) * seed + across;
            drawn.get_pixel(2 * x as u32, 2 * (TOP + 4) as u32).0
        };
        assert_eq!(at(1, 0, FIELD.0 - 3), method_colour("dannp"));
        assert_eq!((at(0, 1, 10), at(0, 1, 30)), (method_colour("source-only"), WAITING));
        assert_eq!(at(1, 1, 3), WAITING);
    }
}
