//! How fast do pictures get ready? Decode, resize, crop and normalise, without a network.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::data::class_folders::list;
use crate::data::decode::{EXTENSIONS, decode_file};
use crate::data::transform::Transform;
use crate::error::{Result, complain, file_error};
use crate::random::generator;

/// Pictures that share a buffer, as in a published batch.
const BATCH: usize = 36;
/// Pictures that each thread prepares before its clocks start: after two batches it gets no new memory any more.
const WARM_UP: usize = 2 * BATCH;

/// What a bench of the pictures measured.
#[derive(Debug, Clone, Serialize)]
pub struct PicturesMeasurement {
    /// Pictures that were prepared.
    pub pictures: usize,
    /// Threads that prepared them.
    pub threads: usize,
    /// Pictures per second by the wall clock.
    pub pictures_per_second: f64,
    /// The same per thread; a core's rate where there is a core for each.
    pub pictures_per_second_per_core: f64,
    /// Pictures per second of processor time, which other processes do not lengthen; none where the system does not
    /// tell.
    pub pictures_per_cpu_second: Option<f64>,
    /// Seconds per picture to read and decode it.
    pub decode_seconds: f64,
    /// Seconds per picture to resize it.
    pub resize_seconds: f64,
    /// Seconds per picture to crop, mirror and normalise it.
    pub crop_seconds: f64,
}

/// Prepares every picture under `folder` once as for a published training step (resize 256, random crop 224, mirror,
/// normalise) on `threads` threads.
///
/// # Errors
/// If the folder cannot be read or holds no picture, a picture cannot be decoded, or there is no thread.
pub fn bench_pictures(folder: &Path, threads: usize) -> Result<PicturesMeasurement> {
    if threads == 0 {
        return Err(complain("at least 1 thread", "0").at("--threads").advice("leave it out for 1").into());
    }
    let mut files = Vec::new();
    find_pictures(folder, &mut files)?;
    if files.is_empty() {
        return Err(complain(
            format!("pictures ({}) in this folder or below", EXTENSIONS.join(", ")),
            "none",
        )
        .at(folder.display())
        .advice("name a folder with pictures in it")
        .into());
    }
    let parts = std::thread::scope(|scope| {
        let files = &files;
        let start = |worker| {
            std::thread::Builder::new()
                .name(format!("pictures {worker}"))
                .spawn_scoped(scope, move || {
                    prepare(files.iter().take(WARM_UP))?;
                    prepare(files.iter().skip(worker).step_by(threads))
                })
                .map_err(|error| file_error("start", "a worker thread", error))
        };
        let workers: Vec<_> = (0..threads).map(start).collect::<Result<_>>()?;
        let join = |worker: std::thread::ScopedJoinHandle<Result<Times>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect::<Result<Vec<Times>>>()
    })?;
    let longest = parts.iter().map(|times| times.whole).max().unwrap_or_default();
    let rate = files.len() as f64 / longest.as_secs_f64();
    let mean = |part: fn(&Times) -> Duration| {
        parts.iter().map(part).sum::<Duration>().as_secs_f64() / files.len() as f64
    };
    let processor: Option<Duration> = parts.iter().map(|times| times.processor).sum();
    Ok(PicturesMeasurement {
        pictures: files.len(),
        threads,
        pictures_per_second: rate,
        pictures_per_second_per_core: rate / threads as f64,
        pictures_per_cpu_second: processor.map(|time| files.len() as f64 / time.as_secs_f64()),
        decode_seconds: mean(|times| times.decode),
        resize_seconds: mean(|times| times.resize),
        crop_seconds: mean(|times| times.crop),
    })
}

/// Where the time of one thread went.
#[derive(Default)]
struct Times {
    decode: Duration,
    resize: Duration,
    crop: Duration,
    whole: Duration,
    processor: Option<Duration>,
}

fn prepare<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<Times> {
    let transform = Transform::office_home();
    let (mut times, mut batch) = (Times::default(), Vec::new());
    let (whole, processor) = (Instant::now(), processor_time());
    for (number, file) in files.enumerate() {
        if number % BATCH == 0 {
            batch = Vec::with_capacity(BATCH * transform.numbers());
        }
        let start = Instant::now();
        let picture = decode_file(file, None)?;
        let decoded = Instant::now();
        let mut resized = decoded;
        let mut generator = generator(0, "bench", 0, number as u64);
        transform.train_observed(&picture, &mut generator, &mut batch, || resized = Instant::now());
        times.decode += decoded - start;
        times.resize += resized - decoded;
        times.crop += resized.elapsed();
    }
    // The numbers are not looked at; without this the compiler could leave their computation out.
    std::hint::black_box(batch);
    times.whole = whole.elapsed();
    times.processor = processor.and_then(|before| Some(processor_time()? - before));
    Ok(times)
}

/// Appends the pictures in `folder` and below, by name.
fn find_pictures(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let listing = list(folder)?;
    files.extend(listing.pictures);
    listing.folders.iter().try_for_each(|inside| find_pictures(&folder.join(inside), files))
}

/// Processor time of this thread so far, from `/proc`; none on systems without it.
fn processor_time() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(statistics.split_whitespace().next()?.parse().ok()?))
}
