//! cuDNN: whatever it found fastest for a convolution's sizes on this very GPU.
//!
//! It tries its algorithms when a convolution of new sizes comes first (as `torch.backends.cudnn.benchmark` does), for f32 in
//! both layouts: its fastest f32 algorithms want NCHW, and to turn the maps over and back costs less than they save. Some
//! algorithms add up in no fixed order, so two runs on a GPU may differ in the last bits. In f32 no product is rounded to
//! TF32.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::cuda_backend::{DeviceId, WrapErr};
use candle_core::{Result, bail};

use super::gpu::{Address, Elements, Gpu, launch};
use crate::cpu::conv::shape::ConvShape;
use crate::device::Precision;

/// Bytes that an algorithm may take beside its tensors. Only large maps want much, and where those are computed, at both ends
/// of a step, the tape is short: the peak of a step lies elsewhere.
const MOST_WORKSPACE: usize = 1 << 30;

/// Bytes per millisecond that turning a map over reads and writes, at a careful guess.
const TURNED_BYTES: f32 = 2.5e9;

/// Which of the three passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Which {
    Forward,
    OfInput,
    OfKernel,
}

/// How a map lies in memory for cuDNN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Layout {
    /// As everywhere here.
    Nhwc,
    /// Turned over, for this one pass.
    Nchw,
}

/// One pass over input, kernel and output, of which it writes one, or adds to it.
pub(super) fn pass(
    gpu: &Gpu,
    shape: &ConvShape,
    which: Which,
    tensors: [Address; 3],
    add: bool,
) -> Result<()> {
    let found = find(gpu, shape, which, tensors)?;
    let run = |tensors: [Address; 3], add: bool| {
        let name = match which {
            Which::Forward => "convolution, forward",
            Which::OfInput => "convolution, input gradient",
            Which::OfKernel => "convolution, kernel gradient",
        };
        prepared(gpu, shape, found.layout, |prepared| {
            gpu.timed(name, || prepared.run(gpu, &found, tensors, add))
        })
    };
    if found.layout == Layout::Nhwc {
        return run(tensors, add);
    }
    let written = match which {
        Which::OfInput => 0,
        Which::OfKernel => 1,
        Which::Forward => 2,
    };
    let extents = extents(shape);
    let mut over: Vec<Elements> = Vec::with_capacity(3);
    for (number, extent) in extents.iter().enumerate() {
        let copy = gpu.elements(extent.iter().product())?;
        if number != written {
            transpose(gpu, tensors[number], gpu.map(&copy), *extent, false)?;
        }
        over.push(copy);
    }
    run([0, 1, 2].map(|number: usize| gpu.map(&over[number])), false)?;
    let [count, places, channels] = extents[written];
    transpose(gpu, gpu.map(&over[written]), tensors[written], [count, channels, places], add)
}

/// Input, kernel and output, each as `[pictures or outputs, places, channels]`.
fn extents(shape: &ConvShape) -> [[usize; 3]; 3] {
    [
        [shape.batch, shape.height * shape.width, shape.input_channels],
        [shape.output_channels, shape.kernel_height * shape.kernel_width, shape.input_channels],
        [shape.batch, shape.output_height * shape.output_width, shape.output_channels],
    ]
}

/// `[count, rows, columns]` → `[count, columns, rows]`.
fn transpose(
    gpu: &Gpu,
    from: Address,
    to: Address,
    [count, rows, columns]: [usize; 3],
    add: bool,
) -> Result<()> {
    let grid = (columns.div_ceil(32) as u32, rows.div_ceil(32) as u32, count as u32);
    launch!(gpu, transpose[grid, (32, 8, 1)](from, to, rows as i32, columns as i32, i32::from(add)))
}

/// How long the fastest algorithm took, once it was looked for.
pub(super) fn milliseconds(gpu: &Gpu, shape: &ConvShape, which: Which) -> Option<f32> {
    let key = (gpu.device.id(), gpu.precision, *shape, which);
    LIBRARY.with_borrow(|library| library.found.get(&key).map(|found| found.milliseconds))
}

/// The fastest algorithm. When it is asked for the first time the algorithms are tried on the tensors, one of which they
/// write.
pub(super) fn find(gpu: &Gpu, shape: &ConvShape, which: Which, tensors: [Address; 3]) -> Result<Found> {
    let key = (gpu.device.id(), gpu.precision, *shape, which);
    if let Some(found) = LIBRARY.with_borrow(|library| library.found.get(&key).copied()) {
        return Ok(found);
    }
    let mut best = prepared(gpu, shape, Layout::Nhwc, |prepared| prepared.find(gpu, which, tensors))?;
    if gpu.precision == Precision::F32 {
        // What lies in the tensors does not matter to the time that it takes.
        let other = prepared(gpu, shape, Layout::Nchw, |prepared| prepared.find(gpu, which, tensors))?;
        let bytes: usize = extents(shape).iter().map(|extent| 2 * 4 * extent.iter().product::<usize>()).sum();
        let milliseconds = other.milliseconds + bytes as f32 / TURNED_BYTES;
        if milliseconds < best.milliseconds {
            best = Found { milliseconds, ..other };
        }
    }
    LIBRARY.with_borrow_mut(|library| library.found.insert(key, best));
    Ok(best)
}

