//! What a frozen network has made of a domain's pictures, patch by patch, so that learning passes no picture through it again.

use candle_core::{DType, Device, Tensor};

use super::prototypes::Seen;
use crate::data::batches::test_batches;
use crate::data::dataset::{Domain, UNLABELLED};
use crate::data::thinned::thin;
use crate::data::transform::Transform;
use crate::error::{Result, complain};
use crate::explain::evidence::Evidence;
use crate::explain::grad_cam::grad_cam;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::nn::batch_norm::Mode;
use crate::train::evaluate::classify;

/// Pictures pass the network so many at a time.
const BATCH: usize = 16;

/// The patches of some pictures of one domain, on the CPU.
#[derive(Clone)]
pub struct Patches {
    /// Maps, logits and classes.
    pub seen: Seen,
    /// Rows and columns of a map.
    pub size: [usize; 2],
    /// How much each place speaks for the class that the picture counts for (Grad-CAM), `[pictures, places]`.
    pub heat: Tensor,
    /// The label of each picture; [`UNLABELLED`] if nobody knows it.
    pub labels: Vec<u32>,
    /// The pictures.
    pub domain: Domain,
}

/// Which class a picture counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassOf {
    /// Its label: in the source.
    Label,
    /// What the network takes it for: in the target.
    Answer,
}

impl Patches {
    /// Those of at most `most` pictures of a domain, evenly spaced.
    ///
    /// # Errors
    /// If a picture cannot be read, the model does not fit, or labels are asked for that nobody knows.
    pub fn of(
        model: &Model,
        transform: &Transform,
        domain: &Domain,
        class_of: ClassOf,
        most: usize,
    ) -> Result<Self> {
        let domain = thin(domain, most);
        let (mut maps, mut logits, mut heats) = (Vec::new(), Vec::new(), Vec::new());
        let (mut labels, mut classes, mut size) = (Vec::new(), Vec::new(), [0, 0]);
        for batch in test_batches(domain.clone(), transform.clone(), BATCH, model.device())? {
            let batch = batch?;
            let of_batch = batch.labels.to_vec1::<u32>()?;
            let counted: Vec<u32> = match class_of {
                ClassOf::Label => of_batch.clone(),
                ClassOf::Answer => {
                    classify(&model.predict(&batch.images)?)?.into_iter().map(|(class, _)| class).collect()
                }
            };
            if counted.contains(&UNLABELLED) {
                return Err(complain("a source whose pictures all have labels", "one without").into());
            }
            let evidence = Evidence::of(model, &batch.images, &counted, Layer::Layer4)?;
            let feature = model.backbone.feature_from_map(&evidence.map, Layer::Layer4, Mode::Evaluation)?;
            let (pictures, rows, columns, channels) = evidence.map.dims4()?;
            size = [rows, columns];
            let here = |tensor: Tensor| -> Result<Tensor> {
                Ok(tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?)
            };
            maps.push(here(evidence.map.reshape((pictures, rows * columns, channels))?)?);
            logits.push(here(model.head.forward(&feature)?.logits)?);
            heats.push(here(grad_cam(&evidence)?.reshape((pictures, rows * columns))?)?);
            labels.extend(of_batch);
            classes.extend(counted);
        }
        Ok(Self {
            seen: Seen {
                map: Tensor::cat(&maps, 0)?,
                logits: Tensor::cat(&logits, 0)?,
                classes: Tensor::new(classes, &Device::Cpu)?,
            },
            size,
            heat: Tensor::cat(&heats, 0)?,
            labels,
            domain,
        })
    }

    /// The same with all maps multiplied by one number.
    ///
    /// # Errors
    /// If candle cannot compute it.
    pub fn scaled(self, by: f64) -> Result<Self> {
        Ok(Self { seen: Seen { map: (&self.seen.map * by)?, ..self.seen }, ..self })
    }

    /// The mean squared length of a patch.
    ///
    /// # Errors
    /// If candle cannot compute it.
    pub fn mean_square(&self) -> Result<f64> {
        Ok(f64::from(self.seen.map.sqr()?.sum(2)?.mean_all()?.to_scalar::<f32>()?))
    }

    /// How many pictures there are.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The numbers of the pictures that count for `class`.
    ///
    /// # Errors
    /// If candle cannot read them.
    pub fn of_class(&self, class: usize) -> Result<Vec<u32>> {
        let classes = self.seen.classes.to_vec1::<u32>()?;
        Ok((0..self.count() as u32).filter(|picture| classes[*picture as usize] as usize == class).collect())
    }
}
