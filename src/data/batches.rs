//! Pictures to batches: shuffled and augmented for training, in order for testing.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;

use crate::data::dataset::Domain;
use crate::data::prefetch::Prefetch;
use crate::data::transform::Transform;
use crate::device::upload::upload;
use crate::error::{Result, complain};
use crate::random::generator;

/// Pictures with their labels.
#[derive(Clone, Debug)]
pub struct Batch {
    /// f32 `[batch, height, width, 3]`, normalised.
    pub images: Tensor,
    /// u32 `[batch]`.
    pub labels: Tensor,
    /// Which pictures of the domain these are.
    pub indices: Vec<usize>,
}

/// The endless training batches of one domain, decoded and augmented ahead on worker threads.
///
/// Batch number b is a function of (seed, stream, b) alone: not of the number of workers, and not of the batches before
/// it. So a run resumes by starting at the number of the next batch. An epoch shows every picture at most once; its
/// incomplete last batch is dropped, as by the published code.
///
/// Of a domain that is made of several, an epoch shows the smaller ones more than once, so that each has as many
/// pictures in it as the largest; all are shuffled together. Which pictures come again is drawn once for the run,
/// as in the published code for several sources.
pub struct BatchLoader {
    batches: Prefetch<Batch>,
    batches_per_epoch: usize,
}

impl BatchLoader {
    /// Starts at batch `first_batch`. `stream` tells the random numbers of `"source"` and `"target"` apart. With 0
    /// `workers` each batch is made when it is asked for. The batches lie on `device`.
    ///
    /// # Errors
    /// If the domain has fewer pictures than one batch, or the transform leaves no pixel.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        domain: Domain,
        transform: Transform,
        batch_size: usize,
        seed: u64,
        stream: &str,
        first_batch: usize,
        workers: usize,
        device: &Device,
    ) -> Result<Self> {
        check(&domain, &transform, batch_size)?;
        let pool = balanced(&domain.pictures.parts(), seed, &format!("{stream}.balance"));
        let pictures = pool.len();
        if batch_size > pictures {
            return Err(complain(
                format!("a batch size of at most {pictures}, the number of pictures in {}", domain.name),
                batch_size.to_string(),
            )
            .at("--batch-size")
            .advice(format!("--batch-size {pictures} or less"))
            .into());
        }
        let order = format!("{stream}.order");
        let augment = format!("{stream}.augment");
        let device = device.clone();
        let make = move |number: usize, stop: &AtomicBool| {
            let epoch = (number / (pictures / batch_size)) as u64;
            let places = training_indices(seed, &order, pictures, batch_size, number);
            let indices = places.iter().map(|&place| pool[place]).collect();
            // By its place in the pool, not its index: a picture that comes again gets another crop.
            make_batch(&domain, &transform, indices, &device, stop, |picture, row, numbers| {
                let mut generator = generator(seed, &augment, epoch, places[row] as u64);
                transform.train_into(picture, &mut generator, numbers)
            })
        };
        Ok(Self {
            batches: Prefetch::new(first_batch, None, workers, make)?,
            batches_per_epoch: pictures / batch_size,
        })
    }

    /// How many batches an epoch has.
    pub fn batches_per_epoch(&self) -> usize {
        self.batches_per_epoch
    }

    /// The next batch.
    ///
    /// # Errors
    /// If a picture of it cannot be decoded; the message names it. The call after that gives the batch after it.
    #[allow(clippy::should_implement_trait)] // an iterator that never ends and may fail invites `for` without `?`
    pub fn next(&mut self) -> Result<Batch> {
        self.batches.next()
    }
}

/// Every picture of a domain once, in order, the incomplete last batch included.
pub struct TestBatches {
    batches: Prefetch<Batch>,
    remaining: usize,
}

