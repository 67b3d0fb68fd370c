//! Running a method: the loop, its tests, what it writes down and how it resumes.
//!
//! [`session::Session`] makes a run's parts from its configuration; [`trainer::Trainer`] is the loop over them;
//! [`run::RunFolder`] listens to the loop and keeps what a run leaves behind.

pub mod checkpoint;
pub mod clock;
pub mod evaluate;
pub mod found_runs;
pub mod label_free;
pub mod observer;
pub mod pretrain;
pub mod progress;
pub mod record;
pub mod records;
pub mod run;
pub mod session;
pub mod slurm;
pub mod sweep;
pub mod trainer;
