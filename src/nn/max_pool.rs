//! Max-pooling 3×3 with stride 2 and padding 1, with a gradient (candle's has none where kernel and stride differ).

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::composed;
use super::element::{Element, contiguous, unsupported, vectorised, with_elements, written};
pub use super::max_pool_composed::max_pool_composed;
use super::profile::{Kind, timed};

pub(super) const KERNEL: usize = 3;
pub(super) const STRIDE: usize = 2;
pub(super) const PADDING: usize = 1;

/// `[batch, height, width, channels]` → `[batch, ⌈height/2⌉, ⌈width/2⌉, channels]`.
///
/// Where two pixels are equally large the gradient goes to the first, as in PyTorch.
///
/// ```
/// use candle_core::{Device, Tensor};
/// // torch.nn.functional.max_pool2d(torch.arange(16.).view(1, 1, 4, 4), 3, 2, 1)
/// let x = Tensor::arange(0f32, 16., &Device::Cpu)?.reshape((1, 4, 4, 1))?;
/// let y = toalign::nn::max_pool::max_pool(&x)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [5., 7., 13., 15.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// If the input is not of rank 4.
pub fn max_pool(input: &Tensor) -> Result<Tensor> {
    if composed::on(input.device()) {
        return max_pool_composed(input);
    }
    input.contiguous()?.apply_op1(MaxPool)
}

struct MaxPool;

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Element>(
            storage: &CpuStorage,
            layout: &Layout,
            dims: Dims,
            count: usize,
        ) -> Result<CpuStorage> {
            let input = contiguous::<T>(storage, layout)?;
            let output = written(count, |output| forward(input, dims, output));
            Ok(T::to_cpu_storage_owned(output))
        }
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let shape = Shape::from((batch, pooled(height), pooled(width), channels));
        let dims = (height, width, channels);
        let output = match storage {
            CpuStorage::F32(_) => run::<f32>(storage, layout, dims, shape.elem_count())?,
            CpuStorage::F64(_) => run::<f64>(storage, layout, dims, shape.elem_count())?,
            _ => bail!("max-pool: expected elements of type f32 or f64"),
        };
        Ok((output, shape))
    }

    fn bwd(&self, input: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        match input.dtype() {
            DType::F32 => gradient_tensor::<f32>(input, output, gradient).map(Some),
            DType::F64 => gradient_tensor::<f64>(input, output, gradient).map(Some),
            other => unsupported(self.name(), other),
        }
    }
}

fn gradient_tensor<T: Element>(input: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let (_, height, width, channels) = input.dims4()?;
    let elements = with_elements::<T, _>(input, |input| {
        with_elements::<T, _>(output, |output| {
            with_elements::<T, _>(&gradient.contiguous()?, |gradient| {
                written(input.len(), |result| {
                    backward(input, output, gradient, (height, width, channels), result);
                })
            })
        })
    })???;
    Tensor::from_vec(elements, input.shape(), input.device())
}

/// Height, width and channels of the input.
pub(crate) type Dims = (usize, usize, usize);

/// Rows or columns of the output.
pub(crate) fn pooled(size: usize) -> usize {
    size.div_ceil(STRIDE)
}

/// The input pixels under the window of an output row or column.
fn window(position: usize, size: usize) -> std::ops::Range<usize> {
    (position * STRIDE).saturating_sub(PADDING)..(position * STRIDE + KERNEL - PADDING).min(size)
}

/// Writes the maxima of `input` to `output`.
pub(crate) fn forward<T: Element>(input: &[T], (height, width, channels): Dims, output: &mut [T]) {
    timed(Kind::Pooling, || {
        let (rows, columns) = (pooled(height), pooled(width));
        output.par_chunks_mut(columns * channels).enumerate().for_each(|(line, output)| {
            let picture = &input[line / rows * height * width * channels..][..height * width * channels];
            vectorised(
                #[inline(always)]
                || {
                    for (column, output) in output.chunks_exact_mut(channels).enumerate() {
                        let (ys, xs) = (window(line % rows, height), window(column, width));
                        output.copy_from_slice(
                            &picture[(ys.start * width + xs.start) * channels..][..channels],
                        );
                        for y in ys {
                            for x in xs.clone() {
                                let pixel = &picture[(y * width + x) * channels..][..channels];
                                for (largest, &value) in output.iter_mut().zip(pixel) {
                                    *largest = largest.at_least(value);
                                }
                            }
                        }
                    }
                },
            );
        });
    })
}

/// Writes the gradient of the input to `result`: each output's goes to the first pixel that has the maximum.
pub(crate) fn backward<T: Element>(
    input: &[T],
    output: &[T],
    gradient: &[T],
    (height, width, channels): Dims,
    result: &mut [T],
) {
    timed(Kind::Pooling, || {
        let (rows, columns) = (pooled(height), pooled(width));
        let picture = height * width * channels;
        result.par_chunks_mut(picture).enumerate().for_each(|(n, result)| {
            let input = &input[n * picture..][..picture];
            let mut left = vec![T::zero(); channels];
            result.fill(T::zero());
            vectorised(
                #[inline(always)]
                || {
                    for row in 0..rows {
                        for column in 0..columns {
                            let at = ((n * rows + row) * columns + column) * channels;
                            let largest = &output[at..at + channels];
                            left.copy_from_slice(&gradient[at..at + channels]);
                            let left = &mut left[..channels];
                            for y in window(row, height) {
                                for x in window(column, width) {
                                    let pixel = (y * width + x) * channels;
                                    let values = &input[pixel..pixel + channels];
                                    let result = &mut result[pixel..pixel + channels];
                                    for channel in 0..channels {
                                        let here = values[channel] == largest[channel];
                                        result[channel] += if here { left[channel] } else { T::zero() };
                                        left[channel] = if here { T::zero() } else { left[channel] };
                                    }
                                }
                            }
                        }
                    }
                },
            );
        });
    })
}
