//! A 1×1 convolution is a matrix product, and cuBLAS's f32 products are about twice as fast as cuDNN's convolutions of
//! NHWC maps (by PyTorch on an H200, `x @ w.t()` against `conv2d` at ResNet-50's shapes with 72 pictures: 30 to 48 against 12
//! to 31 · 10¹² operations per second).
//!
//! `x` is `[pixels, in]`, `kernel` `[out, in]`, `y` `[pixels, out]`, all row by row. cuBLAS counts column by column, and so
//! sees each of them transposed.

use std::ffi::c_int;

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::cublas::result::gemm_ex;
use candle_core::cuda_backend::cudarc::cublas::sys::{
    cublasComputeType_t as Compute, cublasGemmAlgo_t, cublasOperation_t as Operation, cudaDataType,
};

use super::gpu::{Address, Gpu};
use crate::device::Precision;

/// The sizes of one product.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub pixels: usize,
    pub input: usize,
    pub output: usize,
}

impl Product {
    /// `y = x · kernelᵀ`.
    pub fn forward(self, gpu: &Gpu, x: Address, kernel: Address, y: Address) -> Result<()> {
        let Self { pixels, input, output } = self;
        let (kernel, x) = ((kernel, TRANSPOSED, input), (x, PLAIN, input));
        multiply(gpu, "product, forward", [output, pixels, input], kernel, x, (y, output, false), false)
    }

    /// The gradient of `x`, added to what is there or in its place: `of_y · kernel`.
    pub fn of_input(self, gpu: &Gpu, kernel: Address, of_y: Address, of_x: Address, add: bool) -> Result<()> {
        let Self { pixels, input, output } = self;
        let (kernel, of_y, of_x) = ((kernel, PLAIN, input), (of_y, PLAIN, output), (of_x, input, false));
        multiply(gpu, "product, input gradient", [input, pixels, output], kernel, of_y, of_x, add)
    }

    /// The gradient of the kernel, f32: `of_yᵀ · x`.
    pub fn of_kernel(self, gpu: &Gpu, x: Address, of_y: Address, of_kernel: Address) -> Result<()> {
        let Self { pixels, input, output } = self;
        let (x, of_y, of_kernel) = ((x, PLAIN, input), (of_y, TRANSPOSED, output), (of_kernel, input, true));
        multiply(gpu, "product, kernel gradient", [input, output, pixels], x, of_y, of_kernel, false)
    }
}

const PLAIN: Operation = Operation::CUBLAS_OP_N;
const TRANSPOSED: Operation = Operation::CUBLAS_OP_T;

/// `c = a · b (+ c)` in cuBLAS's order; each factor with its operation and the length of its columns.
#[allow(clippy::too_many_arguments)]
fn multiply(
    gpu: &Gpu,
    name: &'static str,
    [m, n, k]: [usize; 3],
    (a, a_operation, a_length): (Address, Operation, usize),
    (b, b_operation, b_length): (Address, Operation, usize),
    (c, c_length, c_is_f32): (Address, usize, bool),
    add: bool,
) -> Result<()> {
    let f32 = cudaDataType::CUDA_R_32F;
    let elements = if gpu.precision == Precision::Bf16 { cudaDataType::CUDA_R_16BF } else { f32 };
    let compute = match gpu.precision {
        Precision::F32 | Precision::Bf16 => Compute::CUBLAS_COMPUTE_32F,
        Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
    };
    let (one, beta) = (1f32, if add { 1f32 } else { 0.0 });
    let blas = gpu.device.cublas_handle();
    // SAFETY: the sizes are those of the matrices that the addresses lead to.
    gpu.timed(name, || unsafe {
        gemm_ex(
            *blas.handle(),
            a_operation,
            b_operation,
            m as c_int,
            n as c_int,
            k as c_int,
            (&raw const one).cast(),
            a as *const _,
            elements,
            a_length as c_int,
            b as *const _,
            elements,
            b_length as c_int,
            (&raw const beta).cast(),
            c as *mut _,
            if c_is_f32 { f32 } else { elements },
            c_length as c_int,
            compute,
            cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
        .w()
    })
}
