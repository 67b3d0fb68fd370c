//! EigenCAM (Muhammad & Yeasin 2020, arXiv 2008.00299): the strongest pattern of a feature map; and the same of slope times map.

use candle_core::{DType, Device, Tensor};

use super::evidence::Evidence;
use crate::error::Result;

/// Squarings of the matrix: its largest eigenvalue is then raised to 2^40, and the others are gone.
const SQUARINGS: usize = 40;

/// The places of `A` projected on the first right singular vector of places × channels, each channel centred; no class is in it:
/// `[batch, rows, columns]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn eigen_cam(evidence: &Evidence) -> Result<Tensor> {
    strongest_patterns(&evidence.map)
}

/// EigenCAM of `g ⊙ A`, "EigenGradCAM" in the package pytorch-grad-cam: `[batch, rows, columns]`.
///
/// # Errors
/// If candle cannot compute it.
pub fn eigen_grad_cam(evidence: &Evidence) -> Result<Tensor> {
    strongest_patterns(&(&evidence.slope * &evidence.map)?)
}

fn strongest_patterns(maps: &Tensor) -> Result<Tensor> {
    let (batch, rows, columns, channels) = maps.dims4()?;
    let (dtype, device) = (maps.dtype(), maps.device());
    let maps =
        maps.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.reshape((batch, rows * columns, channels))?;
    let patterns: Vec<Tensor> = (0..batch)
        .map(|image| strongest_pattern(&maps.get(image)?)?.reshape((rows, columns)).map_err(Into::into))
        .collect::<Result<_>>()?;
    Ok(Tensor::stack(&patterns, 0)?.to_dtype(dtype)?.to_device(device)?)
}

/// `relu(X v)` for the first right singular vector `v` of the centred `X`, `[places, channels]` → `[places]`.
///
/// The sign of `v` is nobody's: it is turned so that the largest value is positive (Seg-Eigen-CAM 2025, equation 13).
fn strongest_pattern(map: &Tensor) -> Result<Tensor> {
    let centred = map.broadcast_sub(&map.mean_keepdim(0)?)?;
    // X v is the strongest eigenvector of X Xᵀ times the singular value, so the smaller of both products will do.
    let (places, channels) = centred.dims2()?;
    let small =
        if places <= channels { centred.matmul(&centred.t()?)? } else { centred.t()?.matmul(&centred)? };
    let Some(first) = strongest_eigenvector(small)? else {
        return Ok(map.zeros_like()?.narrow(1, 0, 1)?.flatten_all()?);
    };
    let pattern = match places <= channels {
        true => {
            let along = centred.t()?.matmul(&first)?; // the singular value times v
            (first * along.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())?
        }
        false => centred.matmul(&first)?,
    };
    let pattern = pattern.flatten_all()?;
    let (smallest, largest) = (pattern.min(0)?.to_scalar::<f64>()?, pattern.max(0)?.to_scalar::<f64>()?);
    let pattern = if smallest.abs() > largest.abs() { pattern.neg()? } else { pattern };
    Ok(pattern.relu()?)
}

/// The eigenvector of the largest eigenvalue of a positive semidefinite matrix, `[n, 1]`; none if the matrix is zero.
///
/// The matrix is squared again and again, which leaves nothing but the wanted direction in its columns.
fn strongest_eigenvector(mut matrix: Tensor) -> Result<Option<Tensor>> {
    for _ in 0..SQUARINGS {
        let size = matrix.abs()?.max_all()?.to_scalar::<f64>()?;
        if size == 0.0 {
            return Ok(None);
        }
        matrix = (matrix / size)?;
        matrix = matrix.matmul(&matrix)?;
    }
    // The longest column: in the others there may be nothing left but rounding.
    let longest = matrix.sqr()?.sum(0)?.argmax(0)?.to_scalar::<u32>()? as usize;
    let column = matrix.narrow(1, longest, 1)?.contiguous()?;
    let length = column.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
    Ok(Some((column / length)?))
}
