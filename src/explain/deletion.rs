//! Deletion and insertion (RISE, Petsiuk et al. 2018): how fast does the confidence fall when the hottest pixels go, and rise when
//! they come?

use candle_core::Tensor;

use super::confidence::{as_picture, hottest_first, probabilities};
use crate::error::{Result, complain};
use crate::model::Model;

/// Side and deviation of the blur that insertion starts from, in pixels.
const BLUR: (usize, f64) = (11, 5.0);

/// Probabilities after each turn, and the area below them.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// One before the first turn and one after each.
    pub probabilities: Vec<f64>,
    /// By the trapezoid rule, over a width of 1.
    pub area: f64,
}

/// What a picture is changed into, pixel by pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From the picture to the mean grey: a good map gives a small area.
    Deletion,
    /// From the blurred picture to the picture: a good map gives a large area.
    Insertion,
}

/// Changes `pixels_per_turn` pixels at a time, the hottest of the map first.
///
/// `image` is one normalised picture `[1, height, width, 3]`, `map` has `height · width` values. RISE itself takes as many pixels per
/// turn as the picture has columns.
///
/// # Errors
/// If the map has another size, no pixel is to change, or the class is not below the number of classes.
pub fn change(
    model: &Model,
    image: &Tensor,
    class: u32,
    map: &[f64],
    kind: Change,
    pixels_per_turn: usize,
) -> Result<Curve> {
    if pixels_per_turn == 0 {
        return Err(complain("at least 1 pixel per turn", "0").into());
    }
    let (from, to) = match kind {
        Change::Deletion => (image.clone(), image.zeros_like()?),
        Change::Insertion => (blurred(image)?, image.clone()),
    };
    let turns = map.len().div_ceil(pixels_per_turn);
    // The turn at which a pixel changes, and then for each turn whether it has.
    let mut turn_of = vec![0.0; map.len()];
    for (place, pixel) in hottest_first(map).into_iter().enumerate() {
        turn_of[pixel] = (place / pixels_per_turn) as f64;
    }
    let turn_of = as_picture(&turn_of, image)?;
    let difference = (&to - &from)?;
    let mut probabilities_of_turns = Vec::with_capacity(turns + 1);
    // A few at a time: all of them at once would be 225 pictures of 224×224.
    for start in (0..=turns).step_by(16) {
        let pictures: Vec<Tensor> = (start..=turns.min(start + 15))
            .map(|turn| {
                let changed = turn_of.lt(turn as f64)?.to_dtype(image.dtype())?;
                Ok((&from + difference.broadcast_mul(&changed)?)?)
            })
            .collect::<Result<_>>()?;
        probabilities_of_turns.extend(probabilities(model, &Tensor::cat(&pictures, 0)?, class)?);
    }
    let ends = (probabilities_of_turns[0] + probabilities_of_turns[turns]) / 2.0;
    let area = (probabilities_of_turns.iter().sum::<f64>() - ends) / turns as f64;
    Ok(Curve { probabilities: probabilities_of_turns, area })
}

/// A picture under RISE's blur, with black (0) beyond its border.
///
/// Its kernel is that of a point which a Gaussian of deviation 5, cut at 4 deviations, spreads inside 11×11 pixels with mirrors
/// around, so that nothing is lost.
///
/// # Errors
/// If candle cannot compute it.
pub fn blurred(image: &Tensor) -> Result<Tensor> {
    let (_, height, width, colours) = image.dims4()?;
    let kernel = kernel();
    let reach = BLUR.0 / 2;
    // The blur is separable: one banded matrix for the rows, one for the columns.
    let spread = |size: usize| -> Result<Tensor> {
        let mut matrix = vec![0.0; size * size];
        for to in 0..size {
            for from in to.saturating_sub(reach)..size.min(to + reach + 1) {
                matrix[to * size + from] = kernel[from + reach - to];
            }
        }
        Ok(Tensor::from_vec(matrix, (size, size), image.device())?.to_dtype(image.dtype())?)
    };
    let planes = image.squeeze(0)?.permute((2, 0, 1))?.contiguous()?; // [colours, height, width]
    let across = planes.broadcast_matmul(&spread(width)?.t()?)?;
    let down = spread(height)?.broadcast_matmul(&across)?;
    Ok(down.permute((1, 2, 0))?.contiguous()?.reshape((1, height, width, colours))?)
}

fn kernel() -> Vec<f64> {
    let (side, deviation) = BLUR;
    let (middle, period, cut) = (side as i64 / 2, 2 * side as i64, (4.0 * deviation) as i64);
    let mut kernel = vec![0.0; side];
    for (place, value) in kernel.iter_mut().enumerate() {
        for offset in -cut..=cut {
            let mirrored = (place as i64 + offset).rem_euclid(period);
            if mirrored.min(period - 1 - mirrored) == middle {
                *value += (-0.5 * (offset as f64 / deviation).powi(2)).exp();
            }
        }
    }
    let sum: f64 = kernel.iter().sum();
    kernel.iter().map(|value| value / sum).collect()
}
