//! Convolutions: 1×1 ones as products, the others by whatever cuDNN found fastest for their sizes on this very GPU.
//!
//! cuDNN tries its algorithms when a convolution of new sizes comes first (as `torch.backends.cudnn.benchmark` does); some
//! add up in no fixed order, so two runs on a GPU may differ in the last bits. In f32 no product is rounded to TF32.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::cuda_backend::{DeviceId, WrapErr};
use candle_core::{Result, bail};

use super::gpu::{Address, Elements, Gpu, launch};
use super::product::Product;
use super::profile;
use crate::cpu::conv::shape::ConvShape;
use crate::device::Precision;

/// What an algorithm may take beside its tensors; the fastest ones of a ResNet-50's step need less.
const MOST_WORKSPACE: usize = 256 << 20;

/// Which of the three passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    Forward,
    OfInput,
    OfKernel,
}

/// `output = convolution(input, kernel)`.
pub(super) fn forward(
    gpu: &Gpu,
    shape: &ConvShape,
    input: Address,
    kernel: Address,
    output: Address,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.forward(gpu, input, kernel, output),
        Some(product) => {
            let read = every_second(gpu, shape, input)?;
            product.forward(gpu, gpu.map(&read), kernel, output)
        }
        None => cudnn(gpu, shape, Which::Forward, input, kernel, output),
    }
}

/// The gradient of the input from that of the output: in the place of what is there, or added to it.
///
/// Only what the kernels of a ResNet need: 3×3 ones replace, 1×1 ones of stride 2 add.
pub(super) fn of_input(
    gpu: &Gpu,
    shape: &ConvShape,
    kernel: Address,
    of_output: Address,
    of_input: Address,
    add: bool,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.of_input(gpu, kernel, of_output, of_input, add),
        Some(product) if add => {
            let of_read = gpu.elements(product.pixels * product.input)?;
            product.of_input(gpu, kernel, of_output, gpu.map(&of_read), false)?;
            let (grid, [batch, height, width, channels]) = per_pixel(shape);
            launch!(
                gpu,
                "add_to_every_second",
                grid,
                BLOCK,
                gpu.map(&of_read),
                of_input,
                batch,
                height,
                width,
                channels
            )
        }
        None if !add => cudnn(gpu, shape, Which::OfInput, of_input, kernel, of_output),
        _ => bail!(
            "convolution on the GPU: expected one that a residual network has, found {shape:?}, add {add}"
        ),
    }
}

/// The gradient of the kernel, f32, from the input and the gradient of the output.
pub(super) fn of_kernel(
    gpu: &Gpu,
    shape: &ConvShape,
    input: Address,
    of_output: Address,
    of_kernel: Address,
) -> Result<()> {
    match product(shape) {
        Some(product) if shape.stride == 1 => product.of_kernel(gpu, input, of_output, of_kernel),
        Some(product) => {
            let read = every_second(gpu, shape, input)?;
            product.of_kernel(gpu, gpu.map(&read), of_output, of_kernel)
        }
        None if gpu.precision == Precision::Bf16 => {
            let count = shape.patch() * shape.output_channels;
            let rounded = gpu.elements(count)?;
            cudnn(gpu, shape, Which::OfKernel, input, gpu.map(&rounded), of_output)?;
            launch!(gpu, "to_floats", blocks(count), BLOCK, gpu.map(&rounded), of_kernel, count)
        }
        None => cudnn(gpu, shape, Which::OfKernel, input, of_kernel, of_output),
    }
}

/// The product that a 1×1 convolution is, over the pixels that it reads.
fn product(shape: &ConvShape) -> Option<Product> {
    let is_product = shape.kernel_height == 1
        && shape.kernel_width == 1
        && shape.padding == 0
        && shape.stride <= 2
        && shape.input_channels % 4 == 0;
    is_product.then(|| Product {
        pixels: shape.positions(),
        input: shape.input_channels,
        output: shape.output_channels,
    })
}

pub(super) const BLOCK: (u32, u32, u32) = (256, 1, 1);

/// The grid for so many threads.
pub(super) fn blocks(threads: usize) -> (u32, u32, u32) {
    (threads.div_ceil(256) as u32, 1, 1)
}

