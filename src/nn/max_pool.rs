//! Max-pooling 3×3 with stride 2 and padding 1, with a gradient (candle's has none where kernel and stride differ).

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use super::composed;
pub use super::max_pool_composed::max_pool_composed;
use crate::cpu::element::{Element, contiguous, unsupported, with_elements, written};
use crate::cpu::max_pool::{Dims, backward, forward, pooled};

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
