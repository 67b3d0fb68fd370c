//! What is done with a tile of a product before it leaves the cache.

use std::ops::Range;

/// It gets the domain, the rows of the result and their elements; what it returns is handed on in the order of the tiles.
pub trait Epilogue<T, R>: Fn(usize, Range<usize>, &mut [T]) -> R + Sync {}

impl<T, R, F: Fn(usize, Range<usize>, &mut [T]) -> R + Sync> Epilogue<T, R> for F {}

/// Nothing is done with a tile.
pub fn as_it_is<T>(_: usize, _: Range<usize>, _: &mut [T]) {}
