//! Which kind of heat map is better, by measure: over many pictures, beside a map that knows nothing.

use candle_core::DType;
use rand::Rng;

use super::attention::{chance_level, energy_in_mask, pointing_hit};
use super::confidence::{Confidence, complexity};
use super::deletion::{Change, change};
use super::evidence::Evidence;
use super::maps::MapKind;
use super::overlay::{normalise, upscale};
use super::road::{PERCENTILES, Road};
use crate::data::dataset::Domain;
use crate::data::transform::Transform;
use crate::error::{Result, complain};
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::random::generator;
use crate::train::evaluate::classify;

/// The measures, in the order of [`Row::values`], each with what is good.
pub const MEASURES: [(&str, &str); 8] = [
    (
        "energy",
        "share of the heat inside the object's mask (%), large; beside it stands what the mask covers",
    ),
    ("pointing", "hottest place inside the mask (%), large"),
    ("drop", "confidence lost when only the map is seen (%), small"),
    ("increase", "pictures whose confidence rises when only the map is seen (%), large"),
    ("deletion", "area below the confidence while the hottest pixels go, small"),
    ("insertion", "area below the confidence while the hottest pixels come, large"),
    ("ROAD", "least relevant removed first minus most relevant first, halved, large"),
    ("complexity", "mean of the map, small; a map of ones loses no confidence"),
];

/// The name of the map that knows nothing: random numbers in the fields of the layer's map.
pub const NO_KNOWLEDGE: &str = "no knowledge (random)";

/// One kind of map, measured picture by picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The map's name.
    pub name: String,
    /// For each of [`MEASURES`] one number per picture that has it: without a mask there is no energy, without positive evidence no map.
    pub values: [Vec<f64>; 8],
}

impl Row {
    /// This row minus `other`, picture by picture; none if some picture has a number in one of them alone, so that they do not pair.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        let lengths = |row: &Self| row.values.each_ref().map(Vec::len);
        (lengths(self) == lengths(other)).then(|| Self {
            name: self.name.clone(),
            values: std::array::from_fn(|measure| {
                self.values[measure].iter().zip(&other.values[measure]).map(|(a, b)| a - b).collect()
            }),
        })
    }
}

/// Measures each kind of map of the predicted class, and a map that knows nothing, over the `pictures` of a domain.
///
/// # Errors
/// If a picture cannot be read, a mask has another size than its picture, or the model does not fit.
pub fn measure(
    model: &Model,
    transform: &Transform,
    domain: &Domain,
    pictures: &[usize],
    kinds: &[&MapKind],
    layer: Layer,
) -> Result<Vec<Row>> {
    let names = kinds.iter().map(|kind| kind.name).chain([NO_KNOWLEDGE]);
    let mut rows: Vec<Row> =
        names.map(|name| Row { name: name.into(), values: Default::default() }).collect();
    for &index in pictures {
        let picture = domain.pictures.decode(index)?;
        let image = transform.test_image(&picture, model.device())?;
        let (class, _) = classify(&model.predict(&image)?)?[0];
        let evidence = Evidence::of(model, &image, &[class], layer)?;
        let mask = domain.pictures.mask(index)?;
        if let Some(mask) = mask.as_ref().filter(|mask| mask.dimensions() != picture.dimensions()) {
            let size = |(width, height): (u32, u32)| format!("{width}×{height}");
            let expected = format!("a mask of the picture's size, {}", size(picture.dimensions()));
            return Err(complain(expected, size(mask.dimensions())).at(domain.pictures.name(index)).into());
        }
        let mask = mask.map(|mask| transform.test_mask(&mask));
        let (_, height, width, _) = image.dims4()?;
        let (_, map_height, map_width, _) = evidence.map.dims4()?;
        let mut random = generator(0, "map without knowledge", index as u64, 0);
        for (number, row) in rows.iter_mut().enumerate() {
            let map: Vec<f32> = match kinds.get(number) {
                Some(kind) => (kind.compute)(&evidence)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?,
                None => (0..map_height * map_width).map(|_| random.random()).collect(),
            };
            let Some(map) = normalise(&map) else { continue };
            let large = upscale(&map, map_height, map_width, height, width)?;
            let at_pixels: Vec<f64> = large.iter().map(|value| f64::from(value.clamp(0.0, 1.0))).collect();
            let mut push = |measure: usize, value: f64| row.values[measure].push(value);
            if let Some(mask) = mask.as_ref().filter(|mask| chance_level(mask).is_ok_and(|share| share > 0.0))
            {
                if let Some(inside) = energy_in_mask(&map, map_height, map_width, mask)? {
                    push(0, 100.0 * inside);
                }
                if let Some(hit) = pointing_hit(&map, map_height, map_width, mask)? {
                    push(1, if hit { 100.0 } else { 0.0 });
                }
            }
            let confidence = Confidence::of(model, &image, class, &at_pixels)?;
            push(2, confidence.drop_percent());
            push(3, if confidence.increase() { 100.0 } else { 0.0 });
            push(4, change(model, &image, class, &at_pixels, Change::Deletion, width)?.area);
            push(5, change(model, &image, class, &at_pixels, Change::Insertion, width)?.area);
            let mut noise = generator(0, "noise of ROAD", index as u64, number as u64);
            push(6, Road::of(model, &image, class, &at_pixels, &PERCENTILES, Some(&mut noise))?.combined());
            push(7, complexity(&at_pixels));
        }
    }
    Ok(rows)
}
