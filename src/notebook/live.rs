//! A run, drawn while it trains: a bar, the losses and the accuracies, again and again in one place of the notebook.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::in_place::InPlace;
use super::{Show, stop_is_wanted};
use crate::draw::canvas::{MARGIN, drawing_error, font, rgb, svg_of, write, write_title};
use crate::draw::style::{Colour, Marker, colour_of, method_colour};
use crate::draw::{Chart, Curve};
use crate::draw::{Column, Figure, Row, raster};
use crate::error::Result;
use crate::method::measures::is_measure;
use crate::train::label_free::LabelFree;
use crate::train::observer::{Observer, StepReport, TestReport};
use crate::train::pace::Pace;
use crate::train::progress::Window;
use crate::train::record::Record;

/// Width of the page: two narrow charts and the gap between them.
const WIDTH: u32 = 856;

/// Watches a run for a notebook, and ends it softly when the user presses Stop.
pub struct Live {
    title: String,
    colour: Colour,
    place: InPlace,
    pace: Option<Pace>,
    step: usize,
    steps: usize,
    losses: BTreeMap<String, Vec<(f64, f64)>>,
    /// Losses since the last point.
    open: Window,
    accuracies: [Vec<(f64, f64)>; 2],
    /// Of the last test, where the target has no labels.
    label_free: Option<LabelFree>,
}

impl Live {
    /// For one run, or several one after the other, with words above it such as `HDA+ToAlign, Clipart → Real World`.
    pub fn new(title: &str, method: &str) -> Self {
        Self {
            title: title.into(),
            colour: method_colour(method),
            place: InPlace::new(),
            pace: None,
            step: 0,
            steps: 1,
            losses: BTreeMap::new(),
            open: Window::default(),
            accuracies: Default::default(),
            label_free: None,
        }
    }

    /// Takes over what an earlier part of the same run recorded.
    pub fn recall(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Train { step, losses, .. } => self.take_losses(*step, losses),
                Record::Test { step, source_accuracy, target_accuracy, label_free, .. } => {
                    self.label_free = *label_free;
                    self.take_accuracies(*step, [*source_accuracy, *target_accuracy]);
                }
                Record::Start { steps, .. } => self.steps = *steps,
                Record::Confusion { .. } | Record::Finish(_) => self.step = record.step(),
            }
        }
    }

    fn take_losses(&mut self, step: usize, losses: &BTreeMap<String, f64>) {
        for (name, loss) in losses {
            self.losses.entry(name.clone()).or_default().push((step as f64, *loss));
        }
    }

    fn take_accuracies(&mut self, step: usize, accuracies: [f64; 2]) {
        // A target without labels has no accuracy, and no curve.
        for (curve, accuracy) in
            self.accuracies.iter_mut().zip(accuracies).filter(|(_, accuracy)| !accuracy.is_nan())
        {
            curve.push((step as f64, accuracy));
        }
    }

    /// Draws the end of the run, in full quality.
    pub fn finish(&mut self) -> Result<()> {
        self.draw_now(true)
    }

    fn draw_now(&mut self, last: bool) -> Result<()> {
        // The place is lent out: the drawing reads the rest.
        let mut place = std::mem::replace(&mut self.place, InPlace::new());
        let drawn = place.draw(|| self.bundle(), || format!("{}: {}", self.title, self.progress()), last);
        self.place = place;
        drawn
    }

    /// Such as "120 of 500 steps, 9 s left; target accuracy 61.3 %".
    fn progress(&self) -> String {
        let mut words = format!("{} of {} steps", self.step, self.steps);
        if let Some(left) = self.pace.and_then(|pace| pace.left(self.step, self.steps)) {
            words += &format!(", {left}");
        }
        if let Some((_, accuracy)) = self.accuracies[1].last() {
            words += &format!("; target accuracy {accuracy:.1} %");
        } else if let Some(LabelFree { entropy, density }) = self.label_free {
            words += &format!("; target without labels: entropy {entropy:.2}, SND {density:.2} nats");
        }
        words
    }

    fn bar(&self) -> Result<RgbImage> {
        let svg = svg_of((WIDTH, 76), |sheet| {
            write_title(sheet, &self.title)?;
            write(sheet, &self.progress(), (WIDTH as i32 - MARGIN, 22), HPos::Right, font(14.0))?;
            let right = WIDTH as i32 - MARGIN;
            let done =
                MARGIN + ((right - MARGIN) as f64 * self.step as f64 / self.steps.max(1) as f64) as i32;
            for (end, colour) in [(right, [0xE4; 3]), (done, self.colour)] {
                let bar = Rectangle::new([(MARGIN, 44), (end, 56)], rgb(colour).filled());
                sheet.draw(&bar).map_err(drawing_error)?;
            }
            Ok(())
        })?;
        raster::pixels(&svg)
    }

    fn chart(&self, title: &str, y_title: &str, curves: Vec<Curve>) -> Chart {
        Chart {
            x_range: Some((0.0, self.steps as f64)),
            curves,
            ..Chart::new(title, "training steps", y_title).narrow()
        }
    }
}

