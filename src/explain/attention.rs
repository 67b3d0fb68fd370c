//! Does the network look at the object? Heat maps against the object mask, as numbers.
//!
//! A heat map of the last layer is coarse, so even a good one spills over the object: never show an energy without the
//! chance level beside it.

use image::GrayImage;

use super::overlay::upscale;
use crate::error::{Result, complain};

/// The share of the map's heat that falls on the object, 0 to 1 (the "energy-based pointing game").
///
/// The map is enlarged bilinearly to the mask's size; only its positive values count.
/// `None` if nothing is positive. Source: Wang et al., Score-CAM, CVPR workshops 2020, section 4.3.
///
/// # Errors
/// If `map` has not `map_height` × `map_width` values or the mask is empty.
pub fn energy_in_mask(
    map: &[f32],
    map_height: usize,
    map_width: usize,
    mask: &GrayImage,
) -> Result<Option<f64>> {
    let map = at_size_of(map, map_height, map_width, mask)?;
    let (mut inside, mut everywhere) = (0.0, 0.0);
    for (heat, is_object) in map.into_iter().zip(object_pixels(mask)) {
        let heat = f64::from(heat.max(0.0));
        everywhere += heat;
        if is_object {
            inside += heat;
        }
    }
    Ok((everywhere > 0.0).then(|| inside / everywhere))
}

/// The energy that a map without any knowledge would have: the share of the picture that the object covers, 0 to 1.
///
/// # Errors
/// If the mask is empty.
pub fn chance_level(mask: &GrayImage) -> Result<f64> {
    check_mask(mask)?;
    let covered = object_pixels(mask).filter(|&is_object| is_object).count();
    Ok(covered as f64 / f64::from(mask.width() * mask.height()))
}

/// The pointing game on one picture: does the hottest place lie on the object?
///
/// The score of a data set is the share of hits. No tolerance around the object is granted (the original grants 15 pixels on
/// large photographs). `None` if nothing in the map is positive.
/// Source: Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016, section 4.1.
///
/// # Errors
/// As [`energy_in_mask`].
pub fn pointing_hit(
    map: &[f32],
    map_height: usize,
    map_width: usize,
    mask: &GrayImage,
) -> Result<Option<bool>> {
    let map = at_size_of(map, map_height, map_width, mask)?;
    let mut hottest = (0.0, None);
    for (heat, is_object) in map.into_iter().zip(object_pixels(mask)) {
        if heat > hottest.0 {
            hottest = (heat, Some(is_object));
        }
    }
    Ok(hottest.1)
}

fn at_size_of(map: &[f32], map_height: usize, map_width: usize, mask: &GrayImage) -> Result<Vec<f32>> {
    check_mask(mask)?;
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    upscale(map, map_height, map_width, height, width)
}

fn check_mask(mask: &GrayImage) -> Result<()> {
    if mask.is_empty() {
        return Err(complain("an object mask with pixels", "an empty one").into());
    }
    Ok(())
}

/// Row by row, whether the object covers at least half of the pixel.
fn object_pixels(mask: &GrayImage) -> impl Iterator<Item = bool> {
    mask.pixels().map(|pixel| pixel.0[0] >= 128)
}
