//! The controls that take ToAlign's place: what each shows the adversary, what reaches the source feature, and what is written
//! down of it.

#[path = "common/close.rs"]
mod close;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use close::{assert_close, numbers};
use rand::Rng;
use toalign::config::{Control, RunConfig};
use toalign::method::alignment::Alignment;
use toalign::method::losses::softmax;
use toalign::method::measures::{self, Measures};
use toalign::method::shown::{Shown, Variant};
use toalign::method::table::{ALL, find};
use toalign::method::{Losses, StepInput};
use toalign::model::resnet::BackboneKind;
use toalign::model::{Model, ModelSpec};
use toalign::random::generator;

fn random(name: &str, dims: &[usize]) -> Tensor {
    let mut generator = generator(11, name, 0, 0);
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn model(method: &str) -> Model {
    let (entry, _) = find(method).unwrap();
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: 3,
        head: entry.head,
        discriminator: entry.discriminator,
        sources: 1,
        hidden: 8,
        dropout: 0.0,
        dtype: DType::F64,
    };
    Model::new(&spec, 3).unwrap()
}

fn alignment(shown: Shown) -> Alignment {
    Alignment { shown, entropy_conditioning: true, weight: 1.0, statistics_updates: 2 }
}

struct Batches {
    source: Tensor,
    labels: Tensor,
    target: Tensor,
}

impl Batches {
    fn new() -> Self {
        let labels = Tensor::new(&[0u32, 2, 1, 1], &Device::Cpu).unwrap();
        Self { source: random("source", &[4, 16, 16, 3]), labels, target: random("target", &[4, 16, 16, 3]) }
    }

    fn input(&self) -> StepInput<'_> {
        StepInput {
            source_images: &self.source,
            source_labels: &self.labels,
            target_images: Some(&self.target),
            reversal_coefficient: 0.5,
            seed: 1,
            step: 0,
        }
    }
}

fn losses(method: &str, model: &Model, batches: &Batches) -> (Losses, BTreeMap<&'static str, f64>) {
    let (entry, variant) = find(method).unwrap();
    let losses = (entry.make)(alignment(variant.shown)).losses(model, &batches.input()).unwrap();
    losses.total.backward().unwrap();
    let measured = losses.measures.read().unwrap().into_iter().collect();
    (losses, measured)
}

#[test]
fn each_control_shows_the_adversary_what_it_says() {
    let (batches, model) = (Batches::new(), model("dannp"));
    let feature = random("feature", &[4, 128]).abs().unwrap();
    let shown = |shown| alignment(shown).probabilities(&feature, &model, &batches.input()).unwrap();
    let aligned = |shown| alignment(shown).aligned(&feature, &model, &batches.input()).unwrap();
    assert_eq!(numbers(&shown(Shown::Labels)), [1., 0., 0., 0., 0., 1., 0., 1., 0., 0., 1., 0.]);

    let task_relevant = aligned(Shown::TaskRelevant);
    let logits = model.head.forward(&task_relevant).unwrap().logits;
    assert_eq!(numbers(&shown(Shown::TaskRelevant)), numbers(&softmax(&logits).unwrap()));
    assert_eq!(numbers(&shown(Shown::Detached)), numbers(&shown(Shown::TaskRelevant)));
    let cooler = numbers(&shown(Shown::Temperature(4.0)));
    assert_eq!(cooler, numbers(&softmax(&(logits / 4.0).unwrap()).unwrap()));

    // With s = 1 there is w⊙f, with ToAlign's s the energy of f.
    let row = numbers(&model.head.rows().unwrap().get(2).unwrap());
    let second = numbers(&feature.get(1).unwrap());
    let unit = numbers(&aligned(Shown::Unit).get(1).unwrap());
    let product: Vec<f64> = row.iter().zip(&second).map(|(w, f)| w * f).collect();
    assert_eq!(unit, product);
    let energy = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    let energies = [&numbers(&task_relevant.get(1).unwrap()), &second].map(|x| energy(x));
    assert!((energies[0] / energies[1] - 1.0).abs() < 1e-12, "{energies:?}");
    assert!(energy(&unit) < 0.5 * energies[1]);
}

