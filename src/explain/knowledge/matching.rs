//! Transferred knowledge matching: each prototype beside the target patch that looks most like it, and how far it transfers.

use candle_core::Tensor;
use image::{Rgb, RgbImage};

use super::learn::{Learned, Patch};
use super::patches::Patches;
use super::prototypes::{Prototypes, similarity};
use crate::data::dataset::UNLABELLED;
use crate::data::transform::Transform;
use crate::error::Result;
use crate::explain::overlay::upscale;
use crate::train::evaluate::classify;

/// A box is what lies above this percentile of the enlarged similarity (ProtoPNet).
const PERCENTILE: f64 = 95.0;

/// The colour of a box.
const BOX: Rgb<u8> = Rgb([255, 220, 0]);

/// One prototype, with its partner in the target.
#[derive(Debug, Clone)]
pub struct Match {
    /// Its number.
    pub prototype: usize,
    /// Its class.
    pub class: usize,
    /// How much it says for its class, from V.
    pub weight: f64,
    /// The source patch that it is.
    pub source: Patch,
    /// The nearest patch among the target pictures that the network takes for its class, and the squared distance; none if there is
    /// no such picture.
    pub target: Option<(Patch, f64)>,
    /// Mean similarity over those target pictures divided by that over the source pictures of the class, without the one that it was
    /// taken from: 1 for shared knowledge, near 0 for what only the source has. None if either has no picture.
    pub transfer: Option<f64>,
}

/// How well the prototypes answer, on one domain; shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answers {
    /// Pictures that prototypes and network answer alike. Below 0.9 the prototypes do not explain this network.
    pub agreement: f64,
    /// Pictures that the network answers right; none without labels.
    pub of_network: Option<f64>,
    /// Pictures that the prototypes answer right; none without labels.
    pub of_prototypes: Option<f64>,
}

/// Every prototype with its partner.
///
/// # Errors
/// If the patches have other channels.
pub fn matches(learned: &Learned, source: &Patches, target: &Patches) -> Result<Vec<Match>> {
    let prototypes = &learned.prototypes;
    let (of_source, of_target) = (prototypes.answer(&source.seen.map)?, prototypes.answer(&target.seen.map)?);
    let column = |of: &Tensor, prototype: usize| -> Result<Vec<f32>> {
        Ok(of.narrow(1, prototype, 1)?.flatten_all()?.to_vec1()?)
    };
    let weights = prototypes.rows.to_vec2::<f32>()?;
    let places = of_target.places.to_vec2::<u32>()?;
    let mut found = Vec::new();
    for (prototype, home) in learned.homes.iter().enumerate() {
        let class = prototypes.class(prototype);
        let mut relatives = source.of_class(class)?;
        relatives.retain(|picture| *picture as usize != home.picture);
        let partners = target.of_class(class)?;
        let mean = |of: &Tensor, pictures: &[u32]| -> Result<Option<f64>> {
            let all = column(of, prototype)?;
            let sum: f64 = pictures.iter().map(|picture| f64::from(all[*picture as usize])).sum();
            Ok((!pictures.is_empty()).then(|| sum / pictures.len() as f64))
        };
        let distances = column(&of_target.distances, prototype)?;
        let nearest = partners.iter().map(|picture| *picture as usize);
        let nearest = nearest.min_by(|one, other| distances[*one].total_cmp(&distances[*other]));
        let at = |picture: usize| Patch { picture, place: places[picture][prototype] as usize };
        let here = mean(&of_source.similarities, &relatives)?;
        let there = mean(&of_target.similarities, &partners)?;
        found.push(Match {
            prototype,
            class,
            weight: f64::from(weights[class][prototype]),
            source: *home,
            target: nearest.map(|picture| (at(picture), f64::from(distances[picture]))),
            transfer: there.zip(here).map(|(there, here)| there / here),
        });
    }
    Ok(found)
}

