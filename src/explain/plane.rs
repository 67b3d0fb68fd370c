//! Features in two dimensions: their principal components.

use candle_core::{DType, Device, Tensor};

use crate::error::{Result, complain};

/// Turns of the power iteration; the error falls by the ratio of two eigenvalues in each.
const TURNS: usize = 500;

/// Two directions of the feature space, and the middle that they are seen from.
#[derive(Debug, Clone)]
pub struct Plane {
    mean: Tensor,
    /// `[channels, 2]`, orthonormal.
    directions: Tensor,
    /// Share of the variance along each direction, 0 to 1.
    pub shares: [f64; 2],
}

impl Plane {
    /// The plane in which `features` `[rows, channels]` spread most: the first two principal components.
    ///
    /// # Errors
    /// If there are fewer than three rows or two channels.
    pub fn of(features: &Tensor) -> Result<Self> {
        let (rows, channels) = features.dims2()?;
        if rows < 3 || channels < 2 {
            return Err(
                complain("features as [3 or more, 2 or more]", format!("[{rows}, {channels}]")).into()
            );
        }
        let features = features.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let mean = features.mean_keepdim(0)?; // [1, channels]
        let centred = features.broadcast_sub(&mean)?;
        let covariance = (centred.t()?.matmul(&centred)? / (rows as f64 - 1.0))?; // [channels, channels]
        let all = Tensor::eye(channels, DType::F64, &Device::Cpu)?.mul(&covariance)?.sum_all()?;
        let all = all.to_scalar::<f64>()?;
        let first = strongest(&covariance)?;
        let along = |direction: &Tensor| -> Result<f64> {
            Ok(direction.t()?.matmul(&covariance.matmul(direction)?)?.squeeze(0)?.squeeze(0)?.to_scalar()?)
        };
        let variance = along(&first)?;
        // What is left when the first component is taken away.
        let rest = (&covariance - (first.matmul(&first.t()?)? * variance)?)?;
        let second = strongest(&rest)?;
        let shares = [variance / all, along(&second)? / all];
        Ok(Self { mean, directions: Tensor::cat(&[first, second], 1)?, shares })
    }

    /// The places of features `[rows, channels]` in the plane.
    pub fn points(&self, features: &Tensor) -> Result<Vec<(f64, f64)>> {
        let features = features.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let places = features.broadcast_sub(&self.mean)?.matmul(&self.directions)?.to_vec2::<f64>()?;
        Ok(places.into_iter().map(|place| (place[0], place[1])).collect())
    }
}

/// The direction in which a symmetric matrix is largest, `[channels, 1]`, by power iteration.
fn strongest(matrix: &Tensor) -> Result<Tensor> {
    let channels = matrix.dim(0)?;
    // Uneven, so that it is orthogonal to no direction but by accident.
    let start: Vec<f64> = (0..channels).map(|channel| 1.0 + (channel as f64 * 0.7).sin()).collect();
    let mut direction = Tensor::from_vec(start, (channels, 1), &Device::Cpu)?;
    for _ in 0..TURNS {
        let turned = matrix.matmul(&direction)?;
        let length = turned.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
        if length == 0.0 {
            return Err(complain("features that differ", "the same feature in every row").into());
        }
        direction = (turned / length)?;
    }
    Ok(direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_is_that_of_the_largest_variance() {
        // Variances 9·v, 4·v and 0.01·v along (0.6, 0.8, 0), (-0.8, 0.6, 0) and (0, 0, 1).
        let angles = (0..60).map(|row| f64::from(row) * 1.3);
        let rows: Vec<f64> = angles
            .flat_map(|angle| {
                let (a, b, c) = (3.0 * angle.sin(), 2.0 * angle.cos(), 0.1 * (2.0 * angle).sin());
                [0.6 * a - 0.8 * b + 5.0, 0.8 * a + 0.6 * b - 1.0, c]
            })
            .collect();
        let features = Tensor::from_vec(rows, (60, 3), &Device::Cpu).unwrap();
        let plane = Plane::of(&features).unwrap();
        let directions = plane.directions.to_vec2::<f64>().unwrap();
        let sign = directions[0][0].signum();
        assert!((sign * directions[0][0] - 0.6).abs() < 0.02, "{directions:?}");
        assert!((sign * directions[1][0] - 0.8).abs() < 0.02, "{directions:?}");
        assert!((plane.shares[0] - 9.0 / 13.01).abs() < 0.02, "{:?}", plane.shares);
        assert!((plane.shares[0] + plane.shares[1] - 1.0).abs() < 2e-3, "{:?}", plane.shares);
        let places = plane.points(&features).unwrap();
        assert!(places.iter().map(|place| place.0).sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn equal_features_span_no_plane() {
        let same = Tensor::ones((5, 4), DType::F32, &Device::Cpu).unwrap();
        assert!(Plane::of(&same).unwrap_err().to_string().contains("features that differ"));
        let few = Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
        assert!(Plane::of(&few).is_err());
    }
}
