//! Products of matrices that lie in slices, by the crate `gemm`; each call runs on the calling thread.

use super::element::Element;

/// A matrix in memory, by its strides.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    elements: &'a [T],
    pub rows: usize,
    pub columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Element> Matrix<'a, T> {
    /// Row after row, without gaps.
    pub fn rows(elements: &'a [T], rows: usize, columns: usize) -> Self {
        assert!(elements.len() >= rows * columns);
        Self { elements, rows, columns, row_stride: columns, column_stride: 1 }
    }

    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some columns of a matrix that lies row after row.
    pub fn columns(self, first: usize, columns: usize) -> Self {
        assert!(first + columns <= self.columns && self.column_stride == 1);
        Self { elements: &self.elements[first..], columns, ..self }
    }
}

/// `destination (+)= left · right`, the destination row after row with `columns` columns.
pub fn product<T: Element>(
    destination: &mut [T],
    columns: usize,
    left: Matrix<T>,
    right: Matrix<T>,
    add: bool,
) {
    assert!(right.columns == columns && destination.len() >= left.rows * columns);
    // SAFETY: the destination has room for all rows.
    unsafe { product_into(destination.as_mut_ptr(), columns, left, right, add) }
}

/// # Safety
/// `destination` must have room for `left.rows` rows that lie `row_stride` apart, and nobody else may touch them.
pub unsafe fn product_into<T: Element>(
    destination: *mut T,
    row_stride: usize,
    left: Matrix<T>,
    right: Matrix<T>,
    add: bool,
) {
    assert_eq!(left.columns, right.rows);
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            destination,
            1,
            row_stride as isize,
            add,
            left.elements.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.elements.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A pointer that several tasks write through, each to its own elements.
pub struct Destination<T>(*mut T);

// SAFETY: every task writes to elements of its own; see `backward_kernel`.
unsafe impl<T: Send> Sync for Destination<T> {}

impl<T> Destination<T> {
    /// The elements of `slice`, which must not be used otherwise while tasks write.
    pub fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// # Safety
    /// `offset` must lie inside the allocation.
    pub unsafe fn at(&self, offset: usize) -> *mut T {
        unsafe { self.0.add(offset) }
    }
}