/// How well the prototypes answer in place of the network.
///
/// # Errors
/// If the patches have other channels.
pub fn answers(prototypes: &Prototypes, patches: &Patches) -> Result<Answers> {
    let of = |logits: &Tensor| -> Result<Vec<u32>> {
        Ok(classify(logits)?.into_iter().map(|(class, _)| class).collect())
    };
    let theirs = of(&patches.seen.logits)?;
    let ours = of(&prototypes.answer(&patches.seen.map)?.logits)?;
    let share = |one: &[u32], other: &[u32]| {
        let known = one.iter().zip(other).filter(|(_, label)| **label != UNLABELLED);
        let (right, all) = known.fold((0, 0), |(right, all), (a, b)| (right + usize::from(a == b), all + 1));
        (all > 0).then(|| right as f64 / all as f64)
    };
    Ok(Answers {
        agreement: share(&ours, &theirs).unwrap_or(f64::NAN),
        of_network: share(&theirs, &patches.labels),
        of_prototypes: share(&ours, &patches.labels),
    })
}

/// The picture as the network saw it, with a box around what looks like the prototype, `scale` times as large.
///
/// # Errors
/// If the picture cannot be read.
pub fn boxed(
    prototypes: &Prototypes,
    prototype: usize,
    patches: &Patches,
    picture: usize,
    transform: &Transform,
    scale: u32,
) -> Result<RgbImage> {
    let seen = transform.test_picture(&patches.domain.pictures.decode(picture)?);
    let (width, height) = (seen.width() * scale, seen.height() * scale);
    let map = patches.seen.map.narrow(0, picture, 1)?;
    let near = similarity(&prototypes.distances(&map)?.narrow(2, prototype, 1)?.flatten_all()?)?;
    let [rows, columns] = patches.size;
    let large = upscale(&near.to_vec1::<f32>()?, rows, columns, height as usize, width as usize)?;
    let [left, top, right, bottom] = rectangle(&large, width as usize);
    let mut drawn = image::imageops::resize(&seen, width, height, image::imageops::FilterType::Nearest);
    let thick = (width / 75).max(1);
    for (x, y, pixel) in drawn.enumerate_pixels_mut() {
        let inside = |margin: u32| {
            (left + margin..=right.saturating_sub(margin)).contains(&x)
                && (top + margin..=bottom.saturating_sub(margin)).contains(&y)
        };
        if inside(0) && !inside(thick) {
            *pixel = BOX;
        }
    }
    Ok(drawn)
}

/// The smallest rectangle, `[left, top, right, bottom]`, around all that is not below the percentile.
fn rectangle(map: &[f32], width: usize) -> [u32; 4] {
    let mut sorted = map.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    // Between two of them, as numpy has it.
    let place = PERCENTILE / 100.0 * (sorted.len() - 1) as f64;
    let (below, share) = (place as usize, place.fract() as f32);
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    let least = sorted[below] + share * (above - sorted[below]);
    let mut found = [u32::MAX, u32::MAX, 0, 0];
    for (index, _) in map.iter().enumerate().filter(|(_, value)| **value >= least) {
        let (x, y) = ((index % width) as u32, (index / width) as u32);
        found = [found[0].min(x), found[1].min(y), found[2].max(x), found[3].max(y)];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::rectangle;

    #[test]
    fn the_box_goes_around_all_that_is_hot() {
        let mut map = vec![0.0; 400];
        for (x, y) in [(3, 5), (9, 5), (4, 11)] {
            map[y * 20 + x] = 1.0;
        }
        // 3 of 400 are hot; the 95th percentile is 0, so everything is inside.
        assert_eq!(rectangle(&map, 20), [0, 0, 19, 19]);
        for y in 5..12 {
            (3..10).for_each(|x| map[y * 20 + x] += 1.0);
        }
        assert_eq!(rectangle(&map, 20), [3, 5, 9, 11]);
    }
}
