//! Prototypes are learned beside a frozen network, and then become patches of source pictures.

use candle_core::{D, Device, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use rand::seq::SliceRandom;

use super::patches::Patches;
use super::prototypes::{Answer, Prototypes, Weights};
use crate::error::{Result, complain};
use crate::random::generator;

/// How prototypes are learned.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Prototypes of each class, as many as in ProtoPNet.
    pub per_class: usize,
    /// All patches are multiplied by one number, so that a source patch has this squared length on average. ProtoPNet's features are
    /// sigmoids; at the hundreds that a ReLU gives, the similarity is near 0 for every patch and the cluster cost drowns the others
    /// (HDA on Mini's Clipart → Real World, seed 1: 66 % agreement on the target unscaled, 3 a class; 92.5 % with these settings).
    pub mean_square: f64,
    /// Passes over the pictures in which prototypes and rows learn.
    pub passes: usize,
    /// Steps after the push, on all pictures at once, in which the rows alone learn.
    pub steps_of_rows: usize,
    /// Learning rate of the prototypes (Adam).
    pub rate: f64,
    /// Learning rate of the rows (Adam); ProtoPNet takes 1e-4, in a hundred times as many steps.
    pub rate_of_rows: f64,
    /// Pictures of each domain in a step.
    pub batch_size: usize,
    /// The parts of the loss.
    pub weights: Weights,
    /// Of the order of the pictures.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            per_class: 10,
            mean_square: 0.25,
            passes: 20,
            steps_of_rows: 400,
            rate: 3e-3,
            rate_of_rows: 3e-2,
            batch_size: 36,
            weights: Weights::default(),
            seed: 1,
        }
    }
}

/// A patch: a place in the map of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// The picture's number among the [`Patches`].
    pub picture: usize,
    /// Row by row.
    pub place: usize,
}

/// Prototypes that are patches of source pictures.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The prototypes.
    pub prototypes: Prototypes,
    /// The source patch that each of them is.
    pub homes: Vec<Patch>,
    /// The mean loss of each pass before the push.
    pub losses: Vec<f64>,
    /// The loss of each step after it.
    pub losses_of_rows: Vec<f64>,
}

/// Learns prototypes from the patches of both domains, pushes each to the nearest source patch of its class, and fits the rows again.
///
/// # Errors
/// If a class has fewer source patches than prototypes, or a loss is not finite.
pub fn learn(source: &Patches, target: &Patches, settings: &Settings) -> Result<Learned> {
    let classes = source.seen.logits.dims()[1];
    let start = start(source, classes, settings.per_class)?;
    let prototypes = Prototypes::new(&start, classes)?;
    let losses = learn_both(&prototypes, source, target, settings)?;
    let homes = push(&prototypes, source)?;
    let losses_of_rows = learn_rows(&prototypes, source, target, settings)?;
    Ok(Learned { prototypes, homes, losses, losses_of_rows })
}

/// The centres of the patches that speak most for their class, `[classes · per class, channels]`: random numbers would lie so far from
/// all patches that the similarity has no slope there.
fn start(source: &Patches, classes: usize, per_class: usize) -> Result<Tensor> {
    let mut all = Vec::new();
    for class in 0..classes {
        let pictures = source.of_class(class)?;
        let seen = source.seen.select(&pictures)?;
        let places = source.seen.map.dims()[1];
        if pictures.len() * places < per_class || pictures.is_empty() {
            let expected = format!("at least {per_class} patches of class {class} in {}", source.domain.name);
            return Err(complain(expected, format!("{} pictures", pictures.len())).into());
        }
        let heat = source.heat.index_select(&Tensor::new(pictures, &Device::Cpu)?, 0)?;
        let hottest = heat.arg_sort_last_dim(false)?.narrow(1, 0, per_class.min(places))?.contiguous()?;
        let (count, kept) = hottest.dims2()?;
        let firsts = Tensor::arange_step(0u32, (count * places) as u32, places as u32, &Device::Cpu)?;
        let rows = hottest.broadcast_add(&firsts.unsqueeze(1)?)?.flatten_all()?;
        let channels = source.seen.map.dims()[2];
        let patches = seen.map.reshape((count * places, channels))?.index_select(&rows, 0)?;
        all.push(centres(&patches, per_class.min(count * kept))?);
    }
    Ok(Tensor::cat(&all, 0)?)
}

/// Lloyd's k-means from evenly spaced rows: `[rows, channels]` → `[number, channels]`.
fn centres(points: &Tensor, number: usize) -> Result<Tensor> {
    let rows = points.dims()[0];
    let first: Vec<u32> = (0..number).map(|centre| (centre * rows / number) as u32).collect();
    let mut centres = points.index_select(&Tensor::new(first, points.device())?, 0)?;
    for _ in 0..20 {
        let products = points.matmul(&centres.t()?)?;
        let distances = (products * -2.0)?.broadcast_add(&centres.sqr()?.sum(1)?)?;
        let nearest = distances.argmin(D::Minus1)?;
        let member = Tensor::eye(number, points.dtype(), points.device())?.index_select(&nearest, 0)?; // [rows, number]
        let sizes = member.sum(0)?.unsqueeze(1)?;
        let means = member.t()?.matmul(points)?.broadcast_div(&sizes.maximum(1.0)?)?;
        // A centre that nothing is nearest to stays where it is.
        let empty = sizes.eq(0.0)?.to_dtype(points.dtype())?;
        centres = (means + centres.broadcast_mul(&empty)?)?;
    }
    Ok(centres)
}

