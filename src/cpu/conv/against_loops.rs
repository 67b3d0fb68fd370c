//! Every path of convolution against one loop over all products, which names the first element that is wrong.

use super::im2col::Source;
use super::shape::{ConvShape, Convolution};
use super::tiles::as_it_is;
use super::winograd;
use crate::cpu::buffers::Buffers;
use crate::cpu::element::Element;

/// Tells `visit` the output, the input and the weight of every product.
fn each_product(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let [batch, rows, columns, out] = shape.output_dims();
    let inputs = shape.input_channels;
    for position in 0..batch * rows * columns {
        let (n, y, x) = (position / (rows * columns), position / columns % rows, position % columns);
        for tap in 0..shape.kernel_height * shape.kernel_width {
            let (down, right) = (tap / shape.kernel_width, tap % shape.kernel_width);
            let (row, column) = (y * shape.stride + down, x * shape.stride + right);
            let inside = |at: usize, size: usize| at.checked_sub(shape.padding).filter(|&at| at < size);
            let (Some(row), Some(column)) = (inside(row, shape.height), inside(column, shape.width)) else {
                continue;
            };
            let pixel = (n * shape.height + row) * shape.width + column;
            for (o, i) in (0..out).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
                let weight = (o * shape.kernel_height * shape.kernel_width + tap) * inputs + i;
                visit(position * out + o, pixel * inputs + i, weight);
            }
        }
    }
}

fn wave<T: Element>(count: usize, start: f64) -> Vec<T> {
    (0..count).map(|i| T::from_f64((start + 0.7 * i as f64).sin())).collect()
}

fn compare<T: Element>(
    what: &str,
    found: &[T],
    expected: &[f64],
    [_, rows, columns, channels]: [usize; 4],
    allowed: f64,
) {
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found.to_f64() - expected).abs();
        let pixel = at / channels;
        assert!(
            error < allowed,
            "{what}: picture {}, row {}, column {}, channel {}: expected {expected}, found {}",
            pixel / (rows * columns),
            pixel / columns % rows,
            pixel % columns,
            at % channels,
            found.to_f64()
        );
    }
}

fn check<T: Element>(input: [usize; 4], kernel: [usize; 4], stride: usize, padding: usize, allowed: f64) {
    let shape = ConvShape::new(&input, &kernel, stride, padding).unwrap();
    let what = format!("{input:?} * {kernel:?}, stride {stride}");
    let outputs = shape.positions() * shape.output_channels;
    let (x, w) = (wave::<T>(input.iter().product(), 0.1), wave::<T>(kernel.iter().product(), 0.2));
    let g = wave::<T>(outputs, 0.3);
    let (mut y, mut dx, mut dw) = (vec![0.0; outputs], vec![0.0; x.len()], vec![0.0; w.len()]);
    each_product(&shape, |o, i, k| {
        y[o] += x[i].to_f64() * w[k].to_f64();
        dx[i] += g[o].to_f64() * w[k].to_f64();
        dw[k] += g[o].to_f64() * x[i].to_f64();
    });

    let convolution = Convolution { shape: &shape, domains: &[shape.batch], buffers: &Buffers::default() };
    let mut found = vec![T::from_f64(f64::NAN); outputs];
    convolution.forward(Source::Map(&x), &w, &mut found, as_it_is);
    compare(&format!("{what}, output"), &found, &y, shape.output_dims(), allowed);
    let mut found = vec![T::from_f64(f64::NAN); x.len()];
    convolution.backward_input(&w, &g, &mut found, false, as_it_is);
    compare(&format!("{what}, gradient of the input"), &found, &dx, input, allowed);
    let mut found = vec![T::from_f64(f64::NAN); w.len()];
    convolution.backward_kernel(Source::Map(&x), &g, &mut found);
    compare(&format!("{what}, gradient of the kernel"), &found, &dw, kernel, allowed);
}

#[test]
fn every_path_is_the_sum_of_its_products() {
    let by_winograd = ConvShape::new(&[2, 9, 11, 16], &[48, 3, 3, 16], 1, 1).unwrap();
    assert!(winograd::applies(&by_winograd));
    for (input, kernel, stride, padding) in [
        ([2, 5, 7, 33], [70, 1, 1, 33], 1, 0),
        ([2, 6, 7, 5], [9, 1, 1, 5], 2, 0),
        ([2, 9, 11, 16], [48, 3, 3, 16], 1, 1),
        ([2, 9, 11, 20], [36, 3, 3, 20], 1, 1),
        ([3, 8, 7, 6], [10, 3, 3, 6], 2, 1),
        ([1, 21, 18, 3], [11, 7, 7, 3], 2, 3),
        ([1, 4, 4, 130], [3, 3, 3, 130], 1, 0),
    ] {
        check::<f64>(input, kernel, stride, padding, 1e-11);
        check::<f32>(input, kernel, stride, padding, 2e-3);
    }
}
