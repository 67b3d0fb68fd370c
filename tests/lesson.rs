//! A run in the variable of a notebook.

use std::sync::atomic::{AtomicBool, Ordering};

use toalign::Result;
use toalign::config::RunConfig;
use toalign::error::complain;
use toalign::method::Method;
use toalign::method::{Losses, StepInput};
use toalign::model::Model;
use toalign::notebook::lesson::*;
use toalign::setup::make_method;

fn training() -> Training {
    Training::new(RunConfig {
        steps: 9,
        test_every: 5,
        log_every: 2,
        batch_size: 4,
        method: "hda".parse().unwrap(),
        toalign: true,
        discriminator_hidden: 16,
        ..RunConfig::mini()
    })
    .unwrap()
}

fn bits(training: &Training) -> Vec<u32> {
    let parameters = training.model().parameters();
    let values = parameters.iter().flat_map(|parameter| {
        parameter.value.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits)
    });
    values.collect()
}

#[test]
fn three_cells_train_as_one() {
    let (mut one, mut three) = (training(), training());
    assert!(one.run().unwrap().finished);
    assert_eq!(three.steps(2).unwrap().step, 2);
    assert_eq!(three.steps(4).unwrap().step, 6);
    assert!(three.run().unwrap().finished);
    assert!(bits(&one) == bits(&three), "the weights differ");
    assert_eq!(one.losses("alignment"), three.losses("alignment"));
    assert_eq!(one.accuracies("target"), three.accuracies("target"));
    assert!(three.run().unwrap().finished, "a finished run has nothing left to do");
}

/// Trains as configured, but fails once at its fourth step.
struct FailsOnce {
    inner: Box<dyn Method>,
    failed: AtomicBool,
}

impl Method for FailsOnce {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        if input.step == 3 && !self.failed.swap(true, Ordering::Relaxed) {
            return Err(complain("a third step", "a failure").into());
        }
        self.inner.losses(model, input)
    }
}

#[test]
fn a_cell_that_failed_can_be_run_again() {
    let (mut straight, failing) = (training(), training());
    let inner = make_method(failing.config());
    let mut failing = failing.with_method(Box::new(FailsOnce { inner, failed: AtomicBool::new(false) }));
    assert!(straight.run().unwrap().finished);
    assert!(failing.run().is_err());
    assert!(failing.run().unwrap().finished);
    assert!(bits(&straight) == bits(&failing), "the weights differ");
    assert_eq!(straight.losses("total"), failing.losses("total"));
}

#[test]
fn features_and_pictures_are_those_of_the_domain() {
    let training = training();
    let source = &training.task().source;
    assert_eq!(training.features(source, 7).unwrap().dims(), [7, 128]);
    let pictures = one_of_each_class(source, 12, 1).unwrap();
    let labels: Vec<u32> = pictures.iter().map(|(index, _)| source.pictures.label(*index)).collect();
    assert_eq!(labels, (0..12).collect::<Vec<u32>>());
}