#[test]
fn labels_and_the_detached_feature_leave_the_source_feature_alone() {
    let batches = Batches::new();
    for key in ["dannp", "hda"] {
        let model = model(key);
        let of = |suffix: &str| losses(&format!("{key}{suffix}"), &model, &batches);
        for suffix in ["", "+toalign", "+unit", "+temperature5"] {
            let (_, measured) = of(suffix);
            assert!(measured["source_pull"] > 1e-9, "{key}{suffix}: {measured:?}");
            assert!(measured["target_pull"] > 1e-9, "{key}{suffix}: {measured:?}");
        }
        for suffix in ["+labels", "+detached"] {
            let (_, measured) = of(suffix);
            assert_eq!(measured["source_pull"], 0.0, "{key}{suffix}: {measured:?}");
            assert!(measured["target_pull"] > 1e-9, "{key}{suffix}: {measured:?}");
        }
        // The detached feature changes no loss, only a gradient.
        let [(toalign, _), (detached, _)] = ["+toalign", "+detached"].map(of);
        assert_eq!(numbers(&toalign.total), numbers(&detached.total));
        let (_, labels) = of("+labels");
        assert_eq!(labels["shown_certainty"], 1.0);
        // p·ln(p + 1e-5) of one-hot rows is ln(1.00001).
        assert!((labels["shown_entropy"] + 1.00001f64.ln()).abs() < 1e-12, "{labels:?}");
        let (_, plain) = of("");
        assert!((plain["shown_certainty"] - plain["feature_certainty"]).abs() < 1e-12, "{plain:?}");
        assert!(plain["feature_certainty"] > 1.0 / 3.0 && plain["feature_certainty"] < 1.0);
    }
}

#[test]
fn the_pull_is_the_norm_of_the_gradient_that_comes_through() {
    let variable = |name| Var::from_tensor(&random(name, &[2, 3])).unwrap();
    let (source, target) = (variable("source"), variable("target"));
    let mut measures = Measures::default();
    let [watched, other] = measures.watch(&source, &target).unwrap();
    assert_eq!(numbers(&watched), numbers(&source));
    let slopes = random("slopes", &[2, 3]);
    let loss = ((watched * &slopes).unwrap().sum_all().unwrap() + (other * 2.0).unwrap().sum_all().unwrap())
        .unwrap();
    // The source counts elsewhere too, and that is no pull.
    let loss = (loss + source.sqr().unwrap().sum_all().unwrap()).unwrap();
    let gradients = loss.backward().unwrap();
    let both = (&slopes + (source.as_tensor() * 2.0).unwrap()).unwrap();
    assert_close(&numbers(gradients.get(&source).unwrap()), &numbers(&both), 1e-12);
    let norm = numbers(&slopes).iter().map(|x| x * x).sum::<f64>().sqrt();
    let measured: BTreeMap<_, _> = measures.read().unwrap().into_iter().collect();
    assert!((measured["source_pull"] - norm).abs() < 1e-12, "{measured:?}");
    assert!((measured["target_pull"] - 24f64.sqrt()).abs() < 1e-12, "{measured:?}");
    assert!(measured.keys().all(|name| measures::is_measure(name)));
}

#[test]
fn every_name_of_a_method_finds_it_again() {
    let shown = [
        Shown::Feature,
        Shown::TaskRelevant,
        Shown::Labels,
        Shown::Detached,
        Shown::Unit,
        Shown::Temperature(2.5),
    ];
    let base = RunConfig::mini();
    let mut names = Vec::new();
    for entry in &ALL {
        for shown in shown.into_iter().filter(|shown| entry.admits(*shown)) {
            for once in [false, true] {
                let variant = Variant { shown, once: once && shown != Shown::Feature };
                let name = entry.name(variant);
                let (found, again) = find(&name).unwrap();
                assert_eq!((found.key, again), (entry.key, variant), "{name}");
                let config = base.with_method_name(&name).unwrap();
                assert_eq!(config.method_name(), name);
                config.clone().check().unwrap();
                let written = config.to_toml().unwrap();
                assert_eq!(base.overlaid_by(&written, "run.toml".as_ref()).unwrap(), config, "{written}");
                names.push(name);
            }
        }
    }
    assert!(names.contains(&"dann+toalign+once".to_owned()) && !names.contains(&"dann+labels".to_owned()));
    let places: Vec<usize> = names.iter().map(|name| toalign::method::table::place(name)).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn what_is_no_control_is_named() {
    let message = "label".parse::<Control>().unwrap_err().to_string();
    assert!(
        message.contains("expected a control: labels (the true label") && message.contains("found 'label'"),
        "{message}"
    );
    let with = |key: &str, toalign: bool| RunConfig {
        method: key.parse().unwrap(),
        toalign,
        control: Some("labels".parse().unwrap()),
        ..RunConfig::mini()
    };
    let said = |key, toalign| with(key, toalign).check().map(|_| ()).unwrap_err().to_string();
    assert!(
        said("hda", true).contains("control (--control): expected a control or ToAlign"),
        "{}",
        said("hda", true)
    );
    assert!(said("dann", false).contains("expected a method that aligns"), "{}", said("dann", false));
    assert!(said("dann", false).contains("(dannp or hda), found dann"), "{}", said("dann", false));
    assert!(said("source-only", false).contains("expected a method that aligns"));
    with("hda", false).check().unwrap();
}