fn adam(vars: Vec<Var>, rate: f64) -> Result<AdamW> {
    Ok(AdamW::new(vars, ParamsAdamW { lr: rate, weight_decay: 0.0, ..ParamsAdamW::default() })?)
}

/// Takes steps over all pictures; gives back the mean loss of each pass.
fn learn_both(
    prototypes: &Prototypes,
    source: &Patches,
    target: &Patches,
    settings: &Settings,
) -> Result<Vec<f64>> {
    let mut of_points = adam(vec![prototypes.points.clone()], settings.rate)?;
    let mut of_rows = adam(vec![prototypes.rows.clone()], settings.rate_of_rows)?;
    let mut losses = Vec::new();
    for pass in 0..settings.passes {
        let order = |patches: &Patches, name: &str| {
            let mut all: Vec<u32> = (0..patches.count() as u32).collect();
            all.shuffle(&mut generator(settings.seed, name, pass as u64, 0));
            all
        };
        let (sources, targets) = (order(source, "prototypes source"), order(target, "prototypes target"));
        let (mut sum, mut steps) = (0.0, 0);
        let targets = targets.chunks(settings.batch_size).cycle();
        for (of_source, of_target) in sources.chunks(settings.batch_size).zip(targets) {
            let (one, other) = (source.seen.select(of_source)?, target.seen.select(of_target)?);
            let loss = prototypes.costs(&one, &other, &settings.weights)?.loss;
            let gradients = loss.backward()?;
            of_rows.step(&gradients)?;
            of_points.step(&gradients)?;
            (sum, steps) = (sum + finite(&loss)?, steps + 1);
        }
        losses.push(sum / f64::from(steps));
    }
    Ok(losses)
}

/// Fits the rows to prototypes that stay, on all pictures at once; gives back the loss of each step.
fn learn_rows(
    prototypes: &Prototypes,
    source: &Patches,
    target: &Patches,
    settings: &Settings,
) -> Result<Vec<f64>> {
    let mut of_rows = adam(vec![prototypes.rows.clone()], settings.rate_of_rows)?;
    let [one, other] = [source, target].map(|patches| prototypes.answer(&patches.seen.map));
    let (one, other) = (one?, other?);
    let both = |of: fn(&Answer) -> &Tensor| -> Result<Tensor> {
        Ok(Tensor::cat(&[of(&one), of(&other)], 0)?.detach())
    };
    let (places, distances) = (both(|one| &one.places)?, both(|one| &one.distances)?);
    let similarities = both(|one| &one.similarities)?;
    let mut losses = Vec::new();
    for _ in 0..settings.steps_of_rows {
        let answer = Answer {
            places: places.clone(),
            distances: distances.clone(),
            logits: prototypes.logits(&similarities)?,
            similarities: similarities.clone(),
        };
        let loss = prototypes.costs_of(&answer, &source.seen, &target.seen, &settings.weights)?.loss;
        of_rows.step(&loss.backward()?)?;
        losses.push(finite(&loss)?);
    }
    Ok(losses)
}

fn finite(loss: &Tensor) -> Result<f64> {
    let loss = f64::from(loss.to_scalar::<f32>()?);
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(complain("a finite loss of the prototypes", loss.to_string())
        .advice("lower their learning rate, or look whether the run's weights are finite")
        .into())
}

/// Each prototype becomes the nearest patch among the source pictures of its class.
fn push(prototypes: &Prototypes, source: &Patches) -> Result<Vec<Patch>> {
    let places = source.seen.map.dims()[1];
    let all = prototypes.distances(&source.seen.map)?; // [pictures, places, prototypes]
    let (mut homes, mut points) = (Vec::new(), Vec::new());
    for prototype in 0..prototypes.count() {
        let pictures = source.of_class(prototypes.class(prototype))?;
        let chosen = Tensor::new(pictures.as_slice(), all.device())?;
        let distances = all.narrow(2, prototype, 1)?.contiguous()?.index_select(&chosen, 0)?.flatten_all()?;
        let nearest = distances.argmin(0)?.to_scalar::<u32>()? as usize;
        let home = Patch { picture: pictures[nearest / places] as usize, place: nearest % places };
        points.push(source.seen.map.get(home.picture)?.get(home.place)?);
        homes.push(home);
    }
    prototypes.points.set(&Tensor::stack(&points, 0)?)?;
    Ok(homes)
}
