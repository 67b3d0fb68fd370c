//! A GPU ready to compute: its stream, our kernels compiled for it, and memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::sys::{CUdeviceptr, CUevent_flags::CU_EVENT_DEFAULT};
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaModule, CudaSlice, CudaStream, DevicePtr, DeviceRepr,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, DeviceId, WrapErr};

use crate::device::{Precision, profile};
use crate::lock::lock;

/// Where something lies in the GPU's memory.
pub(super) type Address = CUdeviceptr;

const SOURCE: &str = include_str!("kernels.cu");

/// One GPU in one precision.
#[derive(Clone)]
pub(crate) struct Gpu {
    pub device: CudaDevice,
    pub precision: Precision,
    pub(super) stream: Arc<CudaStream>,
    module: Arc<Module>,
}

/// The kernels of each device, and whether they are those for bf16.
type Compiled = HashMap<(DeviceId, bool), Arc<Module>>;

struct Module {
    module: Arc<CudaModule>,
    functions: Mutex<HashMap<&'static str, CudaFunction>>,
}

/// Memory for the elements of a map: f32, or bf16 in that precision.
pub(super) struct Elements(CudaSlice<u8>);

impl Gpu {
    /// The kernels are compiled once per device and kind of element, in about a second.
    pub fn new(device: &CudaDevice, precision: Precision) -> Result<Self> {
        static COMPILED: Mutex<Option<Compiled>> = Mutex::new(None);
        let stream = device.cuda_stream();
        let bf16 = precision == Precision::Bf16;
        let mut compiled = lock(&COMPILED);
        let compiled = compiled.get_or_insert_default();
        let module = match compiled.get(&(device.id(), bf16)) {
            Some(module) => module.clone(),
            None => {
                let (major, minor) = stream.context().compute_capability().w()?;
                let mut options = vec![format!("--gpu-architecture=compute_{major}{minor}")];
                if bf16 {
                    options.push("-DBF16".to_owned());
                }
                let options = CompileOptions { options, ..CompileOptions::default() };
                let ptx = compile_ptx_with_opts(SOURCE, options).map_err(candle_core::Error::wrap)?;
                let module = stream.context().load_module(ptx).w()?;
                let module = Arc::new(Module { module, functions: Mutex::default() });
                compiled.insert((device.id(), bf16), module.clone());
                module
            }
        };
        Ok(Self { device: device.clone(), precision, stream, module })
    }

    pub(super) fn function(&self, name: &'static str) -> Result<CudaFunction> {
        let mut functions = lock(&self.module.functions);
        if let Some(function) = functions.get(name) {
            return Ok(function.clone());
        }
        let function = self.module.module.load_function(name).w()?;
        functions.insert(name, function.clone());
        Ok(function)
    }

    /// Memory for so many elements of a map, with anything in it.
    pub(super) fn elements(&self, count: usize) -> Result<Elements> {
        // SAFETY: whoever asks for memory writes it before it is read.
        Ok(Elements(unsafe { self.device.alloc::<u8>(count * self.element_bytes())? }))
    }

    /// Memory for so many f32, with anything in it.
    pub(super) fn floats(&self, count: usize) -> Result<CudaSlice<f32>> {
        // SAFETY: as above.
        unsafe { self.device.alloc::<f32>(count) }
    }

    pub(super) fn element_bytes(&self) -> usize {
        if self.precision == Precision::Bf16 { 2 } else { 4 }
    }

    /// Runs `work`, which launches, and adds the time that the GPU takes for it to `name` if the profile is on: an event
    /// before it and one behind it, read at the end.
    pub(super) fn timed<R>(&self, name: &'static str, work: impl FnOnce() -> Result<R>) -> Result<R> {
        if !profile::is_on() {
            return work();
        }
        let start = self.stream.record_event(Some(CU_EVENT_DEFAULT)).w()?;
        let result = work()?;
        let end = self.stream.record_event(Some(CU_EVENT_DEFAULT)).w()?;
        profile::add(name, move || Ok(f64::from(start.elapsed_ms(&end).w()?) * 1e-3));
        Ok(result)
    }

    pub(super) fn at<T>(&self, memory: &CudaSlice<T>) -> Address {
        memory.device_ptr(&self.stream).0
    }

    pub(super) fn map(&self, elements: &Elements) -> Address {
        self.at(&elements.0)
    }
}

/// Launches a kernel: `launch!(gpu, kernel[grid, block](argument, …))` is CUDA's `kernel<<<grid, block>>>(argument, …)`.
macro_rules! launch {
    ($gpu:expr, $kernel:ident[$grid:expr, $block:expr]($($argument:expr),+)) => {{
        use candle_core::cuda_backend::WrapErr;
        use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
        let function = $gpu.function(stringify!($kernel))?;
        let mut arguments = $gpu.stream.launch_builder(&function);
        $(
            let argument = $argument;
            arguments.arg(&argument);
        )+
        let config = LaunchConfig { grid_dim: $grid, block_dim: $block, shared_mem_bytes: 0 };
        // SAFETY: number, order and types of the arguments are those of the kernel's head in kernels.cu, and every
        // address lies in memory of the size that it expects.
        $gpu.timed(stringify!($kernel), || unsafe { arguments.launch(config) }.w()).map(|_| ())
    }};
}
pub(super) use launch;

/// At most so many domains in one pass, as in kernels.cu.
pub(super) const MOST_DOMAINS: usize = 8;

/// Where each domain's pixels start in a map, as kernels.cu has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Domains {
    pub count: i32,
    pub starts: [i32; MOST_DOMAINS + 1],
}

/// What batch norm does to a map, as kernels.cu has it: addresses of moments, scale and shift; 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Norm {
    pub moments: Address,
    pub scale: Address,
    pub shift: Address,
}

/// Share of the running statistics that stays when a domain has passed, as kernels.cu has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Kept(pub [f64; MOST_DOMAINS]);

// SAFETY: plain numbers in C's layout.
unsafe impl DeviceRepr for Domains {}
// SAFETY: as above.
unsafe impl DeviceRepr for Norm {}
// SAFETY: as above.
unsafe impl DeviceRepr for Kept {}
