//! A step of SGD over all tensors at once: a launch for each 96 of them.

use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::{Device, Result, Tensor, bail};

use super::gpu::{Address, Gpu, launch};
use super::op::address;
use crate::device::Precision;

/// At most so many tensors in one launch, as in kernels.cu: their table has to fit into a launch's 4 KB of arguments.
const MOST_TENSORS: usize = 96;

#[repr(C)]
#[derive(Clone, Copy)]
struct Table {
    weight: [Address; MOST_TENSORS],
    velocity: [Address; MOST_TENSORS],
    gradient: [Address; MOST_TENSORS],
    count: [i32; MOST_TENSORS],
    rate: [f32; MOST_TENSORS],
}

// SAFETY: plain numbers in C's layout.
unsafe impl DeviceRepr for Table {}

/// A weight, its momentum and its gradient, f32 on one GPU, and the learning rate.
pub(crate) struct Slot<'a> {
    pub weight: &'a Tensor,
    pub velocity: &'a Tensor,
    pub gradient: &'a Tensor,
    pub rate: f64,
}

/// `v ← μv + g + λw; w ← w - η(g + λw + μv)` with Nesterov, else `w ← w - ηv`, of every slot in place.
///
/// # Errors
/// If a tensor is not contiguous f32 on the GPU, or its sizes differ.
pub(crate) fn step(slots: &[Slot], momentum: f64, weight_decay: f64, nesterov: bool) -> Result<()> {
    let Some(Device::Cuda(device)) = slots.first().map(|slot| slot.weight.device()) else {
        return Ok(());
    };
    let gpu = Gpu::new(device, Precision::F32)?;
    for part in slots.chunks(MOST_TENSORS) {
        let mut table = Table {
            weight: [0; MOST_TENSORS],
            velocity: [0; MOST_TENSORS],
            gradient: [0; MOST_TENSORS],
            count: [0; MOST_TENSORS],
            rate: [0.0; MOST_TENSORS],
        };
        for (number, slot) in part.iter().enumerate() {
            let count = slot.weight.elem_count();
            if slot.gradient.elem_count() != count || slot.velocity.elem_count() != count {
                bail!("sgd: expected a gradient of {count} elements, found {}", slot.gradient.elem_count());
            }
            table.weight[number] = address(&gpu, slot.weight)?;
            table.velocity[number] = address(&gpu, slot.velocity)?;
            table.gradient[number] = address(&gpu, slot.gradient)?;
            table.count[number] = count as i32;
            table.rate[number] = slot.rate as f32;
        }
        let grid = (64, part.len() as u32, 1);
        let numbers = (momentum as f32, weight_decay as f32, i32::from(nesterov));
        launch!(gpu, sgd[grid, (256, 1, 1)](table, numbers.0, numbers.1, numbers.2))?;
    }
    Ok(())
}