thread_local! {
    static LIBRARY: RefCell<Library> = RefCell::default();
}

#[derive(Default)]
struct Library {
    handles: HashMap<DeviceId, Rc<Handle>>,
    prepared: HashMap<(DeviceId, Precision, Layout, ConvShape), Prepared>,
    found: HashMap<(DeviceId, Precision, ConvShape, Which), Found>,
}

/// Lends what cuDNN has to know of a convolution.
fn prepared<R>(
    gpu: &Gpu,
    shape: &ConvShape,
    layout: Layout,
    work: impl FnOnce(&Prepared) -> Result<R>,
) -> Result<R> {
    LIBRARY.with_borrow_mut(|library| {
        let device = gpu.device.id();
        let handle = match library.handles.get(&device) {
            Some(handle) => handle.clone(),
            None => {
                gpu.stream.context().bind_to_thread().w()?;
                let handle = Rc::new(Handle(result::create_handle().map_err(candle_core::Error::wrap)?));
                // SAFETY: the stream lives as long as the device.
                unsafe { result::set_stream(handle.0, gpu.stream.cu_stream() as *mut _) }
                    .map_err(candle_core::Error::wrap)?;
                library.handles.insert(device, handle.clone());
                handle
            }
        };
        let key = (device, gpu.precision, layout, *shape);
        let prepared = match library.prepared.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Prepared::new(handle, gpu.precision, layout, shape)?),
        };
        work(prepared)
    })
}

/// What cuDNN has to know of one convolution.
struct Prepared {
    handle: Rc<Handle>,
    convolution: sys::cudnnConvolutionDescriptor_t,
    input: sys::cudnnTensorDescriptor_t,
    kernel: sys::cudnnFilterDescriptor_t,
    output: sys::cudnnTensorDescriptor_t,
    layout: Layout,
}

/// An algorithm of one pass.
#[derive(Clone, Copy)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    OfInput(sys::cudnnConvolutionBwdDataAlgo_t),
    OfKernel(sys::cudnnConvolutionBwdFilterAlgo_t),
}

/// An algorithm, the kind of its products, and the bytes that it needs.
#[derive(Clone, Copy)]
pub(super) struct Found {
    layout: Layout,
    algorithm: Algorithm,
    math: sys::cudnnMathType_t,
    workspace: usize,
    milliseconds: f32,
}

/// cuDNN's handle for a device, which may not leave its thread.
struct Handle(sys::cudnnHandle_t);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was created and is used no more. A failure leaves nothing to be done.
        let _ = unsafe { result::destroy_handle(self.0) };
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            let _ = result::destroy_convolution_descriptor(self.convolution);
            let _ = result::destroy_tensor_descriptor(self.input);
            let _ = result::destroy_filter_descriptor(self.kernel);
            let _ = result::destroy_tensor_descriptor(self.output);
        }
    }
}

impl Prepared {
    fn new(handle: Rc<Handle>, precision: Precision, layout: Layout, shape: &ConvShape) -> Result<Self> {
        let prepare = || -> std::result::Result<Self, result::CudnnError> {
            let this = Self {
                handle,
                convolution: result::create_convolution_descriptor()?,
                input: result::create_tensor_descriptor()?,
                kernel: result::create_filter_descriptor()?,
                output: result::create_tensor_descriptor()?,
                layout,
            };
            let elements = match precision {
                Precision::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
                _ => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            };
            let format = match layout {
                Layout::Nhwc => sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC,
                Layout::Nchw => sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW,
            };
            let ConvShape { batch, height, width, input_channels, output_channels, .. } = *shape;
            // cuDNN names sizes in the order NCHW, whatever the order in memory.
            let [input, kernel, output] = [
                [batch, input_channels, height, width],
                [output_channels, input_channels, shape.kernel_height, shape.kernel_width],
                [batch, output_channels, shape.output_height, shape.output_width],
            ]
            .map(|sizes| sizes.map(|size| size as c_int));
            let (padding, stride) = (shape.padding as c_int, shape.stride as c_int);
            // SAFETY: the descriptors were created above.
            unsafe {
                result::set_convolution2d_descriptor(
                    this.convolution,
                    padding,
                    padding,
                    stride,
                    stride,
                    1,
                    1,
                    sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                    sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
                )?;
                let math = match precision {
                    // Else cuDNN would take TF32, whose 10 bits of the mantissa are too coarse for the golden cases.
                    Precision::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
                    Precision::Tf32 | Precision::Bf16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
                };
                result::set_convolution_math_type(this.convolution, math)?;
                result::set_tensor4d_descriptor(this.input, format, elements, input)?;
                result::set_filter4d_descriptor(this.kernel, elements, format, kernel)?;
                result::set_tensor4d_descriptor(this.output, format, elements, output)?;
            }
            Ok(this)
        };
        prepare().map_err(candle_core::Error::wrap)
    }

