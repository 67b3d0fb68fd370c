//! Runs on disk, one and many: a run's folder, what is found in it again, sweeps, and sweeps on a cluster.
//!
//! [`session::Session`] makes a run's parts from its configuration; [`folder::RunFolder`] listens to its loop and keeps what
//! the run leaves behind.

pub mod find;
pub mod folder;
pub mod session;
pub mod slurm;
pub mod study;
pub mod sweep;
