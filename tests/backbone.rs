//! The backbone as one operation equals the backbone layer by layer, which shares no kernel with it, and finite differences.

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use toalign::model::resnet::{BackboneKind, Layer, ResNet};
use toalign::nn::batch_norm::Mode;
use toalign::nn::composed::everywhere;
use toalign::nn::parameters::Role;
use toalign::random::generator;

const TRAINING: Mode = Mode::Training { statistics_updates: 1 };

fn images(name: &str, batch: usize, side: usize) -> Tensor {
    let mut generator = generator(3, name, 0, 0);
    let values: Vec<f64> = (0..batch * side * side * 3).map(|_| generator.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, (batch, side, side, 3), &Device::Cpu).unwrap()
}

fn network(kind: BackboneKind) -> ResNet {
    ResNet::new(kind, DType::F64, &mut generator(5, "network", 0, 0)).unwrap()
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let difference = largest(&(found - expected).unwrap());
    assert!(difference <= 1e-10 * (1.0 + largest(expected)), "{what}: differs by {difference}");
}

/// A loss that depends on every channel in another way.
fn loss(features: &[Tensor]) -> Tensor {
    let features = Tensor::cat(features, 0).unwrap();
    let weights = Tensor::arange(0f64, features.elem_count() as f64, &Device::Cpu).unwrap().sin().unwrap();
    let weights = weights.reshape(features.dims()).unwrap();
    (features * weights).unwrap().sum_all().unwrap()
}

#[test]
fn one_operation_equals_layer_by_layer() {
    for (kind, side) in
        [(BackboneKind::Small, 20), (BackboneKind::ResNet18, 33), (BackboneKind::ResNet50, 40)]
    {
        let (source, target) = (images("source", 3, side), images("target", 2, side));
        let (fast, slow) = (network(kind), network(kind));
        let features = fast.forward_domains(&[(&source, 2), (&target, 1)]).unwrap();
        let expected = [
            slow.forward_by_layers(&source, Mode::Training { statistics_updates: 2 }).unwrap(),
            slow.forward_by_layers(&target, TRAINING).unwrap(),
        ];
        for (found, expected) in features.iter().zip(&expected) {
            assert_close("feature", found, expected);
        }
        let found = loss(&features).backward().unwrap();
        let expected = loss(&expected).backward().unwrap();
        for (a, b) in fast.parameters().iter().zip(slow.parameters()) {
            match a.role {
                Role::Statistic => assert_close(&a.name, &a.value, &b.value),
                Role::Trained(_) => {
                    assert_close(&a.name, found.get(&a.value).unwrap(), expected.get(&b.value).unwrap());
                }
            }
        }
        let evaluated = fast.forward_by_layers(&source, Mode::Evaluation).unwrap();
        assert_close("evaluation", &fast.feature(&source).unwrap(), &evaluated);
        let with_graph = fast.forward(&source, Mode::Evaluation).unwrap();
        assert_close("evaluation with a graph", &with_graph, &evaluated);
        let found = loss(&[with_graph]).backward().unwrap();
        let expected = loss(&[evaluated]).backward().unwrap();
        for parameter in fast.parameters().iter().filter(|parameter| parameter.role != Role::Statistic) {
            let (found, expected) = (found.get(&parameter.value), expected.get(&parameter.value));
            assert_close(&parameter.name, found.unwrap(), expected.unwrap());
        }
    }
}

#[test]
fn maps_and_guided_slopes_equal_those_layer_by_layer() {
    for (kind, side) in
        [(BackboneKind::Small, 20), (BackboneKind::ResNet18, 33), (BackboneKind::ResNet50, 40)]
    {
        let (network, images) = (network(kind), images("pictures", 2, side));
        // Running statistics of its own, so that every batch norm scales.
        network.forward_domains(&[(&images, 2)]).unwrap();
        for layer in [Layer::Layer1, Layer::Layer2, Layer::Layer3, Layer::Layer4] {
            let map = || network.feature_map(&images, layer, Mode::Evaluation).unwrap();
            assert_close(&format!("{kind:?}, map after {layer:?}"), &map(), &everywhere(map));
        }
        let slope = || {
            let images = Var::from_tensor(&images).unwrap();
            let feature = network.forward(&images, Mode::Guided).unwrap();
            loss(&[feature]).backward().unwrap().get(&images).unwrap().clone()
        };
        let (found, expected) = (slope(), everywhere(slope));
        assert!(largest(&expected) > 0.0, "{kind:?}");
        assert_close(&format!("{kind:?}, guided slope"), &found, &expected);
    }
}

