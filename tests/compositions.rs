//! What computes on a GPU, run on the CPU: compositions of candle's operations against our own loops.
//!
//! The whole network is compared in `backbone.rs`, and the golden cases run on compositions in `fidelity.rs`; here is the
//! rest: candle's own gradient as the judge, the optimiser, whole steps, moved models.

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use toalign::config::{DeviceChoice, RunConfig, Weights};
use toalign::method::StepInput;
use toalign::model::{HeadKind, Model, ModelSpec, resnet::BackboneKind};
use toalign::nn::batch_norm::{BatchNorm, EPSILON, Mode, Then};
use toalign::nn::composed;
use toalign::nn::parameters::{FileLayout, Group, Parameter, Role};
use toalign::nn::sgd::{GroupRates, Sgd, SgdSettings};
use toalign::random::generator;
use toalign::setup::{make_method, make_model};

fn random(name: &str, dims: &[usize]) -> Var {
    let mut generator = generator(13, name, 0, 0);
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
    Var::from_tensor(&Tensor::from_vec(values, dims, &Device::Cpu).unwrap()).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    for (found, expected) in numbers(found).into_iter().zip(numbers(expected)) {
        let error = (found - expected).abs();
        assert!(error <= tolerance * (1.0 + expected.abs()), "{what}: expected {expected}, found {found}");
    }
}

/// A scalar that depends on every element in another way.
fn score(y: &Tensor) -> Tensor {
    (y * random("score", y.dims()).as_tensor()).unwrap().sum_all().unwrap()
}

/// Batch norm as a textbook writes it, in candle's graph, so that candle derives the gradient.
fn textbook(layer: &BatchNorm, x: &Tensor, training: bool) -> candle_core::Result<Tensor> {
    let rows = x.reshape(((), x.dim(3)?))?;
    let (mean, variance) = match training {
        true => {
            let mean = rows.mean(0)?;
            let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
            (mean, variance)
        }
        false => (layer.running_mean.as_detached_tensor(), layer.running_var.as_detached_tensor()),
    };
    let scale = (layer.weight.as_tensor() / (variance + EPSILON)?.sqrt()?)?;
    let y = rows.broadcast_sub(&mean)?.broadcast_mul(&scale)?.broadcast_add(layer.bias.as_tensor())?;
    y.reshape(x.shape())
}

#[test]
fn composed_batch_norm_has_the_gradient_that_candle_derives() {
    let (x, shortcut) = (random("x", &[4, 5, 3, 6]), random("shortcut", &[4, 5, 3, 6]));
    let layer = BatchNorm::new(6, DType::F64).unwrap();
    layer.weight.set(&random("weight", &[6])).unwrap();
    layer.bias.set(&random("bias", &[6])).unwrap();
    layer.running_mean.set(&random("mean", &[6])).unwrap();
    for mode in [Mode::Training { statistics_updates: 0 }, Mode::Evaluation] {
        let plain = textbook(&layer, &x, mode != Mode::Evaluation).unwrap();
        let cases = [
            ("nothing", Then::Nothing, plain.clone()),
            ("relu", Then::Relu, plain.relu().unwrap()),
            ("add and relu", Then::AddAndRelu(&shortcut), (&plain + &*shortcut).unwrap().relu().unwrap()),
        ];
        for (name, then, expected) in cases {
            let found = layer.forward(&x, mode, then).unwrap();
            assert_close(name, &found, &expected, 1e-12);
            let (found, expected) = (score(&found).backward().unwrap(), score(&expected).backward().unwrap());
            for variable in [&x, &layer.weight, &layer.bias, &shortcut] {
                match (found.get(variable), expected.get(variable)) {
                    (None, None) => assert!(!name.contains("add")),
                    (found, expected) => assert_close(name, found.unwrap(), expected.unwrap(), 1e-11),
                }
            }
        }
    }
}

