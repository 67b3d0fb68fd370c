//! Values out of candle's operations, with gradients that are written down: what computes where our own loops do not.
//!
//! candle's graph keeps each intermediate result until its gradient has passed. A batch norm of six operations would hold
//! six activations, and a ResNet-50 would not fit on most GPUs. So the value is computed outside the graph and enters it
//! as one operation that keeps its inputs and its output; the backward pass computes the rest again.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor, bail,
};

thread_local! {
    static EVERYWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with candle's operations in place of our own loops on the CPU too: what a GPU computes, without a GPU.
///
/// It holds for the thread that calls. The golden cases are run this way as well.
pub fn everywhere<R>(work: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            EVERYWHERE.set(self.0);
        }
    }
    let _reset = Reset(EVERYWHERE.replace(true));
    work()
}

/// Whether candle's operations compute on `device`, and not our own loops.
pub(crate) fn on(device: &Device) -> bool {
    !device.is_cpu() || EVERYWHERE.get()
}

/// From the value and its gradient to the gradients of the inputs, one each, in their order.
type Backward = Box<dyn Fn(&Tensor, &Tensor) -> Result<Vec<Tensor>> + Send + Sync>;

struct Composed {
    name: &'static str,
    /// Taken by the forward pass: the graph keeps the operation, and would keep the value a second time.
    value: Mutex<Option<Tensor>>,
    backward: Backward,
}

/// `value`, whose gradient in the `inputs` (one to three) is what `backward` returns for `(value, gradient)`.
///
/// Neither `value` nor what `backward` captures may hang on a graph: detach the inputs first.
///
/// # Errors
/// If there are no or more than three inputs, or `value` lies elsewhere than they do.
pub fn with_gradient(
    name: &'static str,
    inputs: &[&Tensor],
    value: Tensor,
    backward: impl Fn(&Tensor, &Tensor) -> Result<Vec<Tensor>> + Send + Sync + 'static,
) -> Result<Tensor> {
    let op = Composed { name, value: Mutex::new(Some(value)), backward: Box::new(backward) };
    match inputs {
        [only] => only.apply_op1(op),
        [first, second] => first.apply_op2(second, op),
        [first, second, third] => first.apply_op3(second, third, op),
        _ => bail!("{name}: expected one to three inputs, found {}", inputs.len()),
    }
}

impl Composed {
    fn value(&self) -> Result<Tensor> {
        match self.value.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(value) => Ok(value),
            None => bail!("{}: expected one forward pass, found a second one", self.name),
        }
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        let value = self.value()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((copied(storage, layout)?, layout.shape().clone())),
            _ => bail!("{}: expected a value on the CPU, as its inputs are", self.name),
        }
    }

    #[cfg(feature = "cuda")]
    fn on_cuda(&self) -> Result<(candle_core::CudaStorage, Shape)> {
        let value = self.value()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((copied(storage, layout)?, layout.shape().clone())),
            _ => bail!("{}: expected a value on the GPU, as its inputs are", self.name),
        }
    }

    fn gradients<const N: usize>(&self, value: &Tensor, gradient: &Tensor) -> Result<[Option<Tensor>; N]> {
        let gradients = (self.backward)(&value.detach(), &gradient.detach().contiguous()?)?;
        match <[Tensor; N]>::try_from(gradients) {
            Ok(gradients) => Ok(gradients.map(Some)),
            Err(other) => bail!("{}: expected {N} gradients, found {}", self.name, other.len()),
        }
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

impl CustomOp1 for Composed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(&self, _: &Tensor, value: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [only] = self.gradients(value, gradient)?;
        Ok(only)
    }
}

impl CustomOp2 for Composed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        value: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [first, second] = self.gradients(value, gradient)?;
        Ok((first, second))
    }
}

impl CustomOp3 for Composed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        value: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [first, second, third] = self.gradients(value, gradient)?;
        Ok((first, second, third))
    }
}
