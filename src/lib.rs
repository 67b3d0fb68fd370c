#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod bench;
pub mod config;
pub mod cpu;
#[cfg(feature = "cudnn")]
mod cuda;
pub mod data;
pub mod device;
pub mod draw;
pub mod error;
pub mod explain;
pub mod files;
mod lock;
pub mod main_job;
pub mod method;
pub mod mini_home;
pub mod model;
pub mod nn;
pub mod notebook;
pub mod prelude;
pub mod random;
pub mod report;
pub mod runs;
pub mod setup;
pub mod train;

pub use error::{Error, Result};

// The crates whose types are in the interface: notebooks reach them through this one.
pub use {candle_core, candle_nn, image, plotters};
