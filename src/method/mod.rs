//! The methods: what is computed from one source batch and one target batch.

pub mod alignment;
pub mod dann;
pub mod dannp;
pub mod hda;
pub mod losses;
pub mod source_only;
pub mod toalign;

use candle_core::Tensor;

use crate::error::{Result, complain};
use crate::model::{DiscriminatorInput, HeadKind, Model};

/// What one training step gets to see.
pub struct StepInput<'a> {
    /// Source pictures, `[batch, height, width, 3]`.
    pub source_images: &'a Tensor,
    /// Source labels, `[batch]`, u32.
    pub source_labels: &'a Tensor,
    /// Target pictures, `[batch, height, width, 3]`; absent for a method that does not use them.
    pub target_images: Option<&'a Tensor>,
    /// Coefficient of the gradient reversal at this step, in [0, 1).
    pub reversal_coefficient: f64,
    /// The run's seed, for dropout.
    pub seed: u64,
    /// The number of this step, from 0, for dropout.
    pub step: usize,
}

impl<'a> StepInput<'a> {
    /// The target pictures.
    ///
    /// # Errors
    /// If the trainer gave none.
    pub fn target(&self) -> Result<&'a Tensor> {
        Ok(self.target_images.ok_or_else(|| {
            complain("a target batch", "none").advice("give StepInput::target_images to a method that adapts")
        })?)
    }
}

/// The losses of one step; all scalars.
pub struct Losses {
    /// What is differentiated.
    pub total: Tensor,
    /// The terms of the sum, unweighted, by name: `classification`, `alignment`, `heuristic`.
    pub parts: Vec<(&'static str, Tensor)>,
}

/// One way to train: a loss over a source and a target batch.
pub trait Method: Send + Sync {
    /// Its name, such as `dannp+toalign`.
    fn name(&self) -> String;

    /// Whether a step needs a target batch.
    fn uses_target(&self) -> bool;

    /// The head it trains.
    fn head(&self) -> HeadKind;

    /// What its discriminator sees; none if it has no discriminator.
    fn discriminator_input(&self) -> Option<DiscriminatorInput>;

    /// The losses of one step. The backbone sees each batch once.
    ///
    /// # Errors
    /// If a shape does not fit, or a batch that the method needs is absent.
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses>;
}
