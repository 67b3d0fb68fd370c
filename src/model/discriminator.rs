//! The domain discriminator: three fully connected layers.

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::linear::{Linear, dropout};
use crate::nn::parameters::{Group, Parameter};
use crate::random::Generator;

/// `inputs → hidden → hidden → 1`, with ReLU and dropout after the first two; for several sources with 2 outputs.
#[derive(Debug, Clone)]
pub struct Discriminator {
    layers: [Linear; 3],
    /// Share of the hidden units that are dropped in a training step; 0.5 in the published code.
    pub dropout: f64,
}

impl Discriminator {
    /// With 1 output, or with the 2 that the published code has for several sources; Kaiming normal, zero bias.
    pub fn new(
        outputs: usize,
        inputs: usize,
        hidden: usize,
        dropout: f64,
        dtype: DType,
        generator: &mut Generator,
    ) -> Result<Self> {
        let layers = [
            Linear::new(inputs, hidden, 0.0, dtype, generator)?,
            Linear::new(hidden, hidden, 0.0, dtype, generator)?,
            Linear::new(hidden, outputs, 0.0, dtype, generator)?,
        ];
        Ok(Self { layers, dropout })
    }

    /// The same on `device`.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let [first, second, last] = &self.layers;
        let layers = [first.to_device(device)?, second.to_device(device)?, last.to_device(device)?];
        Ok(Self { layers, dropout: self.dropout })
    }

    /// How many outputs it has: 1, or 2 for several sources.
    pub fn outputs(&self) -> usize {
        self.layers[2].bias.elem_count()
    }

    /// `[batch, inputs]` → the logit of "source", `[batch, 1]`, or of "target" and "source", `[batch, 2]`. Dropout draws its masks from `generator`.
    pub fn forward(&self, x: &Tensor, generator: &mut Generator) -> Result<Tensor> {
        let [first, second, last] = &self.layers;
        let x = dropout(&first.forward(x)?.relu()?, self.dropout, generator)?; // [batch, hidden]
        let x = dropout(&second.forward(&x)?.relu()?, self.dropout, generator)?; // [batch, hidden]
        last.forward(&x) // [batch, outputs]
    }

    /// `ad_layer1.weight` and so on.
    pub fn parameters(&self) -> Vec<Parameter> {
        let named = |(number, layer): (usize, &Linear)| {
            layer.parameters(&format!("ad_layer{}", number + 1), Group::Discriminator)
        };
        self.layers.iter().enumerate().flat_map(named).collect()
    }
}
