//! The main job: six methods on one task of Mini Office-Home, compared in a table and a report page.

use std::time::Instant;

use image::RgbImage;

use crate::config::{Baseline, RunConfig};
use crate::data::dataset::Domain;
use crate::error::Result;
use crate::explain::attention::{chance_level, energy_in_mask};
use crate::explain::look::Look;
use crate::report::study::{Explanation, MethodRun, Panel, SampleStrip, Study};
use crate::train::observer::Observer;
use crate::train::record::Record;
use crate::train::session::{Session, transform};

/// The methods, in the order of the table: baseline and ToAlign.
pub const METHODS: [(Baseline, bool); 6] = [
    (Baseline::SourceOnly, false),
    (Baseline::TargetBnOnly, false),
    (Baseline::Dannp, false),
    (Baseline::Dannp, true),
    (Baseline::Hda, false),
    (Baseline::Hda, true),
];

/// The methods whose heat maps are compared.
const EXPLAINED: [&str; 3] = ["source-only", "dannp+toalign", "hda+toalign"];
/// Sample pictures of each domain.
const SAMPLES: usize = 12;
/// Target pictures with heat maps.
const EXPLANATIONS: usize = 6;
/// Heat maps are drawn this many times as large as the small pictures.
const SCALE: u32 = 4;

/// The settings of the six runs.
pub fn configs(base: &RunConfig) -> Vec<RunConfig> {
    METHODS
        .iter()
        .map(|&(method, toalign)| RunConfig {
            method,
            toalign,
            ..base.clone()
        })
        .collect()
}

/// Trains the six methods one after the other and gathers what the report shows.
///
/// # Errors
/// If a setting cannot be meant, or a run fails; a `Break` of the observer ends that run and skips the others.
pub fn run(base: &RunConfig, observer: &mut dyn Observer) -> Result<Study> {
    let start = Instant::now();
    let mut study = Study::default();
    let mut explained = Vec::new();
    for config in configs(base) {
        let session = Session::new(config)?;
        let name = session.config.method_name();
        let mut records = Recorder::default();
        let summary = session
            .trainer()?
            .run(&mut [&mut records, &mut *observer])?;
        study.methods.push(MethodRun {
            name: name.clone(),
            records: records.0,
            last: summary.last_accuracy.unwrap_or(f64::NAN),
            best: summary.best.map_or(f64::NAN, |best| best.accuracy),
            seconds_per_step: summary.seconds_per_step,
        });
        if study.domains.is_empty() {
            describe(&mut study, &session)?;
        }
        if EXPLAINED.contains(&name.as_str()) {
            explained.push(session);
        }
        if !summary.finished {
            break;
        }
    }
    study.explanations = explanations(&explained)?;
    study.seconds = start.elapsed().as_secs_f64();
    Ok(study)
}

/// Keeps a run's records.
#[derive(Default)]
struct Recorder(Vec<Record>);

impl Observer for Recorder {
    fn on_record(&mut self, record: &Record) -> Result<()> {
        self.0.push(record.clone());
        Ok(())
    }
}

/// Fills in what is the same for all methods.
fn describe(study: &mut Study, session: &Session) -> Result<()> {
    let Session { config, task, .. } = session;
    study.title = "Adapting from one style to another".into();
    study.task = format!("{} → {}", task.source.name, task.target.name);
    study.settings = toml::Table::try_from(config)
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| key != "method" && key != "toalign")
        .map(|(key, value)| (key, value.to_string()))
        .collect();
    for (domain, part) in [(&task.source, "source"), (&task.target, "target")] {
        let pictures = spread(domain, SAMPLES).map(|index| {
            let label = domain.pictures.label(index) as usize;
            Ok((domain.pictures.decode(index)?, task.classes[label].clone()))
        });
        study.domains.push(SampleStrip {
            caption: format!("{} ({part})", domain.name),
            pictures: pictures.collect::<Result<Vec<(RgbImage, String)>>>()?,
        });
    }
    Ok(())
}

/// The same target pictures through the eyes of each session's model.
fn explanations(sessions: &[Session]) -> Result<Vec<Explanation>> {
    let Some(first) = sessions.first() else {
        return Ok(Vec::new());
    };
    let (target, classes) = (&first.task.target, &first.task.classes);
    let transform = transform(&first.config);
    let mut explanations = Vec::new();
    for index in spread(target, EXPLANATIONS) {
        let picture = target.pictures.decode(index)?;
        let mask = target.pictures.mask(index)?;
        let label = target.pictures.label(index);
        let mut panels = Vec::new();
        for session in sessions {
            let look = Look::at(&picture, &session.model, &transform)?;
            let energy = match &mask {
                Some(mask) => energy_in_mask(&look.map, look.map_height, look.map_width, mask)?,
                None => None,
            };
            panels.push(Panel {
                method: session.config.method_name(),
                predicted_class: classes[look.class as usize].clone(),
                probability: f64::from(look.probability),
                correct: look.class == label,
                overlay: look.overlay(SCALE)?,
                energy_in_mask: energy,
            });
        }
        explanations.push(Explanation {
            picture,
            true_class: classes[label as usize].clone(),
            chance: mask.as_ref().map(chance_level).transpose()?,
            panels,
        });
    }
    Ok(explanations)
}

/// `count` pictures of a domain, spread evenly over it and so over its classes.
fn spread(domain: &Domain, count: usize) -> impl Iterator<Item = usize> {
    let pictures = domain.pictures.len();
    let count = count.min(pictures);
    (0..count).map(move |place| (2 * place + 1) * pictures / (2 * count))
}