    fn run(&self, gpu: &Gpu, found: &Found, tensors: [Address; 3], add: bool) -> Result<()> {
        // SAFETY: cuDNN reads nothing there that it has not written.
        let workspace = unsafe { gpu.device.alloc::<u8>(found.workspace.max(1))? };
        let (workspace, bytes) = (gpu.at(&workspace) as *mut c_void, found.workspace);
        let (one, beta) = (1f32, if add { 1f32 } else { 0.0 });
        let (alpha, beta) = ((&raw const one).cast::<c_void>(), (&raw const beta).cast::<c_void>());
        let [input, kernel, output] = tensors.map(|address| address as *mut c_void);
        macro_rules! run {
            ($run:ident, $algorithm:ident: $one:ident, $other:ident -> $written:ident) => {
                result::$run(
                    self.handle.0,
                    alpha,
                    self.$one,
                    $one,
                    self.$other,
                    $other,
                    self.convolution,
                    $algorithm,
                    workspace,
                    bytes,
                    beta,
                    self.$written,
                    $written,
                )
            };
        }
        // SAFETY: the descriptors are those of the three tensors, and the algorithm was found for them.
        unsafe {
            result::set_convolution_math_type(self.convolution, found.math)
                .map_err(candle_core::Error::wrap)?;
            match found.algorithm {
                Algorithm::Forward(algorithm) => {
                    run!(convolution_forward, algorithm: input, kernel -> output)
                }
                Algorithm::OfInput(algorithm) => {
                    run!(convolution_backward_data, algorithm: kernel, output -> input)
                }
                Algorithm::OfKernel(algorithm) => {
                    run!(convolution_backward_filter, algorithm: input, output -> kernel)
                }
            }
        }
        .map_err(candle_core::Error::wrap)
    }

    /// The fastest algorithm, tried on the tensors themselves: what the pass will write anyhow is overwritten meanwhile.
    fn find(&self, gpu: &Gpu, which: Which, tensors: [Address; 3]) -> Result<Found> {
        const MOST: usize = 16;
        // SAFETY: as in `run`.
        let workspace = unsafe { gpu.device.alloc::<u8>(MOST_WORKSPACE)? };
        let workspace = gpu.at(&workspace) as *mut c_void;
        let [input, kernel, output] = tensors.map(|address| address as *mut c_void);
        let mut count: c_int = 0;
        // SAFETY: the descriptors are those of the three tensors, and the answers have room for as many as are asked for.
        macro_rules! tried {
            ($find:ident, $answer:ident, $which:ident: $one:ident, $other:ident -> $written:ident) => {{
                let mut answers: [sys::$answer; MOST] = unsafe { std::mem::zeroed() };
                unsafe {
                    sys::$find(
                        self.handle.0,
                        self.$one,
                        $one,
                        self.$other,
                        $other,
                        self.convolution,
                        self.$written,
                        $written,
                        MOST as c_int,
                        &raw mut count,
                        answers.as_mut_ptr(),
                        workspace,
                        MOST_WORKSPACE,
                    )
                }
                .result()
                .map_err(candle_core::Error::wrap)?;
                let works = answers
                    .into_iter()
                    .take(count as usize)
                    .filter(|answer| answer.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS);
                let found = works.map(|answer| Found {
                    layout: self.layout,
                    algorithm: Algorithm::$which(answer.algo),
                    math: answer.mathType,
                    workspace: answer.memory,
                    milliseconds: answer.time,
                });
                found.min_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds))
            }};
        }
        let found = match which {
            Which::Forward => tried!(
                cudnnFindConvolutionForwardAlgorithmEx,
                cudnnConvolutionFwdAlgoPerf_t,
                Forward: input, kernel -> output
            ),
            Which::OfInput => tried!(
                cudnnFindConvolutionBackwardDataAlgorithmEx,
                cudnnConvolutionBwdDataAlgoPerf_t,
                OfInput: kernel, output -> input
            ),
            Which::OfKernel => tried!(
                cudnnFindConvolutionBackwardFilterAlgorithmEx,
                cudnnConvolutionBwdFilterAlgoPerf_t,
                OfKernel: input, output -> kernel
            ),
        };
        match found {
            Some(found) => Ok(found),
            None => bail!("cuDNN: expected an algorithm for {which:?}, found none of {count} that works"),
        }
    }
}