#[test]
fn one_operation_has_the_slope_of_finite_differences() {
    let (source, target) = (images("source", 3, 20), images("target", 2, 20));
    let network = network(BackboneKind::Small);
    let value = || loss(&network.forward_domains(&[(&source, 0), (&target, 0)]).unwrap());
    let gradients = value().backward().unwrap();
    let step = 1e-5;
    for parameter in network.parameters().iter().filter(|parameter| parameter.role != Role::Statistic) {
        let gradient = gradients.get(&parameter.value).unwrap().flatten_all().unwrap();
        let gradient: Vec<f64> = gradient.to_vec1().unwrap();
        let start: Vec<f64> = parameter.value.flatten_all().unwrap().to_vec1().unwrap();
        for element in [0, start.len() / 2, start.len() - 1] {
            let at = |offset: f64| {
                let mut moved = start.clone();
                moved[element] += offset;
                let moved = Tensor::from_vec(moved, parameter.value.shape(), &Device::Cpu).unwrap();
                parameter.value.set(&moved).unwrap();
                value().to_scalar::<f64>().unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            at(0.0);
            let error = (slope - gradient[element]).abs();
            assert!(
                error < 1e-6 * (1.0 + slope.abs()),
                "{} [{element}]: {slope}, {}",
                parameter.name,
                gradient[element]
            );
        }
    }
}

#[test]
fn a_broken_value_stays_visible() {
    let mut values: Vec<f64> = images("image", 2, 64).flatten_all().unwrap().to_vec1().unwrap();
    values[50] = f64::NAN;
    let broken = Tensor::from_vec(values, (2, 64, 64, 3), &Device::Cpu).unwrap();
    let feature = network(BackboneKind::ResNet18).forward(&broken, TRAINING).unwrap();
    let feature: Vec<f64> = feature.flatten_all().unwrap().to_vec1().unwrap();
    assert!(feature.iter().all(|value| value.is_nan()));
}

#[test]
fn a_second_backward_pass_says_what_to_do() {
    let feature = network(BackboneKind::Small).forward(&images("image", 2, 16), TRAINING).unwrap();
    let loss = feature.sum_all().unwrap();
    loss.backward().unwrap();
    let message = loss.backward().unwrap_err().to_string();
    assert!(message.contains("expected one backward pass for each forward pass"), "{message}");
}

#[test]
fn pictures_can_have_a_gradient_too() {
    let image = candle_core::Var::from_tensor(&images("image", 1, 16)).unwrap();
    let feature = network(BackboneKind::Small).forward(&image, Mode::Evaluation).unwrap();
    let gradients = feature.sum_all().unwrap().backward().unwrap();
    assert!(largest(gradients.get(&image).unwrap()) > 0.0);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (source, target) = (images("source", 6, 40), images("target", 6, 40));
    let run = |threads: usize| -> Vec<u64> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let network = network(BackboneKind::Small);
            let features = network.forward_domains(&[(&source, 1), (&target, 1)]).unwrap();
            let gradients = loss(&features).backward().unwrap();
            let trained = network.parameters().into_iter().filter(|p| p.role != Role::Statistic);
            let bits = |t: &Tensor| -> Vec<u64> {
                let values: Vec<f64> = t.flatten_all().unwrap().to_vec1().unwrap();
                values.into_iter().map(f64::to_bits).collect()
            };
            trained.flat_map(|p| bits(gradients.get(&p.value).unwrap())).collect()
        })
    };
    let single = run(1);
    assert!(single.iter().any(|bits| *bits != 0));
    assert!(single == run(2) && single == run(3));
}
