//! Values that are computed outside candle's graph and enter it as one operation, with gradients that are written down.
//!
//! candle's graph keeps each intermediate result until its gradient has passed. A batch norm of six operations would hold
//! six activations, and a ResNet-50 would not fit on most GPUs.
//!
//! candle's operations take three tensors at most, and a ResNet has more. So a token goes from one [`Input`] to the next
//! and then into the [`Outside`] operation: on the way back that one leaves all gradients in a shared place, and each
//! [`Input`], whose turn comes after it, hands its own to candle.

use std::sync::{Arc, Mutex};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};

use crate::lock::lock;

/// `value`, whose gradient in the `inputs` is what `backward` returns for `(value, gradient)`: one each, in their order.
///
/// Neither `value` nor what `backward` captures may hang on a graph: detach the inputs first.
///
/// # Errors
/// If `value` lies elsewhere than the inputs.
pub fn with_gradient(
    name: &'static str,
    inputs: &[&Tensor],
    value: Tensor,
    backward: impl Fn(&Tensor, &Tensor) -> Result<Vec<Tensor>> + Send + Sync + 'static,
) -> Result<Tensor> {
    let left = Left::default();
    let mut token = Tensor::zeros(1, DType::F32, value.device())?;
    for (place, input) in inputs.iter().enumerate() {
        token = token.apply_op2(input, Input { place, left: left.clone() })?;
    }
    let (value, backward) = (Mutex::new(Some(value)), Box::new(backward));
    token.apply_op1(Outside { name, inputs: inputs.len(), value, backward, left })
}

/// What a backward pass uses up.
pub(crate) fn once<T>(tape: &Mutex<Option<T>>) -> Result<T> {
    match lock(tape).take() {
        Some(tape) => Ok(tape),
        None => bail!(
            "backbone: expected one backward pass for each forward pass, found a second one; what it needs is \
             given back after the first. Call forward again, or ResNet::forward_by_layers, which keeps everything"
        ),
    }
}

/// Gradients in the order of the inputs, each until its input takes it.
type Left = Arc<Mutex<Vec<Option<Tensor>>>>;

/// Gradients of the inputs from the value and the gradient at it.
type Backward = Box<dyn Fn(&Tensor, &Tensor) -> Result<Vec<Tensor>> + Send + Sync>;

struct Outside {
    name: &'static str,
    inputs: usize,
    /// Taken by the forward pass: the graph keeps the operation, and would keep the value a second time.
    value: Mutex<Option<Tensor>>,
    backward: Backward,
    left: Left,
}

impl Outside {
    fn value(&self) -> Result<Tensor> {
        match lock(&self.value).take() {
            Some(value) => Ok(value),
            None => bail!("{}: expected one forward pass, found a second one", self.name),
        }
    }
}

impl CustomOp1 for Outside {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _token: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let value = self.value()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((copied(storage, layout)?, layout.shape().clone())),
            _ => bail!("{}: expected a value on the CPU, as its inputs are", self.name),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _token: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let value = self.value()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((copied(storage, layout)?, layout.shape().clone())),
            _ => bail!("{}: expected a value on the GPU, as its inputs are", self.name),
        }
    }

    fn bwd(&self, token: &Tensor, value: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradients = (self.backward)(&value.detach(), &gradient.detach().contiguous()?)?;
        if gradients.len() != self.inputs {
            bail!("{}: expected {} gradients, found {}", self.name, self.inputs, gradients.len());
        }
        *lock(&self.left) = gradients.into_iter().map(Some).collect();
        Ok(Some(token.zeros_like()?))
    }
}

/// The elements of a layout in a storage of their own: an operation must not return one that a tensor owns already.
fn copied<S>(storage: &S, layout: &Layout) -> Result<S>
where
    S: BackendStorage<Device: BackendDevice<Storage = S>>,
{
    // SAFETY: the copy writes every element.
    let mut copy = unsafe { storage.device().alloc_uninit(layout.shape(), storage.dtype())? };
    storage.copy_strided_src(&mut copy, 0, layout)?;
    Ok(copy)
}

/// Passes the token on; on the way back, gives an input the gradient that was left for it.
struct Input {
    place: usize,
    left: Left,
}

impl CustomOp2 for Input {
    fn name(&self) -> &'static str {
        "left-gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((f32::to_cpu_storage_owned(vec![0.0]), Shape::from(1)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        token: &candle_core::CudaStorage,
        _: &Layout,
        _input: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let shape = Shape::from(1);
        // SAFETY: nobody reads a token's value.
        let storage = unsafe { token.device.alloc_uninit(&shape, DType::F32)? };
        Ok((storage, shape))
    }

    fn bwd(
        &self,
        token: &Tensor,
        _input: &Tensor,
        _result: &Tensor,
        _gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = lock(&self.left).get_mut(self.place).and_then(Option::take);
        Ok((Some(token.zeros_like()?), gradient))
    }
}
