//! Large vectors, lent again step after step: fresh memory costs a page fault for every 4 KiB.

use std::collections::HashMap;
use std::sync::Mutex;

use super::element::{Element, scratch};

/// Vectors that were given back, by their length. A training step asks for the same lengths each time.
#[derive(Debug, Default)]
pub struct Buffers<T> {
    free: Mutex<HashMap<usize, Vec<Vec<T>>>>,
}

impl<T: Element> Buffers<T> {
    /// A vector of `length` elements whose values are arbitrary.
    pub fn take(&self, length: usize) -> Vec<T> {
        let kept = self.lock().get_mut(&length).and_then(Vec::pop);
        kept.unwrap_or_else(|| scratch(length))
    }

    /// Gives a vector back.
    pub fn give(&self, vector: Vec<T>) {
        self.lock().entry(vector.len()).or_default().push(vector);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Vec<Vec<T>>>> {
        // A thread that panicked between two calls of `HashMap` leaves it whole.
        self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
