//! The innermost loop of every convolution: a few rows times a panel, with all sums in registers.
//!
//! The sums of one call run over its whole depth in order; how rows are cut never changes a sum.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use super::packing::{Panelled, VECTORS};
use crate::cpu::element::Element;
use crate::cpu::lanes::Lanes;

/// The left factor of a product; its columns are the rows of the right factor.
#[derive(Clone, Copy)]
pub struct Left<'a, T> {
    elements: &'a [T],
    rows: usize,
    depth: usize,
    /// Elements from one row to the next, or from one column to the next if `by_columns`.
    stride: usize,
    by_columns: bool,
}

impl<'a, T> Left<'a, T> {
    /// A matrix `[rows, depth]` that lies row after row, `stride` elements apart.
    pub fn by_rows(elements: &'a [T], [rows, depth]: [usize; 2], stride: usize) -> Self {
        Self { elements, rows, depth, stride, by_columns: false }
    }

    /// The same, lying column after column.
    pub fn by_columns(elements: &'a [T], [rows, depth]: [usize; 2], stride: usize) -> Self {
        Self { elements, rows, depth, stride, by_columns: true }
    }
}

/// Where a product goes: rows that lie `stride` apart.
#[derive(Clone, Copy)]
pub struct Target<T> {
    start: *mut T,
    stride: usize,
}

// SAFETY: whoever makes a target sees to it that nobody else uses its elements meanwhile.
unsafe impl<T: Send> Send for Target<T> {}
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    /// Rows of `stride` elements in `elements`.
    pub fn new(elements: &mut [T], stride: usize) -> Self {
        Self { start: elements.as_mut_ptr(), stride }
    }

    /// The same from another row and column on.
    ///
    /// # Safety
    /// That element must lie in the same slice.
    pub unsafe fn at(self, row: usize, column: usize) -> Self {
        Self { start: unsafe { self.start.add(row * self.stride + column) }, ..self }
    }
}

/// `target (+)= left · panels`: added to what the target holds if `add`, else written over it.
///
/// # Safety
/// The target must have room for `left.rows` rows and all columns of the panels, and nobody else may use them.
pub unsafe fn multiply<T: Element>(left: Left<T>, panels: Panelled<T>, target: Target<T>, add: bool) {
    if left.rows == 0 {
        return;
    }
    let (rows, depth, stride) = (left.rows, left.depth, left.stride);
    let (lines, line) = if left.by_columns { (depth, rows) } else { (rows, depth) };
    assert!(lines == 0 || left.elements.len() >= (lines - 1) * stride + line);
    Arch::new().dispatch(Multiply { left, panels, target, add });
}

/// Rows of a tile: 12 rows of two registers leave 8 of 32 for the factors, 6 rows leave 4 of 16.
///
/// In f64, which checks and does not train, six are enough: every other tile would only be compiled.
const fn most_rows<S: Simd, T>() -> usize {
    if S::REGISTER_COUNT >= 32 && size_of::<T>() == size_of::<f32>() { 12 } else { 6 }
}

struct Multiply<'a, T> {
    left: Left<'a, T>,
    panels: Panelled<'a, T>,
    target: Target<T>,
    add: bool,
}

impl<T: Element> WithSimd for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let most = const { most_rows::<S, T>() };
        let Left { rows, depth, .. } = self.left;
        let parts = rows.div_ceil(most);
        for panel in self.panels.panels(VECTORS * T::lanes::<S>()) {
            assert!(depth == 0 || panel.elements.len() >= (depth - 1) * panel.stride + panel.width);
            let mut first = 0;
            for part in 0..parts {
                let end = rows * (part + 1) / parts;
                let left = Left { rows: end - first, ..self.left };
                let skipped = if left.by_columns { first } else { first * left.stride };
                // SAFETY: both factors were checked above; the caller answers for the target.
                unsafe {
                    let target = self.target.at(first, panel.first_column);
                    let (row_stride, column_stride) =
                        if left.by_columns { (1, left.stride) } else { (left.stride, 1) };
                    let tile = Tile {
                        left: left.elements.as_ptr().add(skipped),
                        row_stride,
                        column_stride,
                        depth,
                        right: panel.elements.as_ptr(),
                        right_stride: panel.stride,
                        columns: panel.columns,
                        target: target.start,
                        target_stride: target.stride,
                        add: self.add,
                    };
                    match panel.width == VECTORS * T::lanes::<S>() {
                        true => tile.run::<S, VECTORS>(simd, left.rows),
                        false => tile.run::<S, 1>(simd, left.rows),
                    }
                }
                first = end;
            }
        }
    }
}

