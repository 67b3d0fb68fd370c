//! Large vectors, lent again step after step: fresh memory costs a page fault for every 4 KiB.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Mutex;

use super::element::{Element, scratch};
use crate::lock::lock;

/// Vectors of one element and one length.
type Kept = Vec<Box<dyn Any + Send>>;

/// Vectors that were given back, by their element and length. A training step asks for the same lengths each time.
#[derive(Debug, Default)]
pub struct Buffers {
    free: Mutex<HashMap<(TypeId, usize), Kept>>,
}

impl Buffers {
    /// A vector of `length` elements whose values are arbitrary.
    pub fn take<T: Element>(&self, length: usize) -> Vec<T> {
        let kept = lock(&self.free).get_mut(&(TypeId::of::<T>(), length)).and_then(Vec::pop);
        kept.and_then(|kept| kept.downcast().ok()).map_or_else(|| scratch(length), |vector| *vector)
    }

    /// Gives a vector back.
    pub fn give<T: Element>(&self, vector: Vec<T>) {
        lock(&self.free).entry((TypeId::of::<T>(), vector.len())).or_default().push(Box::new(vector));
    }
}
