//! ROAD, remove and debias (Rong et al. 2022, arXiv 2202.00449): what is removed is not made grey, which a network could notice,
//! but filled in from around.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rand::Rng;
use rand_distr::StandardNormal;

use super::confidence::{hottest_first, probabilities};
use crate::error::{Result, complain};
use crate::model::Model;
use crate::random::Generator;

/// The percentiles over which the scores are averaged.
pub const PERCENTILES: [u32; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];

/// The deviation of the noise that is added to what is filled in, in units of the normalised picture.
pub const NOISE: f64 = 0.01;

/// Where the neighbours of a pixel lie, and their share of its value: edges 1/6, corners 1/12.
const NEIGHBOURS: [(i64, i64, f64); 8] = [
    (-1, 0, 1.0 / 6.0),
    (1, 0, 1.0 / 6.0),
    (0, -1, 1.0 / 6.0),
    (0, 1, 1.0 / 6.0),
    (-1, -1, 1.0 / 12.0),
    (-1, 1, 1.0 / 12.0),
    (1, -1, 1.0 / 12.0),
    (1, 1, 1.0 / 12.0),
];

/// Probabilities after removal, one for each percentile.
#[derive(Debug, Clone, PartialEq)]
pub struct Road {
    /// Of the untouched picture.
    pub before: f64,
    /// The most relevant removed first: a good map lets it fall.
    pub most_relevant_first: Vec<f64>,
    /// The least relevant removed first: a good map keeps it up.
    pub least_relevant_first: Vec<f64>,
}

impl Road {
    /// Of one normalised picture `[1, height, width, 3]` and a map of `height · width` values. `noise` draws the noise of the
    /// paper; without it what is filled in is smooth.
    ///
    /// # Errors
    /// If the map has another size, or the class is not below the number of classes.
    pub fn of(
        model: &Model,
        image: &Tensor,
        class: u32,
        map: &[f64],
        percentiles: &[u32],
        mut noise: Option<&mut Generator>,
    ) -> Result<Self> {
        let before = probabilities(model, image, class)?[0];
        let least: Vec<f64> = map.iter().map(|value| 1.0 - value).collect();
        let mut after = |relevance: &[f64]| -> Result<Vec<f64>> {
            let filled: Vec<Tensor> = percentiles
                .iter()
                .map(|&percentile| imputed(image, &kept(relevance, percentile), noise.as_deref_mut()))
                .collect::<Result<_>>()?;
            probabilities(model, &Tensor::cat(&filled, 0)?, class)
        };
        Ok(Self { before, most_relevant_first: after(map)?, least_relevant_first: after(&least)? })
    }

    /// Mean of the probability after removing the most relevant, minus that before.
    pub fn morf(&self) -> f64 {
        self.change(&self.most_relevant_first)
    }

    /// The same for the least relevant.
    pub fn lerf(&self) -> f64 {
        self.change(&self.least_relevant_first)
    }

    /// `(LeRF - MoRF) / 2`: high is good, 0 is a map that knows nothing.
    pub fn combined(&self) -> f64 {
        (self.lerf() - self.morf()) / 2.0
    }

    fn change(&self, after: &[f64]) -> f64 {
        after.iter().map(|probability| probability - self.before).sum::<f64>() / after.len().max(1) as f64
    }
}

/// Which pixels stay: those of the lowest relevance, `⌈percentile · (N - 1) / 100⌉` of them, of equal ones the first.
///
/// With distinct values these are the pixels below the percentile, as in the published code. That one keeps *no* pixel of a map with
/// more zeros than that, and ends with NaN; an enlarged map with ReLU is often such.
pub fn kept(relevance: &[f64], percentile: u32) -> Vec<bool> {
    let negated: Vec<f64> = relevance.iter().map(|value| -value).collect();
    let count = (u64::from(percentile) * relevance.len().saturating_sub(1) as u64).div_ceil(100) as usize;
    let mut stays = vec![false; relevance.len()];
    for pixel in hottest_first(&negated).into_iter().take(count) {
        stays[pixel] = true;
    }
    stays
}

