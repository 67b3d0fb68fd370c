//! Bytes of a picture to the numbers that the network sees.

use image::RgbImage;

/// Mean of ImageNet's pixels by channel (red, green, blue), in [0, 1].
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's pixels by channel.
pub const IMAGENET_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// The number of each byte by channel: a byte has 256 values, and looking one up is faster than two divisions.
static NUMBERS: [[f32; 256]; 3] = numbers();

const fn numbers() -> [[f32; 256]; 3] {
    let mut numbers = [[0.0; 256]; 3];
    let mut channel = 0;
    while channel < 3 {
        let mut byte = 0;
        while byte < 256 {
            let value = byte as f32 / 255.0;
            numbers[channel][byte] = (value - IMAGENET_MEAN[channel]) / IMAGENET_DEVIATION[channel];
            byte += 1;
        }
        channel += 1;
    }
    numbers
}

/// One pixel, red, green, blue.
pub(super) fn normalise_pixel(pixel: [u8; 3]) -> [f32; 3] {
    std::array::from_fn(|channel| NUMBERS[channel][usize::from(pixel[channel])])
}

/// (value/255 − mean) / deviation per channel, with ImageNet's constants: `[height, width, 3]` row by row.
///
/// ```
/// let grey = image::RgbImage::from_pixel(1, 1, image::Rgb([124, 116, 104]));
/// let numbers = toalign::data::transform::normalise(&grey);
/// assert!(numbers.iter().all(|number| number.abs() < 0.01));
/// ```
pub fn normalise(picture: &RgbImage) -> Vec<f32> {
    let (pixels, _) = picture.as_raw().as_chunks::<3>();
    pixels.iter().flat_map(|&pixel| normalise_pixel(pixel)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_gets_the_number_of_the_formula() {
        for byte in 0..=255u8 {
            let expected: [f32; 3] = std::array::from_fn(|channel| {
                (std::hint::black_box(f32::from(byte)) / 255.0 - IMAGENET_MEAN[channel])
                    / IMAGENET_DEVIATION[channel]
            });
            assert_eq!(normalise_pixel([byte; 3]), expected, "{byte}");
        }
    }
}
