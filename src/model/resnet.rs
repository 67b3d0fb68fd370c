//! Residual networks (He et al. 2015) under torchvision's tensor names, and the small one of Mini Office-Home.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

pub use super::backbone_kind::BackboneKind;
use super::residual_block::{Block, moved};
use crate::cpu::buffers::Buffers;
use crate::cpu::conv::shape::ConvShape;
use crate::cpu::max_pool::pooled;
use crate::cpu::resnet::op::Network;
use crate::cpu::resnet::plan::{BlockPlan, Plan, Unit};
#[cfg(feature = "cudnn")]
use crate::cuda;
use crate::device::Precision;
use crate::error::complain;
use crate::nn::batch_norm::{BatchNorm, Mode, Then};
use crate::nn::composed;
use crate::nn::conv::Conv2d;
use crate::nn::max_pool::max_pool;
use crate::nn::parameters::{Group, Parameter};
use crate::random::Generator;

/// A stage of the network, after which the feature map can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// `layer1`
    Layer1,
    /// `layer2`
    Layer2,
    /// `layer3`
    Layer3,
    /// `layer4`, the last.
    Layer4,
}

impl Layer {
    /// That of torchvision's name, `layer1` to `layer4`.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_name(name: &str) -> crate::error::Result<Self> {
        match name {
            "layer1" => Ok(Self::Layer1),
            "layer2" => Ok(Self::Layer2),
            "layer3" => Ok(Self::Layer3),
            "layer4" => Ok(Self::Layer4),
            _ => Err(complain("a layer: layer1, layer2, layer3 or layer4", format!("'{name}'")).into()),
        }
    }
}

/// Stem, four stages of residual blocks, global average pooling.
#[derive(Debug, Clone)]
pub struct ResNet {
    kind: BackboneKind,
    stem: (Conv2d, BatchNorm),
    layers: Vec<Vec<Block>>,
    memory: Arc<Buffers>,
    precision: Precision,
}

/// What computes the network; see [`ResNet::way`].
enum Way {
    /// The CPU's one operation.
    Cpu,
    /// The GPU's one operation.
    #[cfg(feature = "cudnn")]
    Gpu,
    /// One operation of candle's graph after the other.
    Layers,
}

impl ResNet {
    /// A network with torchvision's initial values.
    pub fn new(kind: BackboneKind, dtype: DType, generator: &mut Generator) -> Result<Self> {
        let small = kind == BackboneKind::Small;
        let mut channels = kind.widths()[0];
        let conv1 = Conv2d::new(3, channels, if small { 3 } else { 7 }, 2, dtype, generator)?;
        let mut layers = Vec::new();
        for ((blocks, width), stride) in kind.blocks().into_iter().zip(kind.widths()).zip(kind.strides()) {
            let mut layer = Vec::new();
            for number in 0..blocks {
                let stride = if number == 0 { stride } else { 1 };
                layer.push(Block::new(kind, channels, width, stride, dtype, generator)?);
                channels = width * kind.expansion();
            }
            layers.push(layer);
        }
        let bn1 = BatchNorm::new(kind.widths()[0], dtype)?;
        Ok(Self { kind, stem: (conv1, bn1), layers, memory: Arc::default(), precision: Precision::F32 })
    }