/// The grid over the pixels that a convolution of stride 2 reads, and the sizes of its input.
fn per_pixel(shape: &ConvShape) -> ((u32, u32, u32), [i32; 4]) {
    let grid = blocks(shape.positions() * shape.input_channels / 4);
    (grid, [shape.batch, shape.height, shape.width, shape.input_channels].map(|size| size as i32))
}

/// The pixels that a 1×1 convolution of stride 2 reads, beside each other.
fn every_second(gpu: &Gpu, shape: &ConvShape, input: Address) -> Result<Elements> {
    let read = gpu.elements(shape.positions() * shape.input_channels)?;
    let (grid, [batch, height, width, channels]) = per_pixel(shape);
    launch!(gpu, "every_second", grid, BLOCK, input, gpu.map(&read), batch, height, width, channels)?;
    Ok(read)
}

/// What cuDNN has to know of one convolution, and which algorithm it found for each pass.
struct Prepared {
    handle: Rc<Handle>,
    convolution: sys::cudnnConvolutionDescriptor_t,
    input: sys::cudnnTensorDescriptor_t,
    kernel: sys::cudnnFilterDescriptor_t,
    output: sys::cudnnTensorDescriptor_t,
    found: HashMap<Which, Found>,
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
struct Found {
    algorithm: Algorithm,
    math: sys::cudnnMathType_t,
    workspace: usize,
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

#[derive(Default)]
struct Library {
    handles: HashMap<DeviceId, Rc<Handle>>,
    prepared: HashMap<(DeviceId, Precision, ConvShape), Prepared>,
}

/// One pass by cuDNN; what is written is the output, the input or the kernel, by the pass.
fn cudnn(
    gpu: &Gpu,
    shape: &ConvShape,
    which: Which,
    input: Address,
    kernel: Address,
    output: Address,
) -> Result<()> {
    thread_local! {
        static LIBRARY: RefCell<Library> = RefCell::default();
    }
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
        let key = (device, gpu.precision, *shape);
        if !library.prepared.contains_key(&key) {
            library.prepared.insert(key, Prepared::new(handle, gpu.precision, shape)?);
        }
        let Some(prepared) = library.prepared.get_mut(&key) else {
            bail!("convolution on the GPU: expected its descriptors, found none");
        };
        let name = match which {
            Which::Forward => "convolution, forward",
            Which::OfInput => "convolution, input gradient",
            Which::OfKernel => "convolution, kernel gradient",
        };
        profile::timed(&gpu.stream, name, || prepared.run(gpu, which, input, kernel, output))
    })
}