/// The picture `[1, height, width, 3]` with every pixel that does not stay filled in: it is the weighted mean of its neighbours, all of
/// them at once, as one linear system.
///
/// # Errors
/// If no pixel stays, or `stays` has another size.
pub fn imputed(image: &Tensor, stays: &[bool], noise: Option<&mut Generator>) -> Result<Tensor> {
    let (_, height, width, colours) = image.dims4()?;
    if stays.len() != height * width || !stays.contains(&true) {
        let expected = format!("a choice among {height}×{width} pixels that keeps one at least");
        let found = format!("{} of {} kept", stays.iter().filter(|stays| **stays).count(), stays.len());
        return Err(complain(expected, found).into());
    }
    let mut pixels: Vec<f64> =
        image.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?; // height, width, colour
    let system = System::new(stays, height, width);
    for colour in 0..colours {
        let known: Vec<f64> = pixels.iter().skip(colour).step_by(colours).copied().collect();
        for (&pixel, value) in system.missing.iter().zip(system.solve(&known)) {
            pixels[pixel * colours + colour] = value;
        }
    }
    if let Some(noise) = noise {
        for &pixel in &system.missing {
            for colour in 0..colours {
                let drawn: f64 = noise.sample(StandardNormal);
                pixels[pixel * colours + colour] += NOISE * drawn;
            }
        }
    }
    let filled = Tensor::from_vec(pixels, image.shape(), &Device::Cpu)?;
    Ok(filled.to_dtype(image.dtype())?.to_device(image.device())?)
}

/// `Σ_j w_ij (x_i - x_j) = 0` for every missing pixel `i` and its neighbours `j` inside the picture: symmetric, and positive definite
/// as long as every hole touches a known pixel.
struct System {
    missing: Vec<usize>,
    /// For each missing pixel its neighbours: a place in `missing` or a known pixel, with the weight.
    neighbours: Vec<Vec<(Neighbour, f64)>>,
}

enum Neighbour {
    Missing(usize),
    Known(usize),
}

impl System {
    fn new(stays: &[bool], height: usize, width: usize) -> Self {
        let missing: Vec<usize> = (0..stays.len()).filter(|&pixel| !stays[pixel]).collect();
        let places: HashMap<usize, usize> =
            missing.iter().enumerate().map(|(place, &pixel)| (pixel, place)).collect();
        let around = |&pixel: &usize| {
            let (row, column) = ((pixel / width) as i64, (pixel % width) as i64);
            let inside = NEIGHBOURS.iter().filter_map(|&(down, across, weight)| {
                let (row, column) = (row + down, column + across);
                let is_inside = (0..height as i64).contains(&row) && (0..width as i64).contains(&column);
                is_inside.then(|| (row as usize * width + column as usize, weight))
            });
            let known = |(pixel, weight)| match places.get(&pixel) {
                Some(&place) => (Neighbour::Missing(place), weight),
                None => (Neighbour::Known(pixel), weight),
            };
            inside.map(known).collect()
        };
        Self { neighbours: missing.iter().map(around).collect(), missing }
    }

    /// The missing values of one colour, by conjugate gradients (Hestenes & Stiefel 1952) to a relative residual of 1e-13.
    fn solve(&self, known: &[f64]) -> Vec<f64> {
        let count = self.missing.len();
        let right: Vec<f64> = self
            .neighbours
            .iter()
            .map(|around| {
                around
                    .iter()
                    .map(|(of, weight)| match of {
                        Neighbour::Known(pixel) => weight * known[*pixel],
                        Neighbour::Missing(_) => 0.0,
                    })
                    .sum()
            })
            .collect();
        let product = |x: &[f64]| -> Vec<f64> {
            let row = |(place, around): (usize, &Vec<(Neighbour, f64)>)| {
                around
                    .iter()
                    .map(|(of, weight)| match of {
                        Neighbour::Known(_) => weight * x[place],
                        Neighbour::Missing(other) => weight * (x[place] - x[*other]),
                    })
                    .sum()
            };
            self.neighbours.iter().enumerate().map(row).collect()
        };
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let mut x = vec![0.0; count];
        let mut residual = right.clone();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let goal = square * 1e-26;
        for _ in 0..10 * count {
            if square <= goal {
                break;
            }
            let turned = product(&direction);
            let step = square / dot(&direction, &turned);
            for place in 0..count {
                x[place] += step * direction[place];
                residual[place] -= step * turned[place];
            }
            let next = dot(&residual, &residual);
            for place in 0..count {
                direction[place] = residual[place] + next / square * direction[place];
            }
            square = next;
        }
        x
    }
}
