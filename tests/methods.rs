//! Every method on a toy task, and what ToAlign promises, in numbers.

#[path = "common/close.rs"]
mod close;

use candle_core::{DType, Device, Tensor, Var};
use close::{assert_close, numbers};
use rand::Rng;
use toalign::method::alignment::Alignment;
use toalign::method::dannp::Dannp;
use toalign::method::hda::Hda;
use toalign::method::losses::{entropy, entropy_weights, softmax};
use toalign::method::shown::Shown;
use toalign::method::table::{ALL, Entry, find};
use toalign::method::toalign::task_relevant;
use toalign::method::{Method, StepInput};
use toalign::model::head::Head;
use toalign::model::resnet::BackboneKind;
use toalign::model::{HeadKind, Model, ModelSpec};
use toalign::nn::parameters::{Group, Role};
use toalign::nn::sgd::{GroupRates, Sgd, SgdSettings};
use toalign::random::generator;

fn random(name: &str, dims: &[usize]) -> Tensor {
    let mut generator = generator(11, name, 0, 0);
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// Every row of the table, with and without ToAlign and entropy conditioning where it has them.
fn methods() -> Vec<(&'static Entry, Box<dyn Method>)> {
    let mut methods = Vec::new();
    for entry in &ALL {
        for toalign in [false, true] {
            for entropy_conditioning in [false, true] {
                let alignment = Alignment {
                    shown: if toalign { Shown::TaskRelevant } else { Shown::Feature },
                    entropy_conditioning,
                    weight: 1.0,
                    statistics_updates: 2,
                };
                if entry.with_toalign.is_some() || !(toalign || entropy_conditioning) {
                    methods.push((entry, (entry.make)(alignment)));
                }
            }
        }
    }
    assert_eq!(methods.len(), 2 + 3 * 4);
    methods
}

fn model(method: &str) -> Model {
    let (entry, _) = find(method).unwrap();
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: 3,
        head: entry.head,
        discriminator: entry.discriminator,
        sources: 1,
        hidden: 16,
        dropout: 0.5,
        dtype: DType::F64,
    };
    Model::new(&spec, 1).unwrap()
}

/// Three classes that differ by their colour; the target is darker.
fn batch(domain: &str, brightness: f64) -> (Tensor, Tensor) {
    let labels: Vec<u32> = (0..9).map(|i| i % 3).collect();
    let colours: Vec<f64> =
        labels.iter().flat_map(|&k| (0..3).map(move |c| f64::from(u8::from(c == k)))).collect();
    let colours = Tensor::from_vec(colours, (9, 1, 1, 3), &Device::Cpu).unwrap();
    let noise = (random(domain, &[9, 12, 12, 3]) * 0.5).unwrap();
    let images = (noise.broadcast_add(&colours).unwrap() * brightness).unwrap();
    (images, Tensor::new(labels, &Device::Cpu).unwrap())
}

#[test]
fn every_method_learns_a_toy_task() {
    let (source, labels) = batch("source", 1.0);
    let (target, _) = batch("target", 0.6);
    for (entry, method) in methods() {
        let model = model(entry.key);
        let settings = SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
        let mut sgd = Sgd::new(model.parameters(), settings).unwrap();
        let rates = GroupRates { backbone: 0.01, head: 0.05, discriminator: 0.05 };
        let mut classification = Vec::new();
        for step in 0..25 {
            let input = StepInput {
                source_images: &source,
                source_labels: &labels,
                target_images: entry.uses_target().then_some(&target),
                reversal_coefficient: 0.3,
                seed: 1,
                step,
            };
            let losses = method.losses(&model, &input).unwrap();
            let sum: f64 = losses.parts.iter().map(|(_, loss)| numbers(loss)[0]).sum();
            assert_close(&numbers(&losses.total), &[sum], 1e-12);
            classification.push(numbers(&losses.parts[0].1)[0]);
            sgd.step(&losses.total.backward().unwrap(), &rates).unwrap();
        }
        let (first, last) = (classification[0], classification[24]);
        assert!(last < 0.3 * first, "{}: {first} → {last}", entry.key);
    }
}

#[test]
fn the_discriminator_is_trained_against_the_backbone() {
    let (source, labels) = batch("source", 1.0);
    let (target, _) = batch("target", 0.6);
    let alignment = Alignment {
        shown: Shown::TaskRelevant,
        entropy_conditioning: true,
        weight: 1.0,
        statistics_updates: 2,
    };
    let method = Hda { alignment };
    let norms = |coefficient: f64| -> (f64, f64) {
        let model = model("hda");
        let input = StepInput {
            source_images: &source,
            source_labels: &labels,
            target_images: Some(&target),
            reversal_coefficient: coefficient,
            seed: 1,
            step: 0,
        };
        let losses = method.losses(&model, &input).unwrap();
        let alignment = &losses.parts.iter().find(|(name, _)| *name == "alignment").unwrap().1;
        let gradients = alignment.backward().unwrap();
        let norm = |group: Group| -> f64 {
            let of_group = model.parameters().into_iter().filter(|p| p.role == Role::Trained(group));
            of_group.filter_map(|p| gradients.get(&p.value).map(numbers)).flatten().map(|g| g * g).sum()
        };
        (norm(Group::Backbone), norm(Group::Discriminator))
    };
    // With a coefficient of 0 the adversary learns and the backbone hears nothing of it.
    let (backbone, discriminator) = norms(0.0);
    assert_eq!(backbone, 0.0);
    assert!(discriminator > 0.0);
    let (half, same) = norms(0.5);
    let (whole, _) = norms(1.0);
    assert_close(&[discriminator], &[same], 1e-12);
    assert!(half > 0.0 && whole > half);
}

