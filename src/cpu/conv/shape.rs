//! The sizes of one convolution, and how its work is cut into pieces.
//!
//! The pieces depend on the shapes alone, never on the number of threads, so that every sum is made in the same order
//! on every machine of a kind: a run with two threads equals one with a single thread, bit for bit.

use candle_core::{Result, bail};

use crate::cpu::buffers::Buffers;

/// One convolution of a pass, in whichever direction.
#[derive(Clone, Copy)]
pub struct Convolution<'a> {
    pub shape: &'a ConvShape,
    /// Pictures of each domain; no tile reaches over two.
    pub domains: &'a [usize],
    /// Where its memory comes from.
    pub buffers: &'a Buffers,
}

/// The sizes of one 2-D convolution, NHWC, kernel `[out, height, width, in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvShape {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub input_channels: usize,
    pub output_height: usize,
    pub output_width: usize,
    pub output_channels: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    /// Pixels between two positions of the kernel.
    pub stride: usize,
    /// Zeros around the picture, on every side.
    pub padding: usize,
}

impl ConvShape {
    /// The sizes for an input `[batch, height, width, in]` and a kernel `[out, height, width, in]`.
    ///
    /// # Errors
    /// If the ranks or the channels do not fit, or the kernel is larger than the padded picture.
    pub fn new(input: &[usize], kernel: &[usize], stride: usize, padding: usize) -> Result<Self> {
        let (
            &[batch, height, width, input_channels],
            &[output_channels, kernel_height, kernel_width, in_kernel],
        ) = (input, kernel)
        else {
            bail!(
                "convolution: expected input [batch, height, width, in] and kernel [out, height, width, in], \
                 found {input:?} and {kernel:?}"
            );
        };
        if input_channels != in_kernel {
            bail!("convolution: expected an input of {in_kernel} channels, found {input:?} (is it NHWC?)");
        }
        if height + 2 * padding < kernel_height || width + 2 * padding < kernel_width || stride == 0 {
            bail!(
                "convolution: expected a picture of at least {kernel_height}×{kernel_width} with padding {padding} \
                 and a stride of at least 1, found {height}×{width} and stride {stride}"
            );
        }
        Ok(Self {
            batch,
            height,
            width,
            input_channels,
            output_height: (height + 2 * padding - kernel_height) / stride + 1,
            output_width: (width + 2 * padding - kernel_width) / stride + 1,
            output_channels,
            kernel_height,
            kernel_width,
            stride,
            padding,
        })
    }

    /// Positions of the kernel: `batch · output_height · output_width`.
    pub fn positions(&self) -> usize {
        self.batch * self.output_height * self.output_width
    }

    /// Elements under the kernel: `kernel_height · kernel_width · in`.
    pub fn patch(&self) -> usize {
        self.kernel_height * self.kernel_width * self.input_channels
    }

    /// `[batch, height, width, out]` of the output.
    pub fn output_dims(&self) -> [usize; 4] {
        [self.batch, self.output_height, self.output_width, self.output_channels]
    }

    /// Elements of the input.
    #[cfg(feature = "cudnn")]
    pub fn input_elements(&self) -> usize {
        self.batch * self.height * self.width * self.input_channels
    }
}
