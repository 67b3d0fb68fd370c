//! Access to the numbers behind a tensor on the CPU, for the layers written here.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, WithDType, bail};

use super::lanes::Lanes;

/// A float type that our layers compute in: f32 to train, f64 to check gradients and the golden cases.
pub trait Element: WithDType + Lanes {
    /// The larger of two numbers, and NaN if either is: a broken value must stay visible.
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn at_least(self, other: Self) -> Self {
        if self >= other || self != self { self } else { other }
    }
}

impl Element for f32 {}
impl Element for f64 {}

/// The elements of a contiguous CPU storage.
///
/// # Errors
/// If the element type is another one or the layout has gaps.
pub fn contiguous<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("expected a contiguous tensor, found strides {:?}", layout.stride());
    };
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// Runs `use_elements` on the elements of a contiguous tensor on the CPU.
///
/// # Errors
/// If the tensor is elsewhere, of another type, or has gaps.
pub fn with_elements<T: Element, R>(tensor: &Tensor, use_elements: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(use_elements(contiguous(storage, layout)?)),
        _ => bail!("expected a tensor on the CPU, found one on {:?}", tensor.device()),
    }
}

/// The message for an element type that is neither f32 nor f64.
pub fn unsupported<T>(operation: &str, dtype: DType) -> Result<T> {
    bail!("{operation}: expected elements of type f32 or f64, found {dtype:?}")
}

/// A vector of `length` elements whose values are arbitrary; every one must be written before it is read.
///
/// Zeroing the large activations of a ResNet costs as much as a batch norm.
pub fn scratch<T: Element>(length: usize) -> Vec<T> {
    let mut elements = Vec::with_capacity(length);
    // SAFETY: the capacity is there, and every bit pattern is a value of f32 and of f64.
    #[allow(clippy::uninit_vec)]
    unsafe {
        elements.set_len(length);
    }
    ask_for_large_pages(&mut elements);
    elements
}

/// Asks Linux to back a large vector with pages of 2 MiB: a ResNet's maps fill hundreds of thousands of small ones, and
/// the processor would spend a tenth of a step on looking them up.
fn ask_for_large_pages<T>(elements: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        const LARGE_PAGE: usize = 2 << 20;
        let skipped = elements.as_ptr().cast::<u8>().align_offset(LARGE_PAGE);
        let bytes = size_of_val(elements);
        if bytes >= skipped.saturating_add(LARGE_PAGE) {
            // SAFETY: the range lies inside the vector. It is advice: the content stays, and a refusal changes nothing.
            unsafe {
                let start = elements.as_mut_ptr().cast::<u8>().add(skipped);
                libc::madvise(start.cast(), bytes - skipped, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = elements;
}

/// Runs `work` with the widest vector instructions that this processor has; the same sums in the same order everywhere.
///
/// The default build runs on any x86-64. `work` is inlined into a function for which the compiler may use AVX-512 or
/// AVX2; on other processors (aarch64 has NEON from the start) it simply runs.
#[inline(always)]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        use std::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") {
            // SAFETY: the features have just been seen.
            return unsafe { with_avx512(work) };
        }
        if has!("avx2") {
            // SAFETY: the feature has just been seen.
            return unsafe { with_avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}
