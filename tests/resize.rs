//! Our resize, crop and normalisation against Pillow's, over the golden cases.

mod common;

use image::RgbImage;
use rand::Rng;
use serde_json::Value;
use toalign::data::resize::resize;
use toalign::data::transform::{Transform, normalise};
use toalign::random::generator;

/// Mean absolute difference that a case may have over the rows that are stored, in steps of 8 bits.
const MEAN_DIFFERENCE: f64 = 0.05;
/// Difference that no single value may exceed.
const LARGEST_DIFFERENCE: i64 = 1;

fn number(case: &Value, key: &str) -> u32 {
    case[key].as_u64().unwrap_or_else(|| panic!("{key} is a number")) as u32
}

fn picture(case: &Value) -> RgbImage {
    let (height, width) = (number(case, "height"), number(case, "width"));
    if case["smooth"] == true {
        RgbImage::from_fn(width, height, |x, y| {
            let base = 255 * x / (width - 1) + 128 * y / (height - 1);
            image::Rgb([0, 40, 80].map(|offset| ((base + offset) % 256) as u8))
        })
    } else {
        let values = common::unit(u64::from(number(case, "seed")), "image", (height * width * 3) as usize);
        let bytes = values.iter().map(|value| (256.0 * value).floor() as u8).collect();
        RgbImage::from_raw(width, height, bytes).expect("three values per pixel")
    }
}

#[test]
fn resized_like_pillow() {
    for (name, case) in common::cases("resize_") {
        let side = number(&case, "resize");
        let resized = resize(&picture(&case), side);
        let every = (side / 4) as usize;
        let rows = case["expect"]["resized_rows"].as_array().expect("rows");
        assert_eq!(rows.len(), (side as usize).div_ceil(every), "{name}");
        let (mut sum, mut largest, mut count) = (0i64, 0i64, 0i64);
        for (i, row) in rows.iter().enumerate() {
            for (j, pixel) in row.as_array().expect("pixels").iter().enumerate() {
                let ours = resized.get_pixel((j * every) as u32, (i * every) as u32);
                for channel in 0..3 {
                    let theirs = pixel[channel].as_i64().expect("a channel");
                    let difference = (i64::from(ours[channel]) - theirs).abs();
                    largest = largest.max(difference);
                    sum += difference;
                    count += 1;
                }
            }
        }
        let mean = sum as f64 / count as f64;
        assert!(mean <= MEAN_DIFFERENCE, "{name}: mean difference {mean}");
        assert!(largest <= LARGEST_DIFFERENCE, "{name}: a difference of {largest}");

        let ours: i64 = resized.as_raw().iter().map(|&value| i64::from(value)).sum();
        let theirs = case["expect"]["resized_sum"].as_i64().expect("a sum");
        let off = (ours - theirs).abs() as f64 / resized.as_raw().len() as f64;
        println!(
            "{name}: {count} values, mean difference {mean}, largest {largest}, sum off by {} ",
            ours - theirs
        );
        assert!(off <= 0.01, "{name}: the mean of all values is off by {off}");
    }
}

#[test]
fn normalised_centre_crop_like_torchvision() {
    for (name, case) in common::cases("resize_") {
        let transform = Transform {
            resize: Some(number(&case, "resize")),
            pad: 0,
            crop: number(&case, "crop"),
            flip: true,
        };
        let picture = picture(&case);
        let numbers = transform.test(&picture);
        assert_eq!(numbers.len(), (transform.crop * transform.crop * 3) as usize, "{name}");
        assert_eq!(numbers, normalise(&transform.test_picture(&picture)), "{name}");
        let expected = case["expect"]["normalised_channel_means"].as_array().expect("means");
        for (channel, expected) in expected.iter().enumerate() {
            let ours: f64 =
                numbers.iter().skip(channel).step_by(3).map(|&value| f64::from(value)).sum::<f64>()
                    / (numbers.len() / 3) as f64;
            let theirs = expected.as_f64().expect("a mean");
            println!("{name}, channel {channel}: {ours} {theirs}");
            // One step of 8 bits is 1 / 255 / 0.225 = 0.017 in a single value.
            assert!((ours - theirs).abs() < 2e-4, "{name}, channel {channel}: {ours} instead of {theirs}");
        }
    }
}

#[test]
fn training_crops_are_cut_from_the_resized_picture() {
    for (name, case) in common::cases("resize_") {
        let (side, crop) = (number(&case, "resize"), number(&case, "crop"));
        let picture = picture(&case);
        let whole = normalise(&resize(&picture, side));
        let transform = Transform { resize: Some(side), pad: 0, crop, flip: true };
        let mut numbers = vec![7.0];
        let mut expected = vec![7.0];
        for draw in 0..20 {
            transform.train_into(&picture, &mut generator(5, "test", draw, 0), &mut numbers);
            // The order of the draws is part of what a seed means: top, left, mirrored.
            let mut generator = generator(5, "test", draw, 0);
            let (top, left) =
                (generator.random_range(0..=side - crop), generator.random_range(0..=side - crop));
            let mirrored = generator.random_bool(0.5);
            for y in top..top + crop {
                for x in 0..crop {
                    let x = left + if mirrored { crop - 1 - x } else { x };
                    let start = ((y * side + x) * 3) as usize;
                    expected.extend_from_slice(&whole[start..start + 3]);
                }
            }
        }
        assert!(numbers == expected, "{name}");
    }
}
