//! Domains, tasks, and the one trait that a data set has to offer.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use crate::error::Result;

/// The label of a picture of a target whose class nobody knows; it is left out of every accuracy.
pub const UNLABELLED: u32 = u32::MAX;

/// The labelled pictures of one domain, by index. Decoding happens on worker threads.
pub trait Pictures: Send + Sync {
    /// How many pictures there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pictures each of the domains has that these are made of, one after the other; one number for one domain.
    fn parts(&self) -> Vec<usize> {
        vec![self.len()]
    }

    /// What to call picture `index` in a message: its path, or how it was made.
    fn name(&self, index: usize) -> String;

    /// The class of picture `index`, an index into [`Task::classes`]; in a target perhaps [`UNLABELLED`].
    fn label(&self, index: usize) -> u32;

    /// Picture `index` in its own size, upright, in sRGB.
    ///
    /// # Errors
    /// If the file cannot be read or is no picture; the message names it.
    fn decode(&self, index: usize) -> Result<RgbImage>;

    /// Where the object is in picture `index` (255 = object), if that is known; same size as the picture.
    ///
    /// # Errors
    /// As [`Pictures::decode`].
    fn mask(&self, _index: usize) -> Result<Option<GrayImage>> {
        Ok(None)
    }
}

/// One domain: the same classes in one style.
#[derive(Clone)]
pub struct Domain {
    /// Its name, such as `Clipart`.
    pub name: String,
    /// Its pictures.
    pub pictures: Arc<dyn Pictures>,
}

/// One adaptation task: learn from the labels of the source, be tested on the target.
#[derive(Clone)]
pub struct Task {
    /// Its short name, such as `Cl-Rw`, or `Ar+Cl-Rw` with two sources.
    pub name: String,
    /// The labelled domain, or several of them [joined](crate::data::joined::join).
    pub source: Domain,
    /// The domain whose labels are only used to score.
    pub target: Domain,
    /// What tests see of the source: the same pictures, but for data sets that keep some for tests.
    pub source_test: Domain,
    /// What tests see of the target: the same pictures, but for data sets that keep some for tests.
    pub target_test: Domain,
    /// Class names by label; the union over all domains.
    pub classes: Vec<String>,
    /// What the user should know, such as a class that one domain lacks. Empty if all is well.
    pub remarks: Vec<String>,
}

impl Task {
    /// A task whose tests see the pictures that it trains on, as the published code has it for Office-Home.
    pub fn tested_on_training_pictures(
        name: String,
        source: Domain,
        target: Domain,
        classes: Vec<String>,
        remarks: Vec<String>,
    ) -> Self {
        let (source_test, target_test) = (source.clone(), target.clone());
        Self { name, source, target, source_test, target_test, classes, remarks }
    }
}
