//! Pictures on their way to a GPU, beside what it computes.

use candle_core::{Device, Result, Shape, Tensor};

/// The numbers as a tensor on `device`, there when this returns.
///
/// A GPU has a second stream for it: in the stream that computes, the copy would wait for the step that is running, and
/// the next step for the copy.
pub fn upload(numbers: Vec<f32>, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = device {
        return cuda::upload(&numbers, shape, gpu);
    }
    Tensor::from_vec(numbers, shape, device)
}

#[cfg(feature = "cuda")]
mod cuda {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use candle_core::cuda_backend::cudarc::driver::{CudaStream, PinnedHostSlice};
    use candle_core::cuda_backend::{CudaDevice, DeviceId, WrapErr};
    use candle_core::op::BackpropOp;
    use candle_core::{CudaStorage, Result, Shape, Storage, Tensor};

    use crate::lock::lock;

    pub fn upload(numbers: &[f32], shape: Shape, gpu: &CudaDevice) -> Result<Tensor> {
        // SAFETY: the copy writes every element.
        let mut memory = unsafe { gpu.alloc::<f32>(numbers.len())? };
        let copies = copies(gpu)?;
        // The memory belongs to the stream that computes: it is free for others once that one gets there.
        copies.wait(&gpu.cuda_stream().record_event(None).w()?).w()?;
        with_pinned(&copies, numbers.len(), |pinned| {
            pinned.as_mut_slice().w()?.copy_from_slice(numbers);
            copies.memcpy_htod(&*pinned, &mut memory).w()?;
            copies.synchronize().w()
        })?;
        let storage = CudaStorage::wrap_cuda_slice(memory, gpu.clone());
        Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
    }

    /// Lends memory that the GPU fetches by itself; from other memory, of which the driver makes a copy first, a step of 36+36
    /// pictures was 4 ms longer on an H200. Each thread keeps its own, since taking it from the system takes milliseconds.
    fn with_pinned<R>(
        copies: &CudaStream,
        count: usize,
        work: impl FnOnce(&mut PinnedHostSlice<f32>) -> Result<R>,
    ) -> Result<R> {
        thread_local! {
            static PINNED: RefCell<Option<PinnedHostSlice<f32>>> = const { RefCell::new(None) };
        }
        PINNED.with_borrow_mut(|pinned| match pinned {
            Some(pinned) if pinned.len() == count => work(pinned),
            _ => {
                // SAFETY: the numbers are written before they are read.
                let new = unsafe { copies.context().alloc_pinned::<f32>(count) }.w()?;
                work(pinned.insert(new))
            }
        })
    }

    /// The stream of a GPU that copies.
    fn copies(gpu: &CudaDevice) -> Result<Arc<CudaStream>> {
        static STREAMS: Mutex<Option<HashMap<DeviceId, Arc<CudaStream>>>> = Mutex::new(None);
        let mut streams = lock(&STREAMS);
        let streams = streams.get_or_insert_default();
        if let Some(stream) = streams.get(&gpu.id()) {
            return Ok(stream.clone());
        }
        let stream = gpu.cuda_stream().context().new_stream().w()?;
        streams.insert(gpu.id(), stream.clone());
        Ok(stream)
    }
}
