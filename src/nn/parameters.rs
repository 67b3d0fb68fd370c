//! The tensors of a network by name: what is trained, what is only tracked, and how each lies in a file.

use candle_core::{Device, Tensor, Var};

use crate::error::Result;

/// Which part of the network a trained tensor belongs to; each part has its own learning-rate multiplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The feature extractor.
    Backbone,
    /// The classifier and, under HDA, the heuristic heads.
    Head,
    /// The domain discriminator.
    Discriminator,
}

/// Whether the optimiser moves a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Moved by the optimiser.
    Trained(Group),
    /// Running statistics of batch norm: tracked, saved, never moved by the optimiser.
    Statistic,
}

/// How the tensor lies in a file, compared with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLayout {
    /// The same in both.
    Same,
    /// A convolution kernel: `[out, height, width, in]` in memory, PyTorch's `[out, in, height, width]` in files.
    Kernel,
}

/// One named tensor of a network.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// PyTorch's name, such as `base_net.layer1.0.conv1.weight`.
    pub name: String,
    /// Its value; cloning shares the storage.
    pub value: Var,
    /// Whether the optimiser moves it.
    pub role: Role,
    /// How it lies in a file.
    pub layout: FileLayout,
}

impl Parameter {
    /// `NAME.weight` and the like, which lie in a file as in memory.
    pub(super) fn same<const PARTS: usize>(name: &str, parts: [(&str, &Var, Role); PARTS]) -> Vec<Self> {
        let layout = FileLayout::Same;
        let of = |(part, value, role): (&str, &Var, Role)| Self {
            name: format!("{name}.{part}"),
            value: value.clone(),
            role,
            layout,
        };
        parts.map(of).into()
    }

    /// The value as PyTorch would store it, on the CPU.
    pub fn to_file(&self) -> Result<Tensor> {
        in_file_layout(self.value.as_tensor(), self.layout)
    }

    /// Sets the value, on whatever device it is, from a tensor in PyTorch's layout; the shape must fit.
    pub fn set_from_file(&self, stored: &Tensor) -> Result<()> {
        let stored = match self.layout {
            FileLayout::Same => stored.clone(),
            FileLayout::Kernel => stored.permute((0, 2, 3, 1))?,
        };
        let stored = stored.to_dtype(self.value.dtype())?.contiguous()?;
        Ok(self.value.set(&stored.to_device(self.value.device())?)?)
    }

    /// The shape as PyTorch would store it.
    pub fn file_shape(&self) -> Vec<usize> {
        let dims = self.value.dims();
        match self.layout {
            FileLayout::Same => dims.to_vec(),
            FileLayout::Kernel => vec![dims[0], dims[3], dims[1], dims[2]],
        }
    }
}

/// A tensor of the shape of a parameter (such as its momentum) as PyTorch would store it, on the CPU.
pub fn in_file_layout(tensor: &Tensor, layout: FileLayout) -> Result<Tensor> {
    let tensor = tensor.detach().to_device(&Device::Cpu)?;
    Ok(match layout {
        FileLayout::Same => tensor,
        FileLayout::Kernel => tensor.permute((0, 3, 1, 2))?.contiguous()?,
    })
}

/// A variable of the same value on `device`; a new one, so that the two are trained apart.
pub(crate) fn moved(variable: &Var, device: &Device) -> candle_core::Result<Var> {
    Var::from_tensor(&variable.as_detached_tensor().to_device(device)?)
}