impl Figure for Live {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        let marker = Marker::Circle;
        let (measures, losses): (Vec<&String>, Vec<&String>) =
            self.losses.keys().partition(|name| is_measure(name));
        let curve = |(place, name): (usize, &String)| Curve {
            label: name.replace('_', " "),
            colour: colour_of(name, place),
            marker,
            points: self.losses[name].clone(),
        };
        let parts = losses.iter().copied().filter(|name| losses.len() == 1 || *name != "total");
        let parts: Vec<Curve> = parts.enumerate().map(curve).collect();
        let of_measures = |ending: &str| -> Vec<Curve> {
            measures.iter().copied().filter(|name| name.ends_with(ending)).enumerate().map(curve).collect()
        };
        let accuracies = ["source", "target"].into_iter().zip(&self.accuracies);
        let accuracies = accuracies.enumerate().map(|(place, (name, points))| Curve {
            label: name.into(),
            colour: colour_of(name, place),
            marker,
            points: points.clone(),
        });
        let losses = Chart { from_zero: true, ..self.chart("Losses", "loss (mean)", parts) };
        let accuracies = self.chart("Accuracy", "accuracy (%)", accuracies.collect());
        let charts = Row::new("").and(&losses)?.and(&accuracies)?;
        let figure = Column::close(&self.title).with(self.bar()?).and(&charts)?;
        if measures.is_empty() {
            return figure.draw();
        }
        let certainty =
            self.chart("How certain the source is", "largest probability (mean)", of_measures("certainty"));
        let pull = Chart {
            from_zero: true,
            ..self.chart("How hard the adversary pulls", "norm of its gradient", of_measures("pull"))
        };
        figure.and(&Row::new("").and(&certainty)?.and(&pull)?)?.draw()
    }
}

impl Observer for Live {
    fn on_step(&mut self, report: &StepReport) -> Result<ControlFlow<()>> {
        (self.step, self.steps) = (report.step, report.steps);
        self.pace.get_or_insert_with(|| Pace::begin(report.step - 1));
        self.open.add(&report.losses);
        // About a hundred points over a run, whatever its length.
        if self.open.steps >= (report.steps / 100).max(1) {
            let means = self.open.close();
            self.take_losses(report.step, &means);
        }
        if self.place.is_due() {
            self.draw_now(false)?;
        }
        Ok(if stop_is_wanted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn on_test(&mut self, report: &TestReport) -> Result<ControlFlow<()>> {
        self.take_accuracies(report.step, [report.source.accuracy, report.target.accuracy]);
        self.label_free = Some(report.label_free);
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: usize, loss: f64) -> StepReport {
        StepReport {
            step,
            steps: 200,
            losses: BTreeMap::from([("total".to_owned(), loss), ("alignment".to_owned(), loss / 2.0)]),
            learning_rate: 0.1,
            coefficient: 0.5,
            seconds: 0.01,
        }
    }

    #[test]
    fn losses_are_means_over_a_hundredth_of_the_run() {
        let mut live = Live::new("a run", "hda");
        for step in 1..=4 {
            assert!(live.on_step(&report(step, step as f64)).unwrap().is_continue());
        }
        assert_eq!(live.losses["total"], [(2.0, 1.5), (4.0, 3.5)]);
        assert_eq!(live.losses["alignment"], [(2.0, 0.75), (4.0, 1.75)]);
        assert!(live.progress().starts_with("4 of 200 steps, "), "{}", live.progress());
    }

    #[test]
    fn the_bar_is_as_long_as_what_is_done() {
        let mut live = Live::new("a run", "hda");
        assert!(live.on_step(&report(100, 1.0)).unwrap().is_continue());
        let drawn = live.draw().unwrap();
        let at = |x: u32| drawn.get_pixel(2 * x, 2 * 50).0;
        assert_eq!(at(WIDTH / 2 - 4), method_colour("hda"));
        assert_eq!(at(WIDTH / 2 + 4), [0xE4; 3]);
    }
}