fn head(kind: HeadKind) -> Head {
    Head::new(kind, 6, 4, DType::F64, &mut generator(2, "head", 0, 0)).unwrap()
}

#[test]
fn the_weight_is_the_slope_of_the_true_logit() {
    for kind in [HeadKind::Linear, HeadKind::Heuristic] {
        let head = head(kind);
        let feature = Var::from_tensor(&random("feature", &[5, 6])).unwrap();
        let labels = Tensor::new(&[0u32, 3, 1, 1, 2], &Device::Cpu).unwrap();
        let logits = head.forward(&feature).unwrap().logits;
        let of_true = logits.gather(&labels.unsqueeze(1).unwrap(), 1).unwrap().sum_all().unwrap();
        let slope = of_true.backward().unwrap().get(&feature).unwrap().clone();
        let rows = head.rows().unwrap().index_select(&labels, 0).unwrap();
        assert_close(&numbers(&rows), &numbers(&slope), 1e-15);
    }
}

#[test]
fn the_task_relevant_part_keeps_the_energy_and_follows_the_weights() {
    let head = head(HeadKind::Heuristic);
    let feature = random("feature", &[5, 6]);
    let labels = Tensor::new(&[0u32, 3, 1, 1, 2], &Device::Cpu).unwrap();
    let part = task_relevant(&feature, &labels, &head).unwrap();
    let energy = |x: &Tensor| numbers(&x.sqr().unwrap().sum(1).unwrap());
    assert_close(&energy(&part), &energy(&feature), 1e-12);
    let rows = head.rows().unwrap().index_select(&labels, 0).unwrap();
    let weighted = numbers(&(&feature * rows).unwrap());
    for (sample, part) in numbers(&part).chunks(6).enumerate() {
        let ratio = part[0] / weighted[sample * 6];
        assert!(ratio > 0.0);
        let expected: Vec<f64> = weighted[sample * 6..][..6].iter().map(|value| ratio * value).collect();
        assert_close(part, &expected, 1e-12);
    }
}

#[test]
fn the_classifier_gets_no_gradient_through_the_weights() {
    let head = head(HeadKind::Linear);
    let labels = Tensor::new(&[0u32, 3], &Device::Cpu).unwrap();
    let feature = Var::from_tensor(&random("feature", &[2, 6])).unwrap();
    let part = task_relevant(&feature, &labels, &head).unwrap();
    let gradients = part.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&head.classifier.weight).is_none());
    assert!(gradients.get(&feature).is_some());
}

#[test]
fn entropy_weights_are_those_of_the_formula() {
    // p = torch.tensor([[.5, .5], [1., 0.]], dtype=torch.float64); H = -(p * (p + 1e-5).log()).sum(1)
    let p = Tensor::new(&[[0.5f64, 0.5], [1.0, 0.0]], &Device::Cpu).unwrap();
    let expected = [-(0.500_01f64.ln()), -(1.000_01f64.ln())];
    assert_close(&numbers(&entropy(&p).unwrap()), &expected, 1e-15);
    let weights = numbers(&entropy_weights(&p, 0.7).unwrap());
    let sum = (-expected[0]).exp() + (-expected[1]).exp();
    assert_close(&weights, &[(-expected[0]).exp() / sum, (-expected[1]).exp() / sum], 1e-15);
    assert!(weights[1] > weights[0]);
    assert_close(
        &numbers(&softmax(&Tensor::zeros((1, 4), DType::F64, &Device::Cpu).unwrap()).unwrap()),
        &[0.25; 4],
        1e-15,
    );
}

#[test]
fn a_method_without_its_batch_or_its_discriminator_says_so() {
    let (source, labels) = batch("source", 1.0);
    let alignment =
        Alignment { shown: Shown::Feature, entropy_conditioning: true, weight: 1.0, statistics_updates: 2 };
    let input = |target| StepInput {
        source_images: &source,
        source_labels: &labels,
        target_images: target,
        reversal_coefficient: 0.0,
        seed: 0,
        step: 0,
    };
    let dannp = Dannp { alignment };
    let message = dannp.losses(&model("dannp"), &input(None)).err().unwrap().to_string();
    assert!(message.contains("expected a target batch, found none"), "{message}");
    let message = dannp.losses(&model("source-only"), &input(Some(&source))).err().unwrap().to_string();
    assert!(message.contains("expected a model with a discriminator"), "{message}");
    let hda = Hda { alignment };
    let message = hda.losses(&model("dannp"), &input(Some(&source))).err().unwrap().to_string();
    assert!(message.contains("expected a model with HDA's heuristic heads"), "{message}");
}
