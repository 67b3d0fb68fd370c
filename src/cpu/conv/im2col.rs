//! The matrix of patches, a few rows and columns at a time: which pixels of a map meet which weights.
//!
//! The same description serves a convolution and the gradient of its input, with any stride.

use std::cell::RefCell;
use std::ops::Range;

use super::shape::ConvShape;
use crate::cpu::batch_norm::Normalisation;
use crate::cpu::element::{Element, vectorised};

/// Pixels side by side in a map, relative to where a patch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Rows below the patch's place.
    pub down: isize,
    /// Columns to the right of it, for the first pixel.
    pub right: isize,
    /// How many.
    pub pixels: usize,
}

/// Which pixels make a row of the matrix of patches, and for which places.
#[derive(Debug, Clone)]
pub struct Im2col {
    /// What a patch takes, in the order of the matrix's columns.
    pub runs: Vec<Run>,
    /// Rows and columns of places in each picture.
    pub grid: [usize; 2],
    /// Pixels from one place to the next.
    pub stride: usize,
    /// Height, width and channels of the map.
    pub map: [usize; 3],
}

/// The numbers behind a matrix of patches.
#[derive(Clone, Copy)]
pub enum Source<'a, T> {
    /// The map as it lies in memory.
    Map(&'a [T]),
    /// `relu(norm(map))`, computed while it is read, with one normalisation per domain. For 1×1 kernels.
    Active(&'a [T], &'a [Normalisation<T>]),
}

impl Im2col {
    /// The patches of a convolution.
    pub fn of_input(shape: &ConvShape) -> Self {
        let padding = shape.padding as isize;
        let run =
            |row: usize| Run { down: row as isize - padding, right: -padding, pixels: shape.kernel_width };
        Self {
            runs: (0..shape.kernel_height).map(run).collect(),
            grid: [shape.output_height, shape.output_width],
            stride: shape.stride,
            map: [shape.height, shape.width, shape.input_channels],
        }
    }

    /// A map `[batch, height, width, channels]` as a matrix `[pixels, channels]`.
    pub fn of_map([_, height, width, channels]: [usize; 4]) -> Self {
        let runs = vec![Run { down: 0, right: 0, pixels: 1 }];
        Self { runs, grid: [height, width], stride: 1, map: [height, width, channels] }
    }

    /// Columns of the matrix.
    pub fn depth(&self) -> usize {
        self.runs.iter().map(|run| run.pixels).sum::<usize>() * self.map[2]
    }

    /// Rows of the matrix for one picture.
    pub fn places(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Whether the map, as it lies in memory, already is the matrix.
    pub fn is_the_map(&self) -> bool {
        self.stride == 1
            && self.runs == [Run { down: 0, right: 0, pixels: 1 }]
            && self.grid == [self.map[0], self.map[1]]
    }

    /// Writes some rows and columns of the matrix to `patches`, rows `stride` elements apart.
    ///
    /// The rows count through all pictures; they belong to the domain `domain`.
    pub fn fill<T: Element>(
        &self,
        source: Source<T>,
        domain: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        patches: &mut [T],
        stride: usize,
    ) {
        vectorised(
            #[inline(always)]
            || match source {
                Source::Map(map) if self.is_the_map() => {
                    for (row, patch) in rows.zip(patches.chunks_mut(stride)) {
                        let at = row * self.map[2];
                        patch[..columns.len()].copy_from_slice(&map[at + columns.start..at + columns.end]);
                    }
                }
                Source::Map(map) => self.fill_patches(map, rows, columns, patches, stride),
                Source::Active(map, normalisations) => {
                    assert!(self.is_the_map(), "only a 1×1 kernel reads its input once");
                    let normalisation = &normalisations[domain];
                    for (row, patch) in rows.zip(patches.chunks_mut(stride)) {
                        let at = row * self.map[2];
                        let from = &map[at + columns.start..at + columns.end];
                        normalisation.activate(from, columns.clone(), &mut patch[..columns.len()]);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn fill_patches<T: Element>(
        &self,
        map: &[T],
        rows: Range<usize>,
        columns: Range<usize>,
        patches: &mut [T],
        stride: usize,
    ) {
        let [height, width, channels] = self.map;
        let row_of_map = (width * channels) as isize;
        for (row, patch) in rows.zip(patches.chunks_mut(stride)) {
            let (picture, place) = (row / self.places(), row % self.places());
            let map = &map[picture * height * width * channels..][..height * width * channels];
            let y = (place / self.grid[1] * self.stride) as isize;
            let x = (place % self.grid[1] * self.stride) as isize;
            let mut start = 0; // the matrix's column at which the run starts
            for run in &self.runs {
                let end = start + run.pixels * channels;
                let (from, to) = (columns.start.max(start), columns.end.min(end));
                if from < to {
                    let patch = &mut patch[from - columns.start..to - columns.start];
                    let y = y + run.down;
                    // Where `from` would lie in the row of the map, if that went on forever.
                    let first = (x + run.right) * channels as isize + (from - start) as isize;
                    let inside = if 0 <= y && y < height as isize { row_of_map } else { 0 };
                    let zeros = (-first).clamp(0, patch.len() as isize) as usize;
                    let copied = (inside - first).clamp(zeros as isize, patch.len() as isize) as usize;
                    patch[..zeros].fill(T::zero());
                    if zeros < copied {
                        let at = (y * row_of_map + first + zeros as isize) as usize;
                        patch[zeros..copied].copy_from_slice(&map[at..at + copied - zeros]);
                    }
                    patch[copied..].fill(T::zero());
                }
                start = end;
            }
        }
    }
}

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// Lends memory of the thread's own, kept between calls, with arbitrary content.
pub fn with_scratch<T: Element, R>(length: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    // Taken out of the list, so that `work` may borrow another.
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    let words = (length * size_of::<T>()).div_ceil(size_of::<f64>());
    if buffer.len() < words {
        buffer.resize(words, 0.0);
    }
    // SAFETY: aligned for f64, hence for T, which is f32 or f64, and long enough.
    let elements = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<T>(), length) };
    let result = work(elements);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}
