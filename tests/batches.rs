//! Batches depend on the seed, the stream and their number alone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::Device;
use image::RgbImage;
use toalign::Result;
use toalign::data::batches::{Batch, BatchLoader, test_batches};
use toalign::data::dataset::{Domain, Pictures};
use toalign::data::transform::{Transform, normalise};
use toalign::error::complain;

/// Pictures made of their index; those in `broken` cannot be decoded; every third takes a while.
struct Numbered {
    count: usize,
    broken: Vec<usize>,
    slow: bool,
}

impl Pictures for Numbered {
    fn len(&self) -> usize {
        self.count
    }

    fn name(&self, index: usize) -> String {
        format!("picture {index}")
    }

    fn label(&self, index: usize) -> u32 {
        index as u32 % 3
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        if self.slow && index.is_multiple_of(3) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.broken.contains(&index) {
            return Err(complain("a whole picture", "a broken one").at(self.name(index)).into());
        }
        Ok(RgbImage::from_fn(6, 5, |x, y| image::Rgb([index as u8, 40 * x as u8, 50 * y as u8])))
    }
}

fn domain(count: usize, broken: &[usize], slow: bool) -> Domain {
    Domain {
        name: "Numbers".to_owned(),
        pictures: Arc::new(Numbered { count, broken: broken.to_vec(), slow }),
    }
}

fn transform() -> Transform {
    Transform { resize: None, pad: 2, crop: 4, flip: true }
}

type Content = (Vec<usize>, Vec<u32>, Vec<f32>);

fn content(batch: &Batch) -> Content {
    (
        batch.indices.clone(),
        batch.labels.to_vec1().expect("labels"),
        batch.images.flatten_all().and_then(|images| images.to_vec1()).expect("numbers"),
    )
}

/// `count` batches of 4 of 22 pictures (5 batches an epoch), from batch `first` on.
fn batches(seed: u64, stream: &str, first: usize, count: usize, workers: usize) -> Vec<Content> {
    let mut loader =
        BatchLoader::new(domain(22, &[], true), transform(), 4, seed, stream, first, workers, &Device::Cpu)
            .expect("a loader");
    assert_eq!(loader.batches_per_epoch(), 5);
    (0..count).map(|_| content(&loader.next().expect("a batch"))).collect()
}

#[test]
fn the_same_for_any_number_of_workers() {
    let in_this_thread = batches(7, "source", 0, 13, 0);
    for workers in [1, 2, 4] {
        assert!(batches(7, "source", 0, 13, workers) == in_this_thread, "{workers} workers");
    }
    let (indices, labels, numbers) = &in_this_thread[0];
    assert_eq!((indices.len(), labels.len(), numbers.len()), (4, 4, 4 * 4 * 4 * 3));
    assert!(indices.iter().zip(labels).all(|(&index, &label)| label == index as u32 % 3));
}

#[test]
fn starting_at_a_batch_equals_skipping_to_it() {
    let straight = batches(7, "source", 0, 13, 2);
    for first in [1, 4, 5, 8] {
        assert!(batches(7, "source", first, 13 - first, 2) == straight[first..], "from {first}");
    }
}

#[test]
fn seed_and_stream_change_order_and_crops() {
    let one = batches(7, "source", 0, 5, 0);
    assert_ne!(one, batches(8, "source", 0, 5, 0));
    assert_ne!(one, batches(7, "target", 0, 5, 0));
    // The same picture is not cropped the same way in the next epoch, for some picture at least.
    let both = batches(7, "source", 0, 10, 0);
    let numbers_of = |epoch: &[Content], picture: usize| {
        epoch.iter().find_map(|(indices, _, numbers)| {
            let place = indices.iter().position(|&index| index == picture)?;
            Some(numbers[place * 48..(place + 1) * 48].to_vec())
        })
    };
    let changed = (0..22)
        .filter_map(|picture| Some((numbers_of(&both[..5], picture)?, numbers_of(&both[5..], picture)?)))
        .filter(|(first, second)| first != second)
        .count();
    assert!(changed >= 12, "only {changed} of about 18 pictures are cropped anew");
}

#[test]
fn an_epoch_shows_each_picture_at_most_once() {
    let seen: Vec<usize> =
        batches(3, "target", 0, 10, 2).into_iter().flat_map(|(indices, ..)| indices).collect();
    let (first, second) = seen.split_at(20);
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 20);
    assert_eq!(second.iter().collect::<HashSet<_>>().len(), 20);
    assert_ne!(first, second, "every epoch has its own order");
}

