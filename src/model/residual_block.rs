//! The residual block: what a ResNet is made of.

use candle_core::{DType, Device, Result, Tensor};

use super::backbone_kind::BackboneKind;
use crate::nn::batch_norm::{BatchNorm, Mode, Then};
use crate::nn::conv::Conv2d;
use crate::nn::parameters::{Group, Parameter};
use crate::random::Generator;

/// `y = relu(F(x) + shortcut(x))`, with F of two 3×3 convolutions, or of 1×1, 3×3, 1×1 (the bottleneck).
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Each convolution with its batch norm.
    pub steps: Vec<(Conv2d, BatchNorm)>,
    /// The shortcut's, where its size changes.
    pub downsample: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    pub fn new(
        kind: BackboneKind,
        input: usize,
        width: usize,
        stride: usize,
        dtype: DType,
        generator: &mut Generator,
    ) -> Result<Self> {
        let output = width * kind.expansion();
        // (input, output, kernel, stride); the bottleneck's stride is in its 3×3, as in torchvision.
        let plan = match kind.expansion() {
            1 => vec![(input, width, 3, stride), (width, width, 3, 1)],
            _ => vec![(input, width, 1, 1), (width, width, 3, stride), (width, output, 1, 1)],
        };
        let mut step = |(input, output, kernel, stride)| -> Result<(Conv2d, BatchNorm)> {
            let conv = Conv2d::new(input, output, kernel, stride, dtype, generator)?;
            Ok((conv, BatchNorm::new(output, dtype)?))
        };
        let steps = plan.into_iter().map(&mut step).collect::<Result<_>>()?;
        let downsample = match stride != 1 || input != output {
            true => Some(step((input, output, 1, stride))?),
            false => None,
        };
        Ok(Self { steps, downsample })
    }

    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let steps = self.steps.iter().map(|step| moved(step, device)).collect::<Result<_>>()?;
        let downsample = self.downsample.as_ref().map(|step| moved(step, device)).transpose()?;
        Ok(Self { steps, downsample })
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(&conv.forward(x)?, mode, Then::Nothing)?,
            None => x.clone(),
        };
        let mut y = x.clone();
        for (number, (conv, norm)) in self.steps.iter().enumerate() {
            let last = number + 1 == self.steps.len();
            let then = if last { Then::AddAndRelu(&shortcut) } else { Then::Relu };
            y = norm.forward(&conv.forward(&y)?, mode, then)?;
        }
        Ok(y)
    }

    pub fn parameters(&self, name: &str) -> Vec<Parameter> {
        let mut all = Vec::new();
        for (number, (conv, norm)) in self.steps.iter().enumerate() {
            all.extend(conv.parameters(&format!("{name}.conv{}", number + 1), Group::Backbone));
            all.extend(norm.parameters(&format!("{name}.bn{}", number + 1), Group::Backbone));
        }
        if let Some((conv, norm)) = &self.downsample {
            all.extend(conv.parameters(&format!("{name}.downsample.0"), Group::Backbone));
            all.extend(norm.parameters(&format!("{name}.downsample.1"), Group::Backbone));
        }
        all
    }
}

/// A convolution with its batch norm on another device.
pub(super) fn moved((conv, norm): &(Conv2d, BatchNorm), device: &Device) -> Result<(Conv2d, BatchNorm)> {
    Ok((conv.to_device(device)?, norm.to_device(device)?))
}
