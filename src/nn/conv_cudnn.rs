//! The convolution on NVIDIA GPUs: cuDNN's forward, backward-data and backward-filter passes, NHWC, f32.
//!
//! Products are made in f32 throughout (`CUDNN_FMA_MATH`): TF32, cuDNN's default on newer GPUs, keeps 10 bits of the
//! mantissa, which is too coarse for the golden cases. Which algorithm is taken cuDNN's heuristics decide; some add up in no
//! fixed order, so two runs on a GPU may differ in the last bits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::cudnn::safe::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, FilterDescriptor,
    TensorDescriptor,
};
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::cpu::conv::shape::ConvShape;

/// Convolves as [`conv2d`](super::conv::conv2d) does; both tensors are contiguous f32 on one GPU.
pub(super) fn conv2d(input: &Tensor, kernel: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let needs_input_gradient = input.track_op();
    input.apply_op2(kernel, Forward { shape, needs_input_gradient })
}

struct Forward {
    shape: ConvShape,
    /// Pictures need no gradient.
    needs_input_gradient: bool,
}

/// From (kernel, gradient of the output) to the gradient of the input.
struct BackwardData(ConvShape);

/// From (input, gradient of the output) to the gradient of the kernel.
struct BackwardFilter(ConvShape);

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "cudnn-convolution"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_on_gpu(self.name())
    }

    fn cuda_fwd(
        &self,
        input: &CudaStorage,
        input_layout: &Layout,
        kernel: &CudaStorage,
        kernel_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let parts = Parts::new(&self.shape, &input.device)?;
        let pass = ConvForward { conv: &parts.conv, x: &parts.input, w: &parts.kernel, y: &parts.output };
        let algorithm = pass.pick_algorithm()?;
        let mut workspace = workspace(&input.device, pass.get_workspace_size(algorithm)?)?;
        let (source, filter) = (elements(input, input_layout)?, elements(kernel, kernel_layout)?);
        let dims = Shape::from(self.shape.output_dims().as_slice());
        // SAFETY: the pass writes every element.
        let mut output = unsafe { input.device.alloc::<f32>(dims.elem_count())? };
        // SAFETY: the descriptors are of these three shapes, f32, NHWC and without gaps.
        unsafe { pass.launch(algorithm, workspace.as_mut(), (1.0, 0.0), &source, &filter, &mut output)? };
        Ok((CudaStorage::wrap_cuda_slice(output, input.device.clone()), dims))
    }

    fn bwd(
        &self,
        input: &Tensor,
        kernel: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (input, kernel) = (input.detach(), kernel.detach());
        let gradient = gradient.detach().contiguous()?;
        let of_input = match self.needs_input_gradient {
            true => Some(kernel.apply_op2_no_bwd(&gradient, &BackwardData(self.shape))?),
            false => None,
        };
        let of_kernel = input.apply_op2_no_bwd(&gradient, &BackwardFilter(self.shape))?;
        Ok((of_input, Some(of_kernel)))
    }
}

impl CustomOp2 for BackwardData {
    fn name(&self) -> &'static str {
        "cudnn-convolution-backward-data"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_on_gpu(self.name())
    }

    fn cuda_fwd(
        &self,
        kernel: &CudaStorage,
        kernel_layout: &Layout,
        gradient: &CudaStorage,
        gradient_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let parts = Parts::new(&self.0, &kernel.device)?;
        let pass =
            ConvBackwardData { conv: &parts.conv, dx: &parts.input, w: &parts.kernel, dy: &parts.output };
        let algorithm = pass.pick_algorithm()?;
        let mut workspace = workspace(&kernel.device, pass.get_workspace_size(algorithm)?)?;
        let (filter, slope) = (elements(kernel, kernel_layout)?, elements(gradient, gradient_layout)?);
        let dims = Shape::from((self.0.batch, self.0.height, self.0.width, self.0.input_channels));
        // Zeros, since a stride larger than the kernel leaves pixels that no window covers.
        let mut result = kernel.device.alloc_zeros::<f32>(dims.elem_count())?;
        // SAFETY: the descriptors are of these three shapes, f32, NHWC and without gaps.
        unsafe { pass.launch(algorithm, workspace.as_mut(), (1.0, 0.0), &mut result, &filter, &slope)? };
        Ok((CudaStorage::wrap_cuda_slice(result, kernel.device.clone()), dims))
    }
}

