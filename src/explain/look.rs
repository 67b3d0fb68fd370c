//! What a model sees in a picture: class, probability, and where the evidence lies.

use image::RgbImage;

use super::evidence::Evidence;
use super::grad_cam::grad_cam;
use super::overlay::{normalise, overlay};
use crate::data::transform::Transform;
use crate::error::Result;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::train::evaluate::classify;

/// A model's answer about one picture.
#[derive(Debug, Clone)]
pub struct Look {
    /// The class with the largest logit.
    pub class: u32,
    /// Its softmax probability, 0 to 1.
    pub probability: f32,
    /// Grad-CAM of that class on the last feature map, row by row; not normalised.
    pub map: Vec<f32>,
    /// Height of the map.
    pub map_height: usize,
    /// Width of the map.
    pub map_width: usize,
    /// What the network saw: the centre crop.
    pub picture: RgbImage,
}

impl Look {
    /// Classifies the centre crop of `picture`, in evaluation mode, and explains the answer.
    ///
    /// # Errors
    /// If the model and the transform do not fit.
    pub fn at(picture: &RgbImage, model: &Model, transform: &Transform) -> Result<Self> {
        let image = transform.test_image(picture, model.device())?;
        let (class, probability) = classify(&model.predict(&image)?)?[0];
        let map = grad_cam(&Evidence::of(model, &image, &[class], Layer::Layer4)?)?; // [1, map height, map width]
        let (_, map_height, map_width) = map.dims3()?;
        Ok(Self {
            class,
            probability,
            map: map.flatten_all()?.to_vec1()?,
            map_height,
            map_width,
            picture: transform.test_picture(picture),
        })
    }

    /// The heat map over the picture, `scale` times as large; none if there is no positive evidence for the class.
    ///
    /// # Errors
    /// If `scale` is 0.
    pub fn overlay(&self, scale: u32) -> Result<Option<RgbImage>> {
        let Some(map) = normalise(&self.map) else {
            return Ok(None);
        };
        let (height, width) = (self.map_height, self.map_width);
        Ok(Some(overlay(&self.picture, &map, height, width, scale)?))
    }
}
