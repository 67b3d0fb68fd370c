//! Tests of `explain/attention.rs`.

use image::GrayImage;
use toalign::explain::attention::*;

fn mask(width: u32, values: &[u8]) -> GrayImage {
    let height = values.len() as u32 / width;
    GrayImage::from_raw(width, height, values.to_vec()).unwrap()
}

#[test]
fn energy_is_the_share_inside() {
    let right_half = mask(2, &[0, 255, 127, 128]);
    let map = [1.0, 2.0, 3.0, 4.0];
    // (2 + 4) / 10
    assert_eq!(energy_in_mask(&map, 2, 2, &right_half).unwrap(), Some(0.6));
    assert_eq!(chance_level(&right_half).unwrap(), 0.5);
    // Negative heat is no evidence: 2 / (2 + 3).
    let signed = [-9.0, 2.0, 3.0, -9.0];
    assert_eq!(energy_in_mask(&signed, 2, 2, &right_half).unwrap(), Some(0.4));
}

#[test]
fn a_flat_map_has_the_energy_of_chance() {
    let corner = mask(3, &[255, 255, 0, 0, 0, 0]);
    let energy = energy_in_mask(&[0.7], 1, 1, &corner).unwrap().unwrap();
    assert!((energy - chance_level(&corner).unwrap()).abs() < 1e-12);
    assert!((energy - 2.0 / 6.0).abs() < 1e-12);
}

#[test]
fn a_coarse_map_is_enlarged_first() {
    // [0, 1] becomes [0, 0.25, 0.75, 1], of which the last two lie on the object.
    let right_half = mask(4, &[0, 0, 255, 255]);
    let energy = energy_in_mask(&[0.0, 1.0], 1, 2, &right_half).unwrap();
    assert_eq!(energy, Some(0.875));
}

#[test]
fn the_hottest_place_hits_or_misses() {
    let left = mask(2, &[255, 0]);
    assert_eq!(pointing_hit(&[0.9, 0.8], 1, 2, &left).unwrap(), Some(true));
    assert_eq!(pointing_hit(&[0.7, 0.8], 1, 2, &left).unwrap(), Some(false));
}

#[test]
fn no_positive_evidence_has_no_energy() {
    let left = mask(2, &[255, 0]);
    assert_eq!(energy_in_mask(&[0.0, -1.0], 1, 2, &left).unwrap(), None);
    assert_eq!(pointing_hit(&[0.0, -1.0], 1, 2, &left).unwrap(), None);
    assert!(chance_level(&GrayImage::new(0, 0)).is_err());
}
