//! The main job: six methods on one task of Mini Office-Home, compared in a table and a report page.

use std::time::Instant;

use image::RgbImage;

use crate::config::{Checked, RunConfig, transform};
use crate::data::dataset::Domain;
use crate::draw::style::display_name;
use crate::error::Result;
use crate::explain::attention::{chance_level, energy_in_mask};
use crate::explain::look::Look;
use crate::report::one_task::{Explanation, OneTask, Panel, SampleStrip, standing};
use crate::runs::session::Session;
use crate::runs::study::{Study, StudyRun};
use crate::train::observer::{Observer, Recorder};

/// The methods, in the order of the table; those of a sweep too, unless it names others.
pub const METHODS: [&str; 6] =
    ["source-only", "target-bn-only", "dannp", "dannp+toalign", "hda", "hda+toalign"];

/// The methods whose heat maps are compared.
const EXPLAINED: [&str; 3] = ["source-only", "dannp+toalign", "hda+toalign"];
/// Sample pictures of each domain.
const SAMPLES: usize = 12;
/// Target pictures with heat maps.
const EXPLANATIONS: usize = 6;
/// Heat maps are drawn this many times as large as the small pictures.
const SCALE: u32 = 4;

/// The settings of the six runs.
///
/// # Errors
/// If a method is not in the table of methods.
pub fn configs(base: &RunConfig) -> Result<Vec<RunConfig>> {
    METHODS.iter().map(|name| base.with_method_name(name)).collect()
}

/// Trains the six methods one after the other and gathers what the report shows.
///
/// # Errors
/// If a setting cannot be meant, or a run fails; a `Break` of the observer ends that run and skips the others.
pub fn run(base: &Checked, observer: &mut dyn Observer) -> Result<OneTask> {
    let start = Instant::now();
    let mut found = OneTask::default();
    let mut explained = Vec::new();
    for config in configs(base)? {
        let session = Session::new(config.check()?)?;
        let name = session.config.method_name();
        let mut records = Recorder::default();
        let summary = session.trainer()?.run(&mut [&mut records, &mut *observer])?;
        found.study.runs.push(StudyRun {
            task: session.task.name.clone(),
            method: name.clone(),
            seed: session.config.seed,
            records: records.0,
        });
        if found.domains.is_empty() {
            describe(&mut found, &session)?;
        }
        if EXPLAINED.contains(&name.as_str()) {
            explained.push(session);
        }
        if !summary.finished {
            break;
        }
    }
    found.summary = findings(&found.study);
    found.explanations = explanations(&explained)?;
    found.seconds = start.elapsed().as_secs_f64();
    Ok(found)
}

/// Fills in what is the same for all methods.
fn describe(found: &mut OneTask, session: &Session) -> Result<()> {
    let Session { config, task, .. } = session;
    found.title = "Adapting from one style to another".into();
    found.task = format!("{} → {}", task.source.name, task.target.name);
    found.settings = toml::Table::try_from(&**config)
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| !["method", "toalign", "control"].contains(&key.as_str()))
        .map(|(key, value)| (key, value.to_string()))
        .collect();
    for (domain, part) in [(&task.source, "source"), (&task.target, "target")] {
        let pictures = spread(domain, SAMPLES).map(|index| {
            let label = domain.pictures.label(index) as usize;
            Ok((domain.pictures.decode(index)?, task.classes[label].clone()))
        });
        found.domains.push(SampleStrip {
            caption: format!("{} ({part})", domain.name),
            pictures: pictures.collect::<Result<Vec<(RgbImage, String)>>>()?,
        });
    }
    Ok(())
}

/// What the accuracies after the last step say, in sentences.
fn findings(study: &Study) -> Vec<String> {
    let last = |name: &str| {
        let run = study.runs.iter().find(|run| run.method == name);
        run.map(|run| standing(run).last_target_accuracy)
    };
    let mut found = Vec::new();
    if let (Some(baseline), Some(control)) = (last("source-only"), last("target-bn-only")) {
        found.push(format!(
            "Without adaptation {baseline:.1} % of the target pictures are classified right. Showing the target to batch \
             norm alone, without any alignment, makes that {control:.1} %."
        ));
    }
    for name in ["dannp", "hda"] {
        let with_toalign = last(&format!("{name}+toalign"));
        let (Some(baseline), Some(plain), Some(toalign)) = (last("source-only"), last(name), with_toalign)
        else {
            continue;
        };
        found.push(format!(
            "{} reaches {plain:.1} % ({:+.1} points over source only); ToAlign on top of it changes that by {:+.1} points.",
            display_name(name),
            plain - baseline,
            toalign - plain
        ));
    }
    found.push(
        "This is one seed on a small teaching set. A single run varies by several points from seed to seed; a \
         difference smaller than that is no finding."
            .into(),
    );
    found
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
        let mask = target.pictures.mask(index)?.map(|mask| transform.test_mask(&mask));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::record::{Finish, Record};

    #[test]
    fn the_findings_state_differences_of_last_accuracies() {
        let accuracies =
            [("source-only", 57.5), ("target-bn-only", 56.25), ("dannp", 71.5), ("dannp+toalign", 71.25)];
        let run = |(method, last): (&str, f64)| {
            let finish = Finish {
                step: 9,
                last_target_accuracy: last,
                best_target_accuracy: last,
                best_step: 9,
                seconds_per_step: 0.1,
            };
            let records = vec![Record::Finish(finish)];
            StudyRun { task: "Cl-Rw".into(), method: method.into(), seed: 1, records }
        };
        let runs = accuracies.map(run).to_vec();
        let found = findings(&Study { runs });
        assert_eq!(found.len(), 3);
        assert!(found[0].contains("57.5 %") && found[0].contains("56.2 %"), "{}", found[0]);
        assert!(found[1].starts_with("DANNP reaches 71.5 % (+14.0 points over source only)"));
        assert!(found[1].ends_with("changes that by -0.2 points."), "{}", found[1]);
    }

    #[test]
    fn the_six_runs_differ_in_the_method_alone() {
        let base = RunConfig::mini();
        let configs = configs(&base).unwrap();
        let names: Vec<String> = configs.iter().map(RunConfig::method_name).collect();
        assert_eq!(names, METHODS);
        for config in configs {
            for (key, _, _) in base.differences(&config.check().unwrap()).unwrap() {
                assert!(["method", "toalign"].contains(&key.as_str()), "{key}");
            }
        }
    }
}
