//! Max-pooling 3×3 with stride 2 and padding 1, with a gradient (candle's has none where kernel and stride differ).

use candle_core::{Result, Tensor};

use super::composed::with_gradient;
use crate::cpu::max_pool::{KERNEL, PADDING, STRIDE, pooled};

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
    let (_, height, width, _) = input.dims4()?;
    let windows = Windows { height, width };
    let pixels = input.detach();
    let largest = windows.largest(&padded(&pixels)?)?;
    with_gradient("max-pool", &[input], largest, move |largest, gradient| {
        Ok(vec![windows.gradient(&padded(&pixels)?, largest, gradient)?])
    })
}

/// With a border below every number, and one more row and column, so that every window is whole.
fn padded(input: &Tensor) -> Result<Tensor> {
    let pad = |x: &Tensor, dimension: usize| -> Result<Tensor> {
        let border = |size: usize| -> Result<Tensor> {
            let mut dims = x.dims().to_vec();
            dims[dimension] = size;
            Tensor::full(f32::MIN, dims, x.device())?.to_dtype(x.dtype())
        };
        Tensor::cat(&[&border(PADDING)?, x, &border(PADDING + 1)?], dimension)
    };
    pad(&pad(input, 1)?, 2)
}

/// The size of the input.
#[derive(Clone, Copy)]
struct Windows {
    height: usize,
    width: usize,
}

impl Windows {
    /// Rows or columns of the padded input that lie at `place` in their windows.
    fn positions(size: usize, place: usize, like: &Tensor) -> Result<Tensor> {
        let positions: Vec<u32> = (0..pooled(size)).map(|window| (place + STRIDE * window) as u32).collect();
        Tensor::new(positions, like.device())
    }

    /// Of every window the pixel at (y, x), `[batch, rows, columns, channels]`.
    fn pick(self, padded: &Tensor, y: usize, x: usize) -> Result<Tensor> {
        let rows = padded.index_select(&Self::positions(self.height, y, padded)?, 1)?;
        rows.index_select(&Self::positions(self.width, x, padded)?, 2)
    }

    fn largest(self, padded: &Tensor) -> Result<Tensor> {
        let mut largest = self.pick(padded, 0, 0)?;
        for place in 1..KERNEL * KERNEL {
            largest = largest.maximum(&self.pick(padded, place / KERNEL, place % KERNEL)?)?;
        }
        Ok(largest)
    }

    /// Each output's gradient goes to the first pixel of its window that has the maximum.
    fn gradient(self, padded: &Tensor, largest: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (batch, rows, _, channels) = largest.dims4()?;
        let nothing = gradient.zeros_like()?;
        let mut left = gradient.clone();
        let mut result = padded.zeros_like()?;
        for y in 0..KERNEL {
            let shape = (batch, rows, padded.dim(2)?, channels);
            let mut columns = Tensor::zeros(shape, gradient.dtype(), gradient.device())?;
            for x in 0..KERNEL {
                let is_largest = self.pick(padded, y, x)?.eq(largest)?;
                let given = is_largest.where_cond(&left, &nothing)?;
                left = is_largest.where_cond(&nothing, &left)?;
                columns = columns.index_add(&Self::positions(self.width, x, padded)?, &given, 2)?;
            }
            result = result.index_add(&Self::positions(self.height, y, padded)?, &columns, 1)?;
        }
        result.narrow(1, PADDING, self.height)?.narrow(2, PADDING, self.width)?.contiguous()
    }
}
