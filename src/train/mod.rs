//! Running a method: the loop, its tests, what it writes down and how it resumes.
//!
//! [`step()`] is one step, [`trainer::Trainer`] the loop; whoever wants to hear of it is an [`observer::Observer`].

pub mod checkpoint;
pub mod evaluate;
pub mod label_free;
pub mod observer;
pub mod pace;
pub mod progress;
pub mod record;
pub mod step;
pub mod trainer;

pub use step::{Part, step};
