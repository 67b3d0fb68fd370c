//! Pictures on their way to a GPU, beside what it computes.

use candle_core::{Device, Result, Shape, Tensor};

/// The numbers as a tensor on `device`, there when this returns.
///
/// A GPU has a second stream for it: in the stream that computes, the copy would wait for the step that is running, and
/// the next step for the copy.
///
/// # Errors
/// If the device has no room for them.
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
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use candle_core::cuda_backend::cudarc::driver::CudaStream;
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
        copies.memcpy_htod(numbers, &mut memory).w()?;
        copies.synchronize().w()?;
        let storage = CudaStorage::wrap_cuda_slice(memory, gpu.clone());
        Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
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
