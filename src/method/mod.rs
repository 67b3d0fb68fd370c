//! The methods: what is computed from one source batch and one target batch.
//!
//! One symbol means one thing, here and in all lessons (lesson 00 has the same table):
//!
//! | symbol | meaning | shape | in the papers |
//! | --- | --- | --- | --- |
//! | `S`, `T` | the source and the target domain, also as an index | | s, t |
//! | `x`, `y` | a picture and its true class | `[batch, height, width, 3]`, `[batch]` | x, y |
//! | `G`, `F` | the backbone, and its last feature map | `[batch, height, width, channels]` | G, F |
//! | `f` | the feature, the mean of `F` over all places | `[batch, channels]` | f |
//! | `C`, `c_k` | the classifier, and its weights for class `k` | `[classes, channels]`, `[channels]` | C |
//! | `z` | HDA's heuristic part: the sum of three more heads | `[batch, classes]` | H(x) |
//! | `o` | the logits: `C(f)`, under HDA `C(f) - z` | `[batch, classes]` | y^k; HDA: G(x) = F(x) − H(x) |
//! | `p` | the class probabilities, softmax of `o` | `[batch, classes]` | p |
//! | `H` | the entropy of `p` | `[batch]` | H |
//! | `a` | how much a picture counts in its domain, `exp(-H)` over its sum | `[batch]` | w |
//! | `D` | the discriminator: 1 for the source, 0 for the target | `[batch, 1]` | D |
//! | `w` | what a channel is worth for the true class `k`, `∂o_k/∂f` | `[batch, channels]` | w^cls |
//! | `s` | the attention score, which gives `w⊙f` the length of `f` | `[batch, 1]` | s |
//! | `f_p` | the task-relevant part of the source feature, `s·w⊙f` | `[batch, channels]` | f_p; the talk: f_{s,p} |
//! | `u` | the progress of a run | in [0, 1) | p |
//! | `λ` | the coefficient of the gradient reversal | | λ |
//! | `η` | the learning rate | | η, μ |
//! | `A`, `g` | a map after any layer, and the slope `∂o_k/∂A` in it (lesson 10) | `[batch, rows, columns, channels]` | A, ∂y^k/∂A |
//! | `r`, `δ`, `κ` | prototypes, the squared distance of the nearest patch, the similarity (lesson 11) | `[prototypes, channels]`, `[batch, prototypes]` | p, d, g_p |
//! | `L_cls`, `L_D`, `L_z` | `classification`, `alignment` and `heuristic` in the records: cross entropy, the adversary's loss, `mean abs z` | scalars | L_cls, L_D, L_H |
//!
//! Where we differ from a paper, we do as the published code does: `L_D` has the factor ½ of a mean over two domains, and `L_z` is
//! a mean where HDA writes a sum.

pub mod alignment;
pub mod dann;
pub mod dannp;
pub mod hda;
pub mod losses;
pub mod measures;
pub mod shown;
pub mod source_only;
pub mod table;
pub mod toalign;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::error::{Result, complain};
use crate::model::Model;
use crate::nn::sgd::GroupRates;
pub use measures::Measures;
pub use table::ALL;

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
    /// What is written down beside them.
    pub measures: Measures,
}

impl Losses {
    /// Losses without measures.
    pub fn new(total: Tensor, parts: Vec<(&'static str, Tensor)>) -> Self {
        Self { total, parts, measures: Measures::default() }
    }
}

/// One way to train: a loss over a source and a target batch. What else there is to know about it stands in its row of
/// [`table::ALL`].
pub trait Method: Send + Sync {
    /// The losses of one step. The backbone sees each batch once.
    ///
    /// # Errors
    /// If a shape does not fit, or a batch that the method needs is absent.
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses>;

    /// The gradients that the step follows, at `rates`; those of `losses.total` unless the method has more in mind.
    ///
    /// A method of several backward passes, such as one that looks at a loss where a trial step would lead, computes and adds
    /// them here. It leaves the weights as it found them, and may add to `losses` what it saw on the way.
    fn gradients(
        &self,
        _model: &Model,
        _input: &StepInput,
        _rates: &GroupRates,
        losses: &mut Losses,
    ) -> Result<GradStore> {
        Ok(losses.total.backward()?)
    }
}
