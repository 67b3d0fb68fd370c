//! Networks: a backbone, a head, a discriminator, under PyTorch's tensor names.

mod backbone_file;
pub mod backbone_kind;
pub mod discriminator;
pub mod head;
pub mod pretrained;
mod pytorch_file;
mod residual_block;
pub mod resnet;
mod shards;
mod unpickle;
pub mod weights;

use candle_core::{DType, Device, Tensor};

use crate::device::Precision;
use crate::error::{Result, complain};
use crate::nn::parameters::Parameter;
use crate::random::generator;
use discriminator::Discriminator;
use head::Head;
use resnet::{BackboneKind, ResNet};

/// Which head classifies the feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// One linear layer.
    Linear,
    /// HDA's: a linear layer minus three heuristic ones.
    Heuristic,
}

/// What the discriminator sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscriminatorInput {
    /// The feature (DANN).
    Features,
    /// The softmax probabilities (DANNP, HDA).
    Probabilities,
}

/// What a model consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelSpec {
    /// The feature extractor.
    pub backbone: BackboneKind,
    /// Number of classes.
    pub classes: usize,
    /// The classifier.
    pub head: HeadKind,
    /// What the discriminator sees; none for a method without one.
    pub discriminator: Option<DiscriminatorInput>,
    /// Number of source domains; for several, the discriminator has two outputs, as in the published code.
    pub sources: usize,
    /// Hidden units of the discriminator: 1024 in the published code.
    pub hidden: usize,
    /// Dropout of the discriminator: 0.5 in the published code.
    pub dropout: f64,
    /// f32 to train; f64 to check.
    pub dtype: DType,
}

/// Backbone, head and discriminator of one run.
#[derive(Debug, Clone)]
pub struct Model {
    /// The feature extractor.
    pub backbone: ResNet,
    /// The classifier.
    pub head: Head,
    /// The domain discriminator, if the method has one.
    pub discriminator: Option<Discriminator>,
}

impl Model {
    /// A model with initial values drawn from `seed`; each part from a stream of its own, so that two methods with
    /// the same seed start from the same backbone and head.
    pub fn new(spec: &ModelSpec, seed: u64) -> Result<Self> {
        let channels = spec.backbone.channels();
        let stream = |purpose| generator(seed, purpose, 0, 0);
        let outputs = if spec.sources > 1 { 2 } else { 1 };
        let discriminator = spec.discriminator.map(|input| {
            let inputs = match input {
                DiscriminatorInput::Features => channels,
                DiscriminatorInput::Probabilities => spec.classes,
            };
            let stream = &mut stream("discriminator");
            Discriminator::new(outputs, inputs, spec.hidden, spec.dropout, spec.dtype, stream)
        });
        Ok(Self {
            backbone: ResNet::new(spec.backbone, spec.dtype, &mut stream("backbone"))?,
            head: Head::new(spec.head, channels, spec.classes, spec.dtype, &mut stream("head"))?,
            discriminator: discriminator.transpose()?,
        })
    }

    /// The same model on `device`. Initial values are drawn on the CPU, so that a seed means the same everywhere.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let discriminator = self.discriminator.as_ref();
        Ok(Self {
            backbone: self.backbone.to_device(device)?,
            head: self.head.to_device(device)?,
            discriminator: discriminator.map(|network| network.to_device(device)).transpose()?,
        })
    }

    /// The same model, sharing its tensors, whose backbone a GPU computes in `precision`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { backbone: self.backbone.with_precision(precision), ..self }
    }

    /// Where it lives; its pictures have to be there too.
    pub fn device(&self) -> &Device {
        self.head.classifier.weight.device()
    }

    /// The discriminator.
    ///
    /// # Errors
    /// If the model was made without one.
    pub fn discriminator(&self) -> Result<&Discriminator> {
        Ok(self.discriminator.as_ref().ok_or_else(|| {
            complain("a model with a discriminator", "one without")
                .advice("set ModelSpec::discriminator to that of the method's row")
        })?)
    }

    /// Every tensor by its name: `base_net.…` for backbone and head, `d_net.…` for the discriminator.
    pub fn parameters(&self) -> Vec<Parameter> {
        let prefixed = |prefix: &'static str, parameters: Vec<Parameter>| {
            parameters
                .into_iter()
                .map(move |parameter| Parameter { name: format!("{prefix}.{}", parameter.name), ..parameter })
        };
        let discriminator = self.discriminator.as_ref().map(Discriminator::parameters);
        prefixed("base_net", self.backbone.parameters())
            .chain(prefixed("base_net", self.head.parameters()))
            .chain(prefixed("d_net", discriminator.unwrap_or_default()))
            .collect()
    }

    /// Logits of pictures in evaluation mode, `[batch, height, width, 3]` → `[batch, classes]`.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        let feature = self.backbone.feature(images)?; // [batch, channels]
        Ok(self.head.forward(&feature)?.logits.detach())
    }
}
