//! How long does a heat map take? Every kind, from the normalised picture to the map enlarged over it.

use std::time::Instant;

use candle_core::Tensor;
use serde::Serialize;

use super::noise;
use crate::config::RunConfig;
use crate::error::Result;
use crate::explain::evidence::Evidence;
use crate::explain::guided::{guided, guided_backpropagation};
use crate::explain::maps::{self, MapKind};
use crate::explain::overlay::enlarged;
use crate::model::Model;
use crate::model::resnet::Layer;
use crate::setup::make_model;
use crate::train::progress::median;

/// Seconds of each kind of map for one picture, medians.
#[derive(Debug, Clone, Serialize)]
pub struct MapsMeasurement {
    /// The backbone's name.
    pub backbone: String,
    /// Side of the picture in pixels.
    pub image: usize,
    /// Where it was computed: `cpu` or `cuda:N`.
    pub device: String,
    /// Threads that compute on the CPU.
    pub threads: usize,
    /// A map's name and its seconds, in the order of [`maps::ALL`], then the guided ones.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Times every kind of map after the last layer, with the head and the network of `config` (random weights), for one
/// picture of noise: `times` of each after one that is not counted. A map's forward and backward pass are its own, as for
/// somebody who wants this map only; the kinds take turns, so that a slow moment of the machine is every kind's.
///
/// # Errors
/// If a setting cannot be meant.
pub fn bench_maps(config: &RunConfig, classes: usize, times: usize) -> Result<MapsMeasurement> {
    let config = &config.clone().check()?;
    let device = config.device.open()?;
    let model = make_model(config, classes, 1)?;
    let image = noise(1, config.crop, &device)?;
    let grad_cam = maps::find("grad-cam")?;
    let plus_plus = maps::find("grad-cam++")?;
    let mut works: Vec<(&'static str, Work)> =
        maps::ALL.iter().map(|kind| (kind.key, Work::Map(kind))).collect();
    works.push(("guided-backpropagation", Work::Guided(None)));
    works.push(("guided-grad-cam", Work::Guided(Some(grad_cam))));
    works.push(("guided-grad-cam++", Work::Guided(Some(plus_plus))));
    let mut seconds = vec![Vec::new(); works.len()];
    for turn in 0..=times.max(1) {
        for ((_, work), seconds) in works.iter().zip(&mut seconds) {
            let start = Instant::now();
            work.run(&model, &image)?;
            device.synchronize()?;
            if turn > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(MapsMeasurement {
        backbone: config.backbone.name().to_owned(),
        image: config.crop,
        device: crate::device::name(&device),
        threads: rayon::current_num_threads(),
        seconds: works.iter().zip(&seconds).map(|((name, _), seconds)| (*name, median(seconds))).collect(),
    })
}

/// What is timed.
enum Work {
    Map(&'static MapKind),
    /// Guided backpropagation, alone or multiplied with a map.
    Guided(Option<&'static MapKind>),
}

impl Work {
    fn run(&self, model: &Model, image: &Tensor) -> Result<Tensor> {
        let (_, height, width, _) = image.dims4()?;
        let map = |kind: &MapKind| (kind.compute)(&Evidence::of(model, image, &[0], Layer::Layer4)?);
        match self {
            Self::Map(kind) => enlarged(&map(kind)?, height, width),
            Self::Guided(None) => guided_backpropagation(model, image, &[0]),
            Self::Guided(Some(kind)) => guided(&map(kind)?, &guided_backpropagation(model, image, &[0])?),
        }
    }
}
