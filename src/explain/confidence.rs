//! What remains of the network's confidence when it sees a picture through a heat map (Chattopadhyay et al. 2018, section 4.1).
//!
//! A map of ones loses nothing: never show these without the map's [`complexity`].

use candle_core::{DType, Tensor};

use super::evidence::of_classes;
use crate::error::{Result, complain};
use crate::model::Model;

/// Pictures that pass through the network at a time.
const BATCH: usize = 16;

/// The softmax probability of one class for each picture of `[batch, height, width, 3]`, in evaluation mode.
///
/// # Errors
/// If the class is not below the number of classes.
pub fn probabilities(model: &Model, images: &Tensor, class: u32) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    let count = images.dim(0)?;
    for start in (0..count).step_by(BATCH) {
        let batch = BATCH.min(count - start);
        let logits = model.predict(&images.narrow(0, start, batch)?)?;
        let (_, probability) = of_classes(&logits, &vec![class; batch])?;
        all.extend(probability.to_dtype(DType::F64)?.to_vec1::<f64>()?);
    }
    Ok(all)
}

/// The probability of a class before and after the picture is multiplied with a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// Of the picture itself.
    pub before: f64,
    /// Of the normalised picture times the map, so that 0 is the mean grey.
    pub through_map: f64,
}

impl Confidence {
    /// For one normalised picture `[1, height, width, 3]` and a map of `height · width` values from 0 to 1.
    ///
    /// # Errors
    /// If the map has another size, or the class is not below the number of classes.
    pub fn of(model: &Model, image: &Tensor, class: u32, map: &[f64]) -> Result<Self> {
        let map = as_picture(map, image)?;
        let both = Tensor::cat(&[image, &image.broadcast_mul(&map)?], 0)?;
        let [before, through_map] = probabilities(model, &both, class)?[..] else {
            return Err(complain("one picture", format!("{:?}", image.dims())).into());
        };
        Ok(Self { before, through_map })
    }

    /// The paper's drop in percent of the confidence before, 0 where it rises.
    pub fn drop_percent(self) -> f64 {
        100.0 * self.drop() / self.before
    }

    /// The drop as the package pytorch-grad-cam has it: not divided by the confidence before.
    pub fn drop(self) -> f64 {
        (self.before - self.through_map).max(0.0)
    }

    /// Whether the confidence rises.
    pub fn increase(self) -> bool {
        self.through_map > self.before
    }
}

/// The mean of a map whose values lie in [0, 1]: 1 for a map that points at everything (ADCC, Poppi et al. 2021).
pub fn complexity(map: &[f64]) -> f64 {
    map.iter().sum::<f64>() / map.len().max(1) as f64
}

/// A map of a picture's size as a tensor beside it, `[1, height, width, 1]`.
pub(super) fn as_picture(map: &[f64], image: &Tensor) -> Result<Tensor> {
    let (_, height, width, _) = image.dims4()?;
    if map.len() != height * width {
        let expected = format!("a map of the picture's size, {height}×{width}");
        return Err(complain(expected, format!("{} values", map.len())).advice("enlarge it first").into());
    }
    let map = Tensor::from_slice(map, (1, height, width, 1), &candle_core::Device::Cpu)?;
    Ok(map.to_dtype(image.dtype())?.to_device(image.device())?)
}

/// The pixels of a map from its largest value down; of equal ones the first.
pub(super) fn hottest_first(map: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&a, &b| map[b].total_cmp(&map[a]));
    order
}