/// Starts a pass over `domain` for testing: centre crops, no chance involved. The batches lie on `device`.
///
/// # Errors
/// If the domain is empty, the batch size is 0, or the transform leaves no pixel.
pub fn test_batches(
    domain: Domain,
    transform: Transform,
    batch_size: usize,
    device: &Device,
) -> Result<TestBatches> {
    check(&domain, &transform, batch_size)?;
    let (pictures, device) = (domain.pictures.len(), device.clone());
    let remaining = pictures.div_ceil(batch_size);
    let make = move |number: usize, stop: &AtomicBool| {
        let start = number * batch_size;
        let indices = (start..pictures.min(start + batch_size)).collect();
        make_batch(&domain, &transform, indices, &device, stop, |picture, _, numbers| {
            transform.test_into(picture, numbers)
        })
    };
    Ok(TestBatches {
        batches: Prefetch::new(0, Some(remaining), default_workers().min(remaining), make)?,
        remaining,
    })
}

impl Iterator for TestBatches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        Some(self.batches.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for TestBatches {}

/// How many worker threads suit this machine: one per core, at most 8.
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8))
}

/// The pictures of an epoch by their indices: all of them, and of each smaller part some again until all parts are equal.
fn balanced(parts: &[usize], seed: u64, purpose: &str) -> Vec<usize> {
    let largest = parts.iter().copied().max().unwrap_or(0);
    let (mut pool, mut start) = (Vec::with_capacity(largest * parts.len()), 0);
    for (part, &length) in parts.iter().enumerate() {
        let own: Vec<usize> = (start..start + length).collect();
        start += length;
        let lacking = largest - length;
        pool.extend(&own);
        if lacking > 0 && length > 0 {
            let mut again = own.repeat(lacking.div_ceil(length));
            let (drawn, _) = again.partial_shuffle(&mut generator(seed, purpose, part as u64, 0), lacking);
            pool.extend_from_slice(drawn);
        }
    }
    pool
}

/// The pictures of training batch `number`: epoch e is a shuffle of all, seeded by e, cut into batches.
fn training_indices(
    seed: u64,
    purpose: &str,
    pictures: usize,
    batch_size: usize,
    number: usize,
) -> Vec<usize> {
    let per_epoch = pictures / batch_size;
    let (epoch, place) = (number / per_epoch, number % per_epoch);
    let mut order: Vec<usize> = (0..pictures).collect();
    order.shuffle(&mut generator(seed, purpose, epoch as u64, 0));
    order[place * batch_size..(place + 1) * batch_size].to_vec()
}

/// `append` transforms one picture, given its row in the batch, and writes it straight into the batch.
fn make_batch(
    domain: &Domain,
    transform: &Transform,
    indices: Vec<usize>,
    device: &Device,
    stop: &AtomicBool,
    append: impl Fn(&image::RgbImage, usize, &mut Vec<f32>),
) -> Result<Batch> {
    let side = transform.crop as usize;
    let mut numbers = Vec::with_capacity(indices.len() * transform.numbers());
    for (row, &index) in indices.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(complain("somebody who waits for this batch", "nobody").into());
        }
        append(&domain.pictures.decode(index)?, row, &mut numbers);
    }
    let labels: Vec<u32> = indices.iter().map(|&index| domain.pictures.label(index)).collect();
    Ok(Batch {
        images: upload(numbers, (indices.len(), side, side, 3), device)?,
        labels: Tensor::from_vec(labels, indices.len(), device)?,
        indices,
    })
}

fn check(domain: &Domain, transform: &Transform, batch_size: usize) -> Result<()> {
    if domain.pictures.is_empty() {
        return Err(complain(format!("pictures in the domain {}", domain.name), "none").into());
    }
    if batch_size == 0 {
        return Err(complain("a batch size of at least 1", "0").at("--batch-size").into());
    }
    if transform.crop == 0 || transform.resize == Some(0) {
        return Err(complain("a picture size of at least 1 pixel", "0").at(format!("{transform:?}")).into());
    }
    Ok(())
}
