//! What stands beside a picture that is explained: heat maps laid over it, or guided slopes in its place.

use candle_core::{DType, Tensor};
use image::{Rgb, RgbImage};

use super::evidence::Evidence;
use super::guided::{guided, guided_backpropagation, shown};
use super::maps::{self, MapKind};
use super::overlay::{normalise, overlay};
use crate::data::transform::Transform;
use crate::error::Result;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::train::evaluate::classify;

/// The talk's last picture: guided forms and plain ones of Grad-CAM and Grad-CAM++.
pub const TALK: [&str; 4] = ["guided-grad-cam", "guided-grad-cam++", "grad-cam", "grad-cam++"];

/// One way to explain a picture.
#[derive(Debug, Clone, Copy)]
pub enum View {
    /// A heat map over the picture.
    Heat(&'static MapKind),
    /// Guided backpropagation.
    Slope,
    /// A heat map, enlarged and multiplied with guided backpropagation.
    Guided(&'static MapKind),
}

impl View {
    /// That of a key: one of [`maps::ALL`], the same behind `guided-`, or `guided-backprop`.
    ///
    /// ```
    /// use toalign::explain::view::View;
    /// assert_eq!(View::of_key("guided-grad-cam++")?.name(), "Guided Grad-CAM++");
    /// assert!(View::of_key("guided-gradcam").is_err());
    /// # Ok::<(), toalign::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is none.
    pub fn of_key(key: &str) -> Result<Self> {
        match key.strip_prefix("guided-") {
            Some("backprop") => Ok(Self::Slope),
            Some(kind) => Ok(Self::Guided(maps::find(kind)?)),
            None => Ok(Self::Heat(maps::find(key)?)),
        }
    }

    /// How it is written above a column.
    pub fn name(self) -> String {
        match self {
            Self::Heat(kind) => kind.name.to_owned(),
            Self::Slope => "Guided Backpropagation".to_owned(),
            Self::Guided(kind) => format!("Guided {}", kind.name),
        }
    }
}

/// A picture that was explained for one class.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What the network saw: the centre crop.
    pub picture: RgbImage,
    /// The class that was explained.
    pub class: u32,
    /// Its softmax probability, 0 to 1.
    pub probability: f64,
    /// For each view what it shows, with its raw numbers: `[rows, columns]` of a heat map, `[height, width, 3]` of a guided one.
    pub views: Vec<(Shown, Tensor)>,
}

/// What a view shows.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A picture of the size of what the network saw, times a scale.
    Picture(RgbImage),
    /// The map is zero everywhere: nothing speaks for the class, and a picture of that would be a blank.
    NoEvidence,
}

/// Explains `picture` for `class`, or for the class with the largest logit, by the map after `layer`; heat maps are drawn `scale`
/// times as large as the picture.
///
/// # Errors
/// If the class is not below the number of classes, or the model and the transform do not fit.
pub fn explain(
    model: &Model,
    transform: &Transform,
    picture: &RgbImage,
    class: Option<u32>,
    layer: Layer,
    views: &[View],
    scale: u32,
) -> Result<Explained> {
    let image = transform.test_image(picture, model.device())?;
    let class = match class {
        Some(class) => class,
        None => classify(&model.predict(&image)?)?[0].0,
    };
    let evidence = Evidence::of(model, &image, &[class], layer)?;
    let picture = transform.test_picture(picture);
    let heat = |kind: &MapKind| -> Result<Tensor> { (kind.compute)(&evidence) }; // [1, rows, columns]
    // It is the dearest, and the same for all.
    let slope = match views.iter().any(|view| !matches!(view, View::Heat(_))) {
        true => Some(guided_backpropagation(model, &image, &[class])?),
        false => None,
    };
    let mut drawn = Vec::new();
    for view in views {
        drawn.push(match (view, &slope) {
            (View::Heat(kind), _) => {
                let map = heat(kind)?.squeeze(0)?;
                let (rows, columns) = map.dims2()?;
                let values: Vec<f32> = map.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                let shown = match normalise(&values) {
                    Some(values) => Shown::Picture(overlay(&picture, &values, rows, columns, scale)?),
                    None => Shown::NoEvidence,
                };
                (shown, map)
            }
            (View::Slope, Some(slope)) => signed(slope.squeeze(0)?)?,
            (View::Guided(kind), Some(slope)) => signed(guided(&heat(kind)?, slope)?.squeeze(0)?)?,
            (_, None) => unreachable!("the slope is there for every guided view"),
        });
    }
    let probability = evidence.probability.to_dtype(DType::F64)?.get(0)?.to_scalar()?;
    Ok(Explained { picture, class, probability, views: drawn })
}

/// A signed picture with its raw numbers.
fn signed(numbers: Tensor) -> Result<(Shown, Tensor)> {
    if numbers.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0.0 {
        return Ok((Shown::NoEvidence, numbers));
    }
    let (height, width, _) = numbers.dims3()?;
    let colours: Vec<f32> = shown(&numbers)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let mut picture = RgbImage::new(width as u32, height as u32);
    for (Rgb(pixel), colour) in picture.pixels_mut().zip(colours.chunks_exact(3)) {
        *pixel = std::array::from_fn(|channel| (255.0 * colour[channel]).round() as u8);
    }
    Ok((Shown::Picture(picture), numbers))
}
