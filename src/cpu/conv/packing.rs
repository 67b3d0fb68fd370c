//! The right factor of a matrix product, laid out for the registers: panels of a few columns, each row after row.

use rayon::prelude::*;

use crate::cpu::buffers::Buffers;
use crate::cpu::element::Element;
use crate::cpu::lanes::lanes_here;

/// Registers side by side in a panel.
pub const VECTORS: usize = 2;

/// A matrix `[depth, columns]` cut into panels of [`VECTORS`] registers; the last panel is filled up with zeros, and
/// narrower if one register holds it.
pub struct Panels<'a, T: Element> {
    elements: Vec<T>,
    buffers: &'a Buffers,
    /// Rows of the matrix.
    pub depth: usize,
    /// Columns of the matrix.
    pub columns: usize,
}

/// One panel, from some row on.
#[derive(Clone, Copy)]
pub struct Panel<'a, T> {
    /// `[depth, width]`, the rows `stride` apart.
    pub elements: &'a [T],
    /// Columns including those that are filled up: one register or two.
    pub width: usize,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Columns that are not filled up.
    pub columns: usize,
    /// The matrix's column that comes first here.
    pub first_column: usize,
}

impl<'a, T: Element> Panels<'a, T> {
    /// Lets `fill` write each panel: it gets the panel's columns, its width, and its elements `[depth, width]`.
    pub fn new(
        depth: usize,
        columns: usize,
        buffers: &'a Buffers,
        fill: impl Fn(std::ops::Range<usize>, usize, &mut [T]) + Sync,
    ) -> Self {
        let width = VECTORS * lanes_here::<T>();
        let mut elements = buffers.take(depth * columns.div_ceil(width / VECTORS) * (width / VECTORS));
        elements.par_chunks_mut((depth * width).max(1)).enumerate().for_each(|(number, panel)| {
            let first = number * width;
            let columns = first..columns.min(first + width);
            fill(columns, panel.len() / depth, panel);
        });
        Self { elements, buffers, depth, columns }
    }

    /// The matrix from row `first_row` on.
    pub fn below(&self, first_row: usize) -> Panelled<'_, T> {
        Panelled {
            elements: &self.elements,
            columns: self.columns,
            layout: Layout::Panels { depth: self.depth, first_row },
        }
    }
}

/// A matrix that is multiplied panel by panel.
#[derive(Clone, Copy)]
pub struct Panelled<'a, T> {
    elements: &'a [T],
    columns: usize,
    layout: Layout,
}

#[derive(Clone, Copy)]
enum Layout {
    /// Panel after panel.
    Panels { depth: usize, first_row: usize },
    /// Row after row.
    Rows { stride: usize },
}

impl<'a, T: Element> Panelled<'a, T> {
    /// A matrix whose rows lie `stride` apart; behind each at least a register's worth of elements can be read.
    pub fn in_place(elements: &'a [T], stride: usize, columns: usize) -> Self {
        Self { elements, columns, layout: Layout::Rows { stride } }
    }

    /// Its panels of `full` columns; the last may be half as wide.
    #[inline(always)]
    pub fn panels(self, full: usize) -> impl Iterator<Item = Panel<'a, T>> {
        (0..self.columns).step_by(full).map(move |first_column| {
            let left = self.columns - first_column;
            let width = if left > full / VECTORS { full } else { full / VECTORS };
            let (start, stride) = match self.layout {
                Layout::Panels { depth, first_row } => (first_column * depth + first_row * width, width),
                Layout::Rows { stride } => (first_column, stride),
            };
            let elements = &self.elements[start..];
            Panel { elements, width, stride, columns: left.min(width), first_column }
        })
    }
}

impl<T: Element> Drop for Panels<'_, T> {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.elements));
    }
}

/// Copies the rows of a panel out of a matrix that lies row after row: `row(i)` is the whole row i.
pub fn copy_rows<'m, T: Element>(
    columns: std::ops::Range<usize>,
    width: usize,
    panel: &mut [T],
    row: impl Fn(usize) -> &'m [T],
) {
    let filled = columns.len();
    for (number, panel) in panel.chunks_exact_mut(width).enumerate() {
        panel[..filled].copy_from_slice(&row(number)[columns.clone()]);
        panel[filled..].fill(T::zero());
    }
}

/// Fills a panel from a matrix that lies column after column: `column(j)` is the whole column j.
pub fn copy_columns<'m, T: Element>(
    columns: std::ops::Range<usize>,
    width: usize,
    panel: &mut [T],
    column: impl Fn(usize) -> &'m [T],
) {
    // Eight columns at a time: their cache lines stay until all of their elements are read.
    const TOGETHER: usize = 8;
    if columns.len() < width {
        panel.fill(T::zero());
    }
    let (first, end) = (columns.start, columns.end);
    for start in columns.step_by(TOGETHER) {
        let sources: Vec<&[T]> = (start..end.min(start + TOGETHER)).map(&column).collect();
        for (k, row) in panel.chunks_exact_mut(width).enumerate() {
            for (to, from) in row[start - first..].iter_mut().zip(&sources) {
                *to = from[k];
            }
        }
    }
}
