//! The memory of a GPU: how much tensors took at most, as `torch.cuda.max_memory_allocated` tells for PyTorch.
//!
//! CUDA's pool, from which candle allocates, counts that itself. What cuDNN, cuBLAS and the driver take beside it is not in it.

use candle_core::Device;

/// Starts counting anew: what is in use now becomes the peak. Does nothing on the CPU.
pub fn restart_peak(device: &Device) {
    #[cfg(feature = "cuda")]
    if let Some(pool) = pool::Pool::of(device) {
        pool.restart_peak();
    }
    let _ = device;
}

/// The most that tensors took since the last restart, in MB; none on the CPU and on GPUs without a memory pool.
pub fn peak_mb(device: &Device) -> Option<f64> {
    #[cfg(feature = "cuda")]
    if let Some(pool) = pool::Pool::of(device) {
        return pool.peak_bytes().map(|bytes| bytes as f64 / (1024.0 * 1024.0));
    }
    let _ = device;
    None
}

/// Lets the pool keep what is freed, for the next step; as it comes it gives all back to the system whenever somebody
/// waits for the GPU, which is once in every step.
pub(super) fn keep_freed(device: &Device) {
    #[cfg(feature = "cuda")]
    if let Some(pool) = pool::Pool::of(device) {
        pool.keep_freed();
    }
    let _ = device;
}

#[cfg(feature = "cuda")]
mod pool {
    use candle_core::Device;
    use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
    use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute as Attribute, CUmemoryPool};

    /// The pool that a GPU's tensors come from.
    pub struct Pool(CUmemoryPool);

    impl Pool {
        /// None on the CPU, and where the driver has no pools.
        pub fn of(device: &Device) -> Option<Self> {
            let Device::Cuda(gpu) = device else {
                return None;
            };
            let stream = gpu.cuda_stream();
            let context = stream.context();
            if !context.has_async_alloc() {
                return None;
            }
            // SAFETY: the number is that of an open device.
            unsafe { device::get_mem_pool(context.cu_device()) }.ok().map(Self)
        }

        pub fn restart_peak(&self) {
            self.set(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0);
        }

        pub fn keep_freed(&self) {
            self.set(Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX);
        }

        pub fn peak_bytes(&self) -> Option<u64> {
            let mut bytes = 0u64;
            // SAFETY: the pool is that of an open device, and this attribute is a u64.
            let read = unsafe {
                mem_pool::get_attribute(
                    self.0,
                    Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH,
                    (&raw mut bytes).cast(),
                )
            };
            read.ok().map(|()| bytes)
        }

        /// A driver that knows no such attribute goes on without it: a run loses nothing but time.
        fn set(&self, attribute: Attribute, mut value: u64) {
            // SAFETY: the pool is that of an open device, and both attributes set here are of u64.
            let _ = unsafe { mem_pool::set_attribute(self.0, attribute, (&raw mut value).cast()) };
        }
    }
}
