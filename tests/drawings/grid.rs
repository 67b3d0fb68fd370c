//! Tests of `draw/grid.rs`.

use candle_core::{DType, Device, Tensor};
use image::{Rgb, RgbImage};
use toalign::data::transform::{IMAGENET_DEVIATION, IMAGENET_MEAN};
use toalign::draw::*;

fn squares(count: u8) -> Vec<RgbImage> {
    (0..count).map(|shade| RgbImage::from_pixel(4, 4, Rgb([shade * 40; 3]))).collect()
}

#[test]
fn every_picture_is_in_its_place() {
    let grid = PictureGrid::new("Six squares", squares(6)).columns(3).size(40).captions(["a"; 6]);
    let drawn = grid.draw().unwrap();
    for index in 0..6 {
        let (x, y) = (16 + (index % 3) * 48 + 20, 40 + (index / 3) * (48 + 18) + 20);
        assert_eq!(drawn.get_pixel(SCALE * x, SCALE * y).0, [index as u8 * 40; 3], "picture {index}");
    }
}

#[test]
fn marks_are_frames() {
    let drawn = PictureGrid::new("", squares(2)).size(40).marked([true, false]).draw().unwrap();
    assert_eq!(drawn.get_pixel(SCALE * 16, SCALE * 50).0, [0x2E, 0x8B, 0x57]);
    assert_eq!(drawn.get_pixel(SCALE * (16 + 48), SCALE * 50).0, [0xC4, 0x3C, 0x39]);
}

#[test]
fn a_wide_grid_keeps_to_the_page() {
    let drawn = PictureGrid::new("", squares(6)).size(400).draw().unwrap();
    assert!(drawn.width() <= SCALE * 900, "{}", drawn.width());
}

#[test]
fn what_does_not_fit_is_named() {
    let message = PictureGrid::new("wall", squares(3)).captions(["a", "b"]).draw().unwrap_err().to_string();
    assert!(message.contains("the picture grid 'wall': expected 3 captions, found 2"), "{message}");
    let message = PictureGrid::new("wall", Vec::new()).draw().unwrap_err().to_string();
    assert!(message.contains("expected pictures with pixels"), "{message}");
    let flat = Tensor::zeros((4, 4, 3), DType::F32, &Device::Cpu).unwrap();
    assert!(pictures(&flat).unwrap_err().to_string().contains("found [4, 4, 3]"));
}

#[test]
fn normalisation_is_undone() {
    let grey = |value: f32, channel: usize| (value - IMAGENET_MEAN[channel]) / IMAGENET_DEVIATION[channel];
    let pixel = [grey(0.0, 0), grey(0.5, 1), grey(1.0, 2)];
    let batch = Tensor::new(&[[[pixel]]], &Device::Cpu).unwrap();
    assert_eq!(pictures(&batch).unwrap()[0].get_pixel(0, 0).0, [0, 128, 255]);
}