impl CustomOp2 for BackwardFilter {
    fn name(&self) -> &'static str {
        "cudnn-convolution-backward-filter"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_on_gpu(self.name())
    }

    fn cuda_fwd(
        &self,
        input: &CudaStorage,
        input_layout: &Layout,
        gradient: &CudaStorage,
        gradient_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let parts = Parts::new(&self.0, &input.device)?;
        let pass =
            ConvBackwardFilter { conv: &parts.conv, x: &parts.input, dw: &parts.kernel, dy: &parts.output };
        let algorithm = pass.pick_algorithm()?;
        let mut workspace = workspace(&input.device, pass.get_workspace_size(algorithm)?)?;
        let (source, slope) = (elements(input, input_layout)?, elements(gradient, gradient_layout)?);
        let ConvShape { output_channels, kernel_height, kernel_width, input_channels, .. } = self.0;
        let dims = Shape::from((output_channels, kernel_height, kernel_width, input_channels));
        // SAFETY: the pass writes every element.
        let mut result = unsafe { input.device.alloc::<f32>(dims.elem_count())? };
        // SAFETY: the descriptors are of these three shapes, f32, NHWC and without gaps.
        unsafe { pass.launch(algorithm, workspace.as_mut(), (1.0, 0.0), &source, &mut result, &slope)? };
        Ok((CudaStorage::wrap_cuda_slice(result, input.device.clone()), dims))
    }
}

/// What cuDNN has to know of one convolution.
struct Parts {
    conv: ConvDescriptor<f32>,
    input: TensorDescriptor<f32>,
    kernel: FilterDescriptor<f32>,
    output: TensorDescriptor<f32>,
}

impl Parts {
    fn new(shape: &ConvShape, device: &CudaDevice) -> Result<Self> {
        let cudnn = handle(device)?;
        let (stride, padding) = (int(shape.stride)?, int(shape.padding)?);
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let mut conv = cudnn.create_conv2d::<f32>([padding; 2], [stride; 2], [1; 2], mode)?;
        conv.set_math_type(cudnnMathType_t::CUDNN_FMA_MATH)?;
        // cuDNN names sizes in the order NCHW, whatever the order in memory.
        let dims = |sizes: [usize; 4]| -> Result<[i32; 4]> {
            let [a, b, c, d] = sizes;
            Ok([int(a)?, int(b)?, int(c)?, int(d)?])
        };
        let format = cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let ConvShape { batch, height, width, input_channels, output_channels, .. } = *shape;
        let input = dims([batch, input_channels, height, width])?;
        let kernel = dims([output_channels, input_channels, shape.kernel_height, shape.kernel_width])?;
        let output = dims([batch, output_channels, shape.output_height, shape.output_width])?;
        Ok(Self {
            conv,
            input: cudnn.create_4d_tensor(format, input)?,
            kernel: cudnn.create_4d_filter(format, kernel)?,
            output: cudnn.create_4d_tensor(format, output)?,
        })
    }
}

/// cuDNN's handle for a device; it may not leave its thread.
fn handle(device: &CudaDevice) -> Result<Arc<Cudnn>> {
    thread_local! {
        static HANDLES: RefCell<HashMap<DeviceId, Arc<Cudnn>>> = RefCell::default();
    }
    HANDLES.with_borrow_mut(|handles| {
        if let Some(handle) = handles.get(&device.id()) {
            return Ok(handle.clone());
        }
        let handle = Cudnn::new(device.cuda_stream())?;
        handles.insert(device.id(), handle.clone());
        Ok(handle)
    })
}

fn elements<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, f32>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<f32>()?.slice(start..end)),
        None => bail!("convolution: expected a contiguous tensor, found strides {:?}", layout.stride()),
    }
}

/// Memory for the algorithm, if it wants any.
fn workspace(device: &CudaDevice, bytes: usize) -> Result<Option<CudaSlice<u8>>> {
    if bytes == 0 {
        return Ok(None);
    }
    // SAFETY: cuDNN reads nothing there that it has not written.
    Ok(Some(unsafe { device.alloc::<u8>(bytes)? }))
}

fn int(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(candle_core::Error::wrap)
}

fn only_on_gpu<T>(name: &str) -> Result<T> {
    bail!("{name}: expected tensors on a GPU, found them on the CPU")
}
