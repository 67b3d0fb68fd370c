//! Every gradient of the layers, against finite differences in f64; those of the whole network are in `backbone.rs`.

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::Rng;
use toalign::nn::batch_norm::{BatchNorm, Mode, Then};
use toalign::nn::conv::conv2d;
use toalign::nn::grad_reverse::grad_reverse;
use toalign::nn::max_pool::max_pool;
use toalign::random::generator;

const TRAINING: Mode = Mode::Training { statistics_updates: 0 };

/// Uniform values in [-1, 1), in f64.
fn random(name: &str, dims: &[usize]) -> Var {
    let mut generator = generator(7, name, 0, 0);
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
    Var::from_tensor(&Tensor::from_vec(values, dims, &Device::Cpu).unwrap()).unwrap()
}

/// A scalar that depends on every element of `y` in another way.
fn score(y: &Tensor) -> Result<Tensor> {
    let weights = random("score", y.dims());
    (y * weights.as_tensor())?.sum_all()
}

/// Compares the gradient of `f` with central differences, at up to 60 elements of every variable.
fn assert_gradients(variables: &[&Var], f: impl Fn() -> Result<Tensor>) {
    let step = 1e-5;
    let gradients = score(&f().unwrap()).unwrap().backward().unwrap();
    for (number, variable) in variables.iter().enumerate() {
        let gradient = gradients.get(variable).expect("a gradient").flatten_all().unwrap();
        let gradient: Vec<f64> = gradient.to_vec1().unwrap();
        let at_start: Vec<f64> = variable.flatten_all().unwrap().to_vec1().unwrap();
        for element in (0..at_start.len()).step_by(at_start.len().div_ceil(60)) {
            let at = |offset: f64| {
                let mut moved = at_start.clone();
                moved[element] += offset;
                variable.set(&Tensor::from_vec(moved, variable.dims(), &Device::Cpu).unwrap()).unwrap();
                score(&f().unwrap()).unwrap().to_scalar::<f64>().unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            at(0.0);
            let error = (slope - gradient[element]).abs();
            assert!(
                error < 1e-7 * (1.0 + slope.abs()),
                "variable {number}, element {element}: expected {slope}, found {}",
                gradient[element]
            );
        }
    }
}

fn assert_close(a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let difference = difference.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
    assert!(difference < tolerance, "expected at most {tolerance}, found {difference}");
}

#[test]
fn channels_that_do_not_fit_are_named() {
    let x = random("x", &[1, 3, 8, 8]);
    let w = random("w", &[4, 3, 3, 3]);
    let message = conv2d(&x, &w, 1, 1).unwrap_err().to_string();
    assert!(
        message.contains("expected an input of 3 channels, found [1, 3, 8, 8] (is it NHWC?)"),
        "{message}"
    );
}

fn batch_norm(channels: usize) -> BatchNorm {
    let layer = BatchNorm::new(channels, DType::F64).unwrap();
    for (name, variable) in [("weight", &layer.weight), ("bias", &layer.bias), ("mean", &layer.running_mean)]
    {
        variable.set(random(name, &[channels]).as_tensor()).unwrap();
    }
    layer.running_var.set(&random("variance", &[channels]).sqr().unwrap().affine(1.0, 0.5).unwrap()).unwrap();
    layer
}

#[test]
fn batch_norm_has_the_slope_of_finite_differences() {
    let x = random("x", &[3, 4, 2, 5]);
    let shortcut = random("shortcut", &[3, 4, 2, 5]);
    let layer = batch_norm(5);
    for mode in [TRAINING, Mode::Evaluation] {
        for then in [Then::Nothing, Then::Relu] {
            assert_gradients(&[&x, &layer.weight, &layer.bias], || layer.forward(&x, mode, then));
        }
        let variables = [&x, &layer.weight, &layer.bias, &shortcut];
        assert_gradients(&variables, || layer.forward(&x, mode, Then::AddAndRelu(&shortcut)));
    }
}

#[test]
fn two_updates_in_one_go_equal_two_updates() {
    let x = random("x", &[4, 3, 3, 8]);
    let (twice, once) = (batch_norm(8), batch_norm(8));
    for _ in 0..2 {
        twice.forward(&x, Mode::Training { statistics_updates: 1 }, Then::Nothing).unwrap();
    }
    once.forward(&x, Mode::Training { statistics_updates: 2 }, Then::Nothing).unwrap();
    assert_close(&twice.running_mean, &once.running_mean, 1e-15);
    assert_close(&twice.running_var, &once.running_var, 1e-15);
}

#[test]
fn the_variance_of_a_channel_far_from_zero_does_not_cancel() {
    let x = (random("x", &[8, 16, 16, 4]).as_tensor() + 1000.0).unwrap();
    let layer = BatchNorm::new(4, DType::F32).unwrap();
    let y = layer.forward(&x.to_dtype(DType::F32).unwrap(), TRAINING, Then::Nothing).unwrap();
    let exact = batch_norm(4);
    exact.weight.set(&Tensor::ones(4, DType::F64, &Device::Cpu).unwrap()).unwrap();
    exact.bias.set(&Tensor::zeros(4, DType::F64, &Device::Cpu).unwrap()).unwrap();
    let expected = exact.forward(&x, TRAINING, Then::Nothing).unwrap();
    // 1000 is known to 6e-5 in f32, and the deviation is 0.58.
    assert_close(&y.to_dtype(DType::F64).unwrap(), &expected, 5e-4);
}

#[test]
fn max_pool_has_the_slope_of_finite_differences() {
    for (height, width) in [(8, 8), (7, 9), (1, 1), (2, 3)] {
        let x = random("x", &[2, height, width, 3]);
        assert_gradients(&[&x], || max_pool(&x));
    }
}

#[test]
fn a_tie_gives_its_gradient_to_the_first_pixel() {
    let x = Var::zeros((1, 2, 2, 1), DType::F64, &Device::Cpu).unwrap();
    let gradients = max_pool(&x).unwrap().sum_all().unwrap().backward().unwrap();
    let gradient: Vec<f64> = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(gradient, [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn reversal_turns_the_gradient_and_keeps_the_value() {
    let x = random("x", &[3, 4]);
    let plain = score(x.as_tensor()).unwrap().backward().unwrap();
    let reversed = grad_reverse(&x, 0.3).unwrap();
    assert_close(&reversed, &x, 1e-15);
    let reversed = score(&reversed).unwrap().backward().unwrap();
    let expected = (plain.get(&x).unwrap() * -0.3).unwrap();
    assert_close(reversed.get(&x).unwrap(), &expected, 1e-15);
}
