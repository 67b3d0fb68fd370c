//! Pictures and charts as data URIs: they travel inside the page and need no link.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{RgbImage, imageops};

use crate::error::{Result, complain};

/// A picture as a PNG data URI, made smaller if its longer side has more than `longest` pixels.
///
/// # Errors
/// If the picture has no pixels.
pub fn png_uri(picture: &RgbImage, longest: u32) -> Result<String> {
    let (width, height) = picture.dimensions();
    let side = width.max(height);
    let bytes = if side > longest {
        let shrunk = |length: u32| (u64::from(length) * u64::from(longest) / u64::from(side)).max(1) as u32;
        png_bytes(&imageops::thumbnail(picture, shrunk(width), shrunk(height)))?
    } else {
        png_bytes(picture)?
    };
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

/// A picture as the bytes of a PNG file.
///
/// # Errors
/// If the picture has no pixels.
pub fn png_bytes(picture: &RgbImage) -> Result<Vec<u8>> {
    compressed_png(picture, CompressionType::default())
}

/// The same, as quickly or as small as asked for.
///
/// # Errors
/// If the picture has no pixels.
pub fn compressed_png(picture: &RgbImage, effort: CompressionType) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, effort, FilterType::Adaptive);
    picture.write_with_encoder(encoder).map_err(|error| {
        complain(
            "a picture that can be stored as PNG",
            format!("{}×{} pixels: {error}", picture.width(), picture.height()),
        )
    })?;
    Ok(png)
}

/// An SVG as a data URI.
pub fn svg_uri(svg: &str) -> String {
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(uri: &str) -> RgbImage {
        let bytes = STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    }

    #[test]
    fn a_small_picture_survives_and_a_long_one_shrinks() {
        let picture = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
        assert_eq!(decoded(&png_uri(&picture, 5).unwrap()), picture);
        let long = RgbImage::from_pixel(20_000, 1, image::Rgb([9, 8, 7]));
        let short = decoded(&png_uri(&long, 100).unwrap());
        assert_eq!(short.dimensions(), (100, 1));
        assert_eq!(short.get_pixel(50, 0).0, [9, 8, 7]);
    }

    #[test]
    fn an_empty_picture_is_told() {
        let message = png_uri(&RgbImage::new(0, 0), 10).unwrap_err().to_string();
        assert!(
            message.starts_with("expected a picture that can be stored as PNG, found 0×0 pixels"),
            "{message}"
        );
    }

    #[test]
    fn svg_is_encoded() {
        assert_eq!(svg_uri("<svg/>"), "data:image/svg+xml;base64,PHN2Zy8+");
    }
}
