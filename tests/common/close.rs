//! Numbers of tensors, and whether they are near enough.

use candle_core::{DType, Tensor};

/// All elements, as f64.
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Every number within `tolerance` of what is expected.
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "expected {expected}, found {found}");
    }
}