#[test]
fn crops_lie_inside_the_padded_picture_and_half_are_mirrored() {
    let picture = RgbImage::from_fn(6, 5, |x, y| image::Rgb([10 * x as u8, 10 * y as u8, 0]));
    let value = |red: u8| normalise(&RgbImage::from_pixel(1, 1, image::Rgb([red, 0, 0])))[0];
    let (mut mirrored, mut corners) = (0, HashSet::new());
    for draw in 0..400 {
        let mut generator = toalign::random::generator(1, "test", draw, 0);
        let numbers = transform().train(&picture, &mut generator);
        let row: Vec<f32> = numbers[..12].iter().step_by(3).copied().collect();
        mirrored += usize::from(row[0] > row[3]);
        let smallest = row.iter().copied().fold(f32::INFINITY, f32::min);
        let left = (0..6).find(|&x| value(10 * x) == smallest).expect("a value of the picture");
        corners.insert((left, row.iter().filter(|&&value| value == smallest).count()));
    }
    assert!((150..250).contains(&mirrored), "{mirrored} of 400 mirrored");
    // From x = -2 and -1 (column 0 three times and twice), 0 to 2, then 3 and 4 (column 5 repeats): 7 places.
    let expected = HashSet::from([(0, 3), (0, 2), (0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(corners, expected);
}

#[test]
fn centre_crops_and_masks_match() {
    let transform = Transform { resize: Some(8), pad: 0, crop: 4, flip: true };
    let picture = RgbImage::from_fn(16, 4, |x, _| image::Rgb([if x < 8 { 0 } else { 255 }; 3]));
    let mask = image::GrayImage::from_fn(16, 4, |x, _| image::Luma([if x < 8 { 0 } else { 255 }]));
    let (picture, mask) = (transform.test_picture(&picture), transform.test_mask(&mask));
    assert_eq!((picture.dimensions(), mask.dimensions()), ((4, 4), (4, 4)));
    assert!(picture.pixels().zip(mask.pixels()).all(|(pixel, mask)| pixel[0] == mask[0]));
    assert_eq!(mask.get_pixel(0, 0)[0], 0);
    assert_eq!(mask.get_pixel(3, 3)[0], 255);
    let mini = RgbImage::from_fn(40, 40, |x, y| image::Rgb([x as u8, y as u8, 0]));
    assert_eq!(Transform::mini().test_picture(&mini), mini);
}

#[test]
fn testing_sees_every_picture_in_order() {
    let passes = test_batches(domain(22, &[], true), transform(), 5, &Device::Cpu).expect("batches");
    assert_eq!(passes.len(), 5);
    let indices: Vec<Vec<usize>> = passes.map(|batch| batch.expect("a batch").indices).collect();
    assert_eq!(indices.concat(), (0..22).collect::<Vec<_>>());
    assert_eq!(indices.last().map(Vec::len), Some(2));
}

#[test]
fn an_error_comes_with_its_batch_and_the_next_batch_follows() {
    for workers in [0, 1, 3] {
        let all = batches(7, "source", 0, 5, 0);
        let broken = all[2].0[1];
        let mut loader = BatchLoader::new(
            domain(22, &[broken], true),
            transform(),
            4,
            7,
            "source",
            0,
            workers,
            &Device::Cpu,
        )
        .expect("a loader");
        for (number, expected) in all.iter().enumerate() {
            let batch = loader.next();
            if number == 2 {
                let message = batch.expect_err("a broken picture").to_string();
                assert_eq!(
                    message,
                    format!("picture {broken}: expected a whole picture, found a broken one")
                );
            } else {
                assert_eq!(content(&batch.expect("a batch")), *expected);
            }
        }
    }
    let mut pass = test_batches(domain(9, &[4], false), transform(), 3, &Device::Cpu).expect("batches");
    assert!(pass.next().expect("a first batch").is_ok());
    assert!(pass.next().expect("a second batch").is_err());
    assert!(pass.next().expect("a third batch").is_ok());
    assert!(pass.next().is_none());
}

#[test]
fn dropping_a_loader_ends_its_threads_at_once() {
    let domain = domain(3000, &[], true);
    let pictures = Arc::downgrade(&domain.pictures);
    // Every batch sleeps for a second.
    let loader =
        BatchLoader::new(domain, transform(), 3000, 7, "source", 0, 4, &Device::Cpu).expect("a loader");
    std::thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    drop(loader);
    assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
    assert_eq!(pictures.strong_count(), 0, "no thread holds the pictures any more");
}