#[test]
fn composed_batch_norm_names_channels_that_do_not_fit() {
    let layer = BatchNorm::new(6, DType::F64).unwrap();
    let x = random("x", &[2, 3, 3, 5]);
    let message = layer.forward(&x, Mode::Evaluation, Then::Nothing).unwrap_err().to_string();
    assert!(message.contains("expected […, 6] (NHWC), found [2, 3, 3, 5]"), "{message}");
}

#[test]
fn the_composed_optimiser_takes_the_same_steps() {
    for nesterov in [true, false] {
        let settings = SgdSettings { momentum: 0.9, nesterov, weight_decay: 0.01 };
        let rates = GroupRates { backbone: 0.1, head: 0.2, discriminator: 0.3 };
        let run = |composed: bool| -> (Vec<f64>, Vec<f64>) {
            let value = Var::from_tensor(&random("weight", &[3, 4]).as_detached_tensor()).unwrap();
            let role = Role::Trained(Group::Head);
            let parameter =
                Parameter { name: "w".into(), value: value.clone(), role, layout: FileLayout::Same };
            let mut sgd = Sgd::new(vec![parameter], settings).unwrap();
            for _ in 0..3 {
                let gradients = score(&value.sqr().unwrap()).backward().unwrap();
                match composed {
                    true => sgd.step_composed(&gradients, &rates).unwrap(),
                    false => sgd.step(&gradients, &rates).unwrap(),
                }
            }
            (numbers(&value), numbers(&sgd.momentum().unwrap()[0].1))
        };
        let (ours, composed) = (run(false), run(true));
        for (a, b) in [(&ours.0, &composed.0), (&ours.1, &composed.1)] {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15), "{a:?} {b:?}");
        }
    }
}

/// The losses of a few steps of HDA+ToAlign with dropout, as a training run takes them.
fn losses() -> Vec<f64> {
    let config = RunConfig {
        method: "hda".parse().unwrap(),
        toalign: true,
        weights: Weights::None,
        device: DeviceChoice::Cpu,
        ..RunConfig::mini()
    };
    let model = make_model(&config.clone().check().unwrap(), 3, 1).unwrap();
    let method = make_method(&config);
    let settings = SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
    let mut sgd = Sgd::new(model.parameters(), settings).unwrap();
    let rates = GroupRates { backbone: 0.01, head: 0.05, discriminator: 0.05 };
    let pictures = |name| random(name, &[6, 16, 16, 3]).to_dtype(DType::F32).unwrap().detach();
    let labels = Tensor::new(&[0u32, 1, 2, 0, 1, 2], &Device::Cpu).unwrap();
    let steps = (0..4).map(|step| {
        let input = StepInput {
            source_images: &pictures("source"),
            source_labels: &labels,
            target_images: Some(&pictures("target")),
            reversal_coefficient: 0.5,
            seed: 1,
            step,
        };
        let losses = method.losses(&model, &input).unwrap();
        sgd.step(&losses.total.backward().unwrap(), &rates).unwrap();
        numbers(&losses.total)[0]
    });
    steps.collect()
}

#[test]
fn training_on_compositions_follows_training_on_our_own_loops() {
    let (ours, composed) = (losses(), composed::everywhere(losses));
    for (ours, composed) in ours.iter().zip(&composed) {
        assert!((ours - composed).abs() < 1e-3 * ours, "{ours} and {composed}");
    }
    assert!(ours != composed, "the compositions were not used");
}

#[test]
fn a_moved_model_is_equal_and_trains_apart() {
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: 3,
        head: HeadKind::Heuristic,
        discriminator: Some(toalign::model::DiscriminatorInput::Probabilities),
        sources: 1,
        hidden: 8,
        dropout: 0.5,
        dtype: DType::F32,
    };
    let model = Model::new(&spec, 1).unwrap();
    let moved = model.to_device(&Device::Cpu).unwrap();
    let (before, after) = (model.parameters(), moved.parameters());
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before.name, before.role), (&after.name, after.role));
        assert_close(&before.name, &after.value, &before.value, 0.0);
        after.value.set(&(after.value.as_detached_tensor() + 1.0).unwrap()).unwrap();
        assert!(numbers(&before.value) != numbers(&after.value), "{} is shared", before.name);
    }
}