/// A product that fits the registers.
#[derive(Clone, Copy)]
struct Tile<T> {
    left: *const T,
    row_stride: usize,
    column_stride: usize,
    depth: usize,
    right: *const T,
    right_stride: usize,
    columns: usize,
    target: *mut T,
    target_stride: usize,
    add: bool,
}

impl<T: Element> Tile<T> {
    /// # Safety
    /// All pointers must be good for the rows, the depth and the width at hand.
    #[inline(always)]
    unsafe fn run<S: Simd, const WIDTH: usize>(self, simd: S, rows: usize) {
        macro_rules! with_rows {
            ($($rows:literal)*) => {
                $(if const { $rows <= most_rows::<S, T>() } {
                    if rows == $rows {
                        return simd.vectorize(InRegisters::<S, T, $rows, WIDTH>(simd, self));
                    }
                })*
            };
        }
        with_rows!(12 11 10 9 8 7 6 5 4 3 2 1);
        unreachable!("a tile has 1 to 12 rows, not {rows}")
    }
}

struct InRegisters<S, T, const ROWS: usize, const WIDTH: usize>(S, Tile<T>);

impl<S: Simd, T: Element, const ROWS: usize, const WIDTH: usize> NullaryFnOnce
    for InRegisters<S, T, ROWS, WIDTH>
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(simd, tile) = self;
        let lanes = T::lanes::<S>();
        let mut sums = [[T::splat(simd, T::zero()); WIDTH]; ROWS];
        let (mut left, mut right) = (tile.left, tile.right);
        // SAFETY: as `Tile::run` demands.
        unsafe {
            for _ in 0..tile.depth {
                let row: [_; WIDTH] = std::array::from_fn(|j| load::<S, T>(right.add(j * lanes)));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let factor = T::splat(simd, *left.add(i * tile.row_stride));
                    for (sum, &right) in sums.iter_mut().zip(&row) {
                        *sum = T::multiply_add(simd, factor, right, *sum);
                    }
                }
                left = left.add(tile.column_stride);
                right = right.add(tile.right_stride);
            }
            for (i, sums) in sums.iter().enumerate() {
                let target = tile.target.add(i * tile.target_stride);
                if tile.columns == WIDTH * lanes {
                    for (j, &sum) in sums.iter().enumerate() {
                        let at = target.add(j * lanes);
                        let sum = if tile.add { T::sum(simd, load::<S, T>(at), sum) } else { sum };
                        at.cast::<T::Vector<S>>().write_unaligned(sum);
                    }
                } else {
                    let sums = *sums; // a copy in memory; the sums themselves stay in registers
                    let sums = std::slice::from_raw_parts(sums.as_ptr().cast::<T>(), WIDTH * lanes);
                    for (j, &sum) in sums[..tile.columns].iter().enumerate() {
                        let at = target.add(j);
                        *at = if tile.add { *at + sum } else { sum };
                    }
                }
            }
        }
    }
}

/// # Safety
/// A whole register must lie at `from`.
#[inline(always)]
unsafe fn load<S: Simd, T: Lanes>(from: *const T) -> T::Vector<S> {
    unsafe { from.cast::<T::Vector<S>>().read_unaligned() }
}