    /// The same on `device`.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let layer = |blocks: &Vec<Block>| blocks.iter().map(|block| block.to_device(device)).collect();
        Ok(Self {
            kind: self.kind,
            stem: moved(&self.stem, device)?,
            layers: self.layers.iter().map(layer).collect::<Result<_>>()?,
            memory: Arc::default(),
            precision: self.precision,
        })
    }

    /// The same network, sharing its tensors, computed in `precision` where a GPU computes it.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The one place that decides what computes the network for these pictures.
    ///
    /// Our own operations give no gradient to the pictures, and the GPU's one computes in f32 or coarser.
    fn way(&self, images: &Tensor) -> Way {
        if images.track_op() {
            return Way::Layers;
        }
        #[cfg(feature = "cudnn")]
        if images.device().is_cuda() && images.dtype() == DType::F32 {
            return Way::Gpu;
        }
        if composed::on(images.device()) { Way::Layers } else { Way::Cpu }
    }

    /// Which network this is.
    pub fn kind(&self) -> BackboneKind {
        self.kind
    }

    /// The feature: `[batch, height, width, 3]` → `[batch, channels]`.
    ///
    /// On the CPU the network is one operation of candle's graph, which gives its memory back as soon as the gradient has
    /// passed: `backward` can be called once. [`ResNet::forward_by_layers`] has no such limit.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        match mode {
            Mode::Training { statistics_updates } => {
                let mut features = self.forward_domains(&[(images, statistics_updates)])?;
                Ok(features.remove(0))
            }
            Mode::Evaluation => match self.way(images) {
                Way::Cpu => Ok(self.network(vec![images.dim(0)?], mode)?.forward(images)?.0),
                _ => self.forward_by_layers(images, mode),
            },
            Mode::Guided => match self.way(&images.detach()) {
                Way::Cpu => self.network(vec![images.dim(0)?], mode)?.guided(images),
                _ => self.forward_by_layers(images, mode),
            },
        }
    }

    /// The features of several domains in training mode, each `[batch, channels]`.
    ///
    /// Each domain comes with how often it moves the running statistics (see [`Mode::Training`]). Batch norm treats each
    /// on its own, in the given order, as if they passed one after the other.
    pub fn forward_domains(&self, domains: &[(&Tensor, u32)]) -> Result<Vec<Tensor>> {
        let batches: Vec<usize> = domains.iter().map(|(images, _)| images.dim(0)).collect::<Result<_>>()?;
        let images: Vec<&Tensor> = domains.iter().map(|(images, _)| *images).collect();
        let ways = images.iter().map(|images| self.way(images));
        let features =
            match ways.reduce(|first, other| if matches!(other, Way::Layers) { other } else { first }) {
                Some(Way::Cpu) => {
                    let training = Mode::Training { statistics_updates: 1 };
                    let (features, moments) =
                        self.network(batches.clone(), training)?.forward(&Tensor::cat(&images, 0)?)?;
                    for ((_, norm), moments) in self.units().iter().zip(&moments) {
                        for ((_, statistics_updates), moments) in domains.iter().zip(moments) {
                            norm.follow(moments, *statistics_updates)?;
                        }
                    }
                    features
                }
                #[cfg(feature = "cudnn")]
                Some(Way::Gpu) => {
                    let updates: Vec<u32> = domains.iter().map(|(_, updates)| *updates).collect();
                    self.gpu_network(batches.clone())?.forward(&Tensor::cat(&images, 0)?, &updates)?
                }
                _ => {
                    let one = |&(images, statistics_updates): &(&Tensor, u32)| {
                        self.forward_by_layers(images, Mode::Training { statistics_updates })
                    };
                    return domains.iter().map(one).collect();
                }
            };
        let mut start = 0;
        let part = |batch: &usize| {
            let part = features.narrow(0, start, *batch);
            start += batch;
            part
        };
        batches.iter().map(part).collect()
    }

    /// The feature in evaluation mode, without a graph: nothing is kept for a gradient.
    pub fn feature(&self, images: &Tensor) -> Result<Tensor> {
        match self.way(images) {
            Way::Cpu => self.network(vec![images.dim(0)?], Mode::Evaluation)?.infer(images),
            #[cfg(feature = "cudnn")]
            Way::Gpu => self.gpu_network(vec![images.dim(0)?])?.infer(images),
            Way::Layers => Ok(self.forward_by_layers(images, Mode::Evaluation)?.detach()),
        }
    }

    /// The same as [`ResNet::forward`], layer by layer in candle's graph: every activation stays, and the pictures
    /// themselves can have a gradient.
    pub fn forward_by_layers(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        global_average(&self.feature_map_by_layers(images, Layer::Layer4, mode)?)
    }

    /// Floating-point operations of the convolutions in a training step on one picture of `side` pixels: forward, the
    /// kernel's gradient, and the input's gradient except for the first layer.
    ///
    /// # Errors
    /// If the picture is too small for the network.
    pub fn training_operations(&self, side: usize) -> Result<f64> {
        let mut operations = 0.0;
        let mut count = |(conv, _): &(Conv2d, BatchNorm), height: usize, passes: f64| -> Result<usize> {
            let input = [1, height, height, conv.weight.dim(3)?];
            let shape = ConvShape::new(&input, conv.weight.dims(), conv.stride, conv.padding)?;
            operations += passes * 2.0 * (shape.positions() * shape.patch() * shape.output_channels) as f64;
            Ok(shape.output_height)
        };
        let mut height = count(&self.stem, side, 2.0)?;
        if self.kind != BackboneKind::Small {
            height = pooled(height);
        }
        for block in self.layers.iter().flatten() {
            let input = height;
            for step in &block.steps {
                height = count(step, height, 3.0)?;
            }
            if let Some(downsample) = &block.downsample {
                count(downsample, input, 3.0)?;
            }
        }
        Ok(operations)
    }

    /// The network as one operation.
    fn network(&self, domains: Vec<usize>, mode: Mode) -> Result<Network> {
        let parameters = self
            .units()
            .into_iter()
            .map(|(conv, norm)| [conv.weight.clone(), norm.weight.clone(), norm.bias.clone()]);
        Ok(Network {
            plan: self.plan(domains, mode)?,
            parameters: parameters.collect(),
            memory: self.memory.clone(),
            channels: self.kind.channels(),
        })
    }

    /// The network as one operation on a GPU.
    #[cfg(feature = "cudnn")]
    fn gpu_network(&self, domains: Vec<usize>) -> Result<cuda::op::Network> {
        let units = self.units().into_iter().map(|(conv, norm)| cuda::op::UnitVars {
            trained: [conv.weight.clone(), norm.weight.clone(), norm.bias.clone()],
            running: [norm.running_mean.clone(), norm.running_var.clone()],
        });
        Ok(cuda::op::Network {
            // Where the running statistics are wanted, the GPU reads them itself.
            plan: self.plan(domains, Mode::Training { statistics_updates: 0 })?,
            units: units.collect(),
            channels: self.kind.channels(),
            precision: self.precision,
        })
    }

    /// Every convolution with its batch norm, in the order of the plan: stem, then the blocks.
    fn units(&self) -> Vec<&(Conv2d, BatchNorm)> {
        let blocks = self.layers.iter().flatten();
        let of_blocks = blocks.flat_map(|block| block.steps.iter().chain(&block.downsample));
        std::iter::once(&self.stem).chain(of_blocks).collect()
    }

    /// What one pass has to know of this network.
    fn plan(&self, domains: Vec<usize>, mode: Mode) -> Result<Plan> {
        let mut units = 0;
        let mut unit = |(conv, norm): &(Conv2d, BatchNorm)| -> Result<Unit> {
            let number = units;
            units += 1;
            let (out, height, width, input) = conv.weight.dims4()?;
            Ok(Unit {
                number,
                kernel_dims: [out, height, width, input],
                stride: conv.stride,
                padding: conv.padding,
                given: match mode {
                    Mode::Training { .. } => None,
                    Mode::Evaluation | Mode::Guided => Some(norm.running_moments()?),
                },
            })
        };
        let stem = unit(&self.stem)?;
        let mut blocks = Vec::new();
        for block in self.layers.iter().flatten() {
            let units = block.steps.iter().map(&mut unit).collect::<Result<_>>()?;
            let downsample = block.downsample.as_ref().map(&mut unit).transpose()?;
            blocks.push(BlockPlan { units, downsample });
        }
        let max_pool = self.kind != BackboneKind::Small;
        Ok(Plan { stem, max_pool, blocks, domains })
    }

    /// The map after `layer`, `[batch, height, width, channels]`.
    ///
    /// In evaluation mode it hangs on no graph where the CPU's one operation computes it, as [`ResNet::feature`]: make it a
    /// variable to have a slope in it.
    pub fn feature_map(&self, images: &Tensor, layer: Layer, mode: Mode) -> Result<Tensor> {
        match (mode, self.way(images)) {
            (Mode::Evaluation, Way::Cpu) => {
                let blocks = self.layers[..=layer as usize].iter().map(Vec::len).sum();
                self.network(vec![images.dim(0)?], mode)?.infer_map(images, blocks)
            }
            _ => self.feature_map_by_layers(images, layer, mode),
        }
    }

    fn feature_map_by_layers(&self, images: &Tensor, layer: Layer, mode: Mode) -> Result<Tensor> {
        let (conv, norm) = &self.stem;
        let stem = norm.forward(&conv.forward(images)?, mode, Then::Relu)?;
        let map = match self.kind {
            BackboneKind::Small => stem,
            _ => max_pool(&stem)?,
        };
        through(&self.layers[..=layer as usize], map, mode)
    }

    /// The feature from the map after `layer`: what [`ResNet::forward`] does with the rest of the network.
    pub fn feature_from_map(&self, map: &Tensor, layer: Layer, mode: Mode) -> Result<Tensor> {
        global_average(&through(&self.layers[layer as usize + 1..], map.clone(), mode)?)
    }

    /// Every tensor by torchvision's name, such as `layer1.0.conv1.weight`.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.stem.0.parameters("conv1", Group::Backbone);
        all.extend(self.stem.1.parameters("bn1", Group::Backbone));
        for (layer, blocks) in self.layers.iter().enumerate() {
            for (number, block) in blocks.iter().enumerate() {
                all.extend(block.parameters(&format!("layer{}.{number}", layer + 1)));
            }
        }
        all
    }
}

/// The mean over height and width: `[batch, height, width, channels]` → `[batch, channels]`.
fn global_average(map: &Tensor) -> Result<Tensor> {
    map.flatten(1, 2)?.mean(1)
}

fn through(layers: &[Vec<Block>], mut map: Tensor, mode: Mode) -> Result<Tensor> {
    for block in layers.iter().flatten() {
        map = block.forward(&map, mode)?;
    }
    Ok(map)
}
