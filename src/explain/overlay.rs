//! Heat maps as colours, laid over the picture that they explain.

use candle_core::Tensor;
use image::{Rgb, RgbImage, imageops};

use crate::error::{Result, complain};

/// Inferno of matplotlib at 17 evenly spaced values.
///
/// Source: S. van der Walt and N. Smith, matplotlib's `_cm_listed.py` (CC0). Its lightness grows evenly with the value, so
/// that "brighter" means "more" also to a colour-blind eye and in a grey print.
const INFERNO: [[u8; 3]; 17] = [
    [0, 0, 4],
    [11, 7, 36],
    [33, 12, 74],
    [60, 9, 101],
    [87, 16, 109],
    [112, 25, 110],
    [137, 34, 106],
    [163, 43, 97],
    [187, 55, 85],
    [209, 70, 68],
    [227, 89, 50],
    [241, 113, 30],
    [249, 141, 10],
    [252, 171, 15],
    [249, 202, 50],
    [242, 232, 101],
    [252, 255, 164],
];

/// How much of the colour covers the picture where the map is 0 and where it is 1.
const COVER: [f32; 2] = [0.25, 0.75];

/// The colour of `value`, from black (0) over red to pale yellow (1). Values outside are clamped; NaN is black.
///
/// ```
/// use toalign::explain::overlay::heat_colour;
/// assert_eq!(heat_colour(0.0), [0, 0, 4]);
/// assert_eq!(heat_colour(1.0), [252, 255, 164]);
/// ```
pub fn heat_colour(value: f32) -> [u8; 3] {
    let last = INFERNO.len() - 1;
    let position = from_0_to_1(value) * last as f32;
    let below = (position as usize).min(last - 1);
    let share = position - below as f32;
    blend(INFERNO[below], INFERNO[below + 1], share)
}

/// Bilinear interpolation of a row-major map, as PyTorch's `interpolate(..., align_corners=False)` computes it.
///
/// Pixel centres are matched: output row i lies at input row (i + ½)·height/to_height − ½, clamped to the map.
///
/// # Errors
/// If `map` has not `height` × `width` values, or is empty.
pub fn upscale(
    map: &[f32],
    height: usize,
    width: usize,
    to_height: usize,
    to_width: usize,
) -> Result<Vec<f32>> {
    check_size(map, height, width)?;
    let rows = neighbours(height, to_height);
    let columns = neighbours(width, to_width);
    let mut larger = Vec::with_capacity(to_height * to_width);
    for &(top, bottom, down) in &rows {
        for &(left, right, across) in &columns {
            let (across, down) = (across as f32, down as f32);
            let upper = mix(map[top * width + left], map[top * width + right], across);
            let lower = mix(map[bottom * width + left], map[bottom * width + right], across);
            larger.push(mix(upper, lower, down));
        }
    }
    Ok(larger)
}

/// The same for maps in a tensor: `[batch, rows, columns]` → `[batch, height, width]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn enlarged(maps: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, rows, columns) = maps.dims3()?;
    // Each output row mixes two input rows: a matrix with two numbers in a row.
    let mixing = |from: usize, to: usize| -> Result<Tensor> {
        let mut shares = vec![0.0; to * from];
        for (position, (first, second, share)) in neighbours(from, to).into_iter().enumerate() {
            shares[position * from + first] += 1.0 - share;
            shares[position * from + second] += share;
        }
        Ok(Tensor::from_vec(shares, (to, from), maps.device())?.to_dtype(maps.dtype())?)
    };
    let across = maps.broadcast_matmul(&mixing(columns, width)?.t()?)?;
    Ok(mixing(rows, height)?.broadcast_matmul(&across)?)
}

/// Divides the map by its maximum, so that the hottest place is 1.
///
/// `None` if nothing is positive: the network found no evidence for the class, and a picture of that would be a blank
/// (or, divided by zero, a lie). Whoever draws has to say it in words.
pub fn normalise(map: &[f32]) -> Option<Vec<f32>> {
    let maximum = map.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
    (maximum > 0.0).then(|| map.iter().map(|value| value / maximum).collect())
}

/// Lays a normalised map (values 0 to 1, see [`normalise`]) over its picture.
///
/// The picture is enlarged `scale` times without smoothing, the map bilinearly to the same size. The picture turns grey, so
/// that every colour in the result is heat: on a purple wall, purple heat would be lost.
///
/// # Errors
/// If `map` has not `map_height` × `map_width` values, or if the picture or `scale` is 0.
pub fn overlay(
    picture: &RgbImage,
    map: &[f32],
    map_height: usize,
    map_width: usize,
    scale: u32,
) -> Result<RgbImage> {
    let (width, height) = (picture.width() * scale, picture.height() * scale);
    if width == 0 || height == 0 {
        return Err(complain(
            "a picture and a scale of at least 1",
            format!("{}×{} at scale {scale}", picture.width(), picture.height()),
        )
        .into());
    }
    let map = upscale(map, map_height, map_width, height as usize, width as usize)?;
    let mut drawn = imageops::resize(picture, width, height, imageops::FilterType::Nearest);
    for (Rgb(pixel), value) in drawn.pixels_mut().zip(map) {
        let cover = mix(COVER[0], COVER[1], from_0_to_1(value));
        *pixel = blend(grey(*pixel), heat_colour(value), cover);
    }
    Ok(drawn)
}

pub(crate) fn check_size(map: &[f32], height: usize, width: usize) -> Result<()> {
    if map.is_empty() || map.len() != height * width {
        return Err(complain(
            format!("a heat map of {height}×{width} values"),
            format!("{} values", map.len()),
        )
        .into());
    }
    Ok(())
}

/// For every output position: the two inputs between which it lies, and the share of the second.
fn neighbours(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    let ratio = from as f64 / to as f64;
    (0..to)
        .map(|position| {
            let place = ((position as f64 + 0.5) * ratio - 0.5).max(0.0);
            let first = (place as usize).min(from - 1);
            (first, (first + 1).min(from - 1), place - first as f64)
        })
        .collect()
}

/// Clamps; not a number is no heat.
fn from_0_to_1(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

/// The luma of ITU-R BT.601, in all three channels.
fn grey([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let luma = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
    [luma.round() as u8; 3]
}

fn mix(first: f32, second: f32, share: f32) -> f32 {
    first + (second - first) * share
}

fn blend(first: [u8; 3], second: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|channel| {
        mix(f32::from(first[channel]), f32::from(second[channel]), share).round() as u8
    })
}