impl Prepared {
    fn new(handle: Rc<Handle>, precision: Precision, shape: &ConvShape) -> Result<Self> {
        let prepare = || -> std::result::Result<Self, result::CudnnError> {
            let this = Self {
                handle,
                convolution: result::create_convolution_descriptor()?,
                input: result::create_tensor_descriptor()?,
                kernel: result::create_filter_descriptor()?,
                output: result::create_tensor_descriptor()?,
                found: HashMap::new(),
            };
            let elements = match precision {
                Precision::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
                _ => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            };
            let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
            let ConvShape { batch, height, width, input_channels, output_channels, .. } = *shape;
            // cuDNN names sizes in the order NCHW, whatever the order in memory.
            let input = [batch, input_channels, height, width].map(|size| size as c_int);
            let kernel = [output_channels, input_channels, shape.kernel_height, shape.kernel_width];
            let output = [batch, output_channels, shape.output_height, shape.output_width];
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
                result::set_filter4d_descriptor(
                    this.kernel,
                    elements,
                    format,
                    kernel.map(|size| size as c_int),
                )?;
                result::set_tensor4d_descriptor(
                    this.output,
                    format,
                    elements,
                    output.map(|size| size as c_int),
                )?;
            }
            Ok(this)
        };
        prepare().map_err(candle_core::Error::wrap)
    }

    fn run(
        &mut self,
        gpu: &Gpu,
        which: Which,
        input: Address,
        kernel: Address,
        output: Address,
    ) -> Result<()> {
        let found = match self.found.get(&which) {
            Some(found) => *found,
            None => {
                let found = self.find(gpu, which, input, kernel, output)?;
                self.found.insert(which, found);
                found
            }
        };
        // SAFETY: cuDNN reads nothing there that it has not written.
        let workspace = unsafe { gpu.device.alloc::<u8>(found.workspace.max(1))? };
        let (workspace, bytes) = (gpu.at(&workspace) as *mut c_void, found.workspace);
        let (one, zero) = (1f32, 0f32);
        let (alpha, beta) = ((&raw const one).cast::<c_void>(), (&raw const zero).cast::<c_void>());
        let (input, kernel, output) = (input as *mut c_void, kernel as *mut c_void, output as *mut c_void);
        let handle = self.handle.0;
        // SAFETY: the descriptors are those of the three tensors, and the algorithm was found for them.
        let done = unsafe {
            result::set_convolution_math_type(self.convolution, found.math)
                .map_err(candle_core::Error::wrap)?;
            match found.algorithm {
                Algorithm::Forward(algorithm) => result::convolution_forward(
                    handle,
                    alpha,
                    self.input,
                    input,
                    self.kernel,
                    kernel,
                    self.convolution,
                    algorithm,
                    workspace,
                    bytes,
                    beta,
                    self.output,
                    output,
                ),
                Algorithm::OfInput(algorithm) => result::convolution_backward_data(
                    handle,
                    alpha,
                    self.kernel,
                    kernel,
                    self.output,
                    output,
                    self.convolution,
                    algorithm,
                    workspace,
                    bytes,
                    beta,
                    self.input,
                    input,
                ),
                Algorithm::OfKernel(algorithm) => result::convolution_backward_filter(
                    handle,
                    alpha,
                    self.input,
                    input,
                    self.output,
                    output,
                    self.convolution,
                    algorithm,
                    workspace,
                    bytes,
                    beta,
                    self.kernel,
                    kernel,
                ),
            }
        };
        done.map_err(candle_core::Error::wrap)
    }

    /// The fastest algorithm, tried on the tensors themselves: what the pass will write anyhow is overwritten meanwhile.
    fn find(
        &self,
        gpu: &Gpu,
        which: Which,
        input: Address,
        kernel: Address,
        output: Address,
    ) -> Result<Found> {
        const MOST: usize = 16;
        // SAFETY: as in `run`.
        let workspace = unsafe { gpu.device.alloc::<u8>(MOST_WORKSPACE)? };
        let workspace = gpu.at(&workspace) as *mut c_void;
        let (input, kernel, output) = (input as *mut c_void, kernel as *mut c_void, output as *mut c_void);
        let mut count: c_int = 0;
        // SAFETY: the descriptors are those of the three tensors, and the answers have room for as many as are asked for.
        macro_rules! tried {
            ($answer:ty, $algorithm:path, $find:ident, $($argument:expr),+) => {{
                let mut answers: [$answer; MOST] = unsafe { std::mem::zeroed() };
                unsafe {
                    sys::$find(
                        self.handle.0, $($argument),+, MOST as c_int, &raw mut count, answers.as_mut_ptr(), workspace,
                        MOST_WORKSPACE,
                    )
                    .result()
                    .map_err(candle_core::Error::wrap)?;
                }
                let answers = answers.into_iter().take(count as usize);
                answers
                    .filter(|answer| answer.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS)
                    .map(|answer| {
                        let found = Found {
                            algorithm: $algorithm(answer.algo),
                            math: answer.mathType,
                            workspace: answer.memory,
                        };
                        (answer.time, found)
                    })
                    .min_by(|(one, _), (other, _)| one.total_cmp(other))
            }};
        }
        let convolution = self.convolution;
        let found = match which {
            Which::Forward => tried!(
                sys::cudnnConvolutionFwdAlgoPerf_t,
                Algorithm::Forward,
                cudnnFindConvolutionForwardAlgorithmEx,
                self.input,
                input,
                self.kernel,
                kernel,
                convolution,
                self.output,
                output
            ),
            Which::OfInput => tried!(
                sys::cudnnConvolutionBwdDataAlgoPerf_t,
                Algorithm::OfInput,
                cudnnFindConvolutionBackwardDataAlgorithmEx,
                self.kernel,
                kernel,
                self.output,
                output,
                convolution,
                self.input,
                input
            ),
            Which::OfKernel => tried!(
                sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                Algorithm::OfKernel,
                cudnnFindConvolutionBackwardFilterAlgorithmEx,
                self.input,
                input,
                self.output,
                output,
                convolution,
                self.kernel,
                kernel
            ),
        };
        match found {
            Some((_, found)) => Ok(found),
            None => bail!("cuDNN: expected an algorithm for {which:?}, found none of {count} that works"),
        }
    }
}
