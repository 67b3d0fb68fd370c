#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod bench;
pub mod config;
pub mod data;
pub mod device;
pub mod error;
pub mod explain;
pub mod files;
pub mod lesson;
pub mod main_job;
pub mod method;
pub mod model;
pub mod nn;
pub mod prelude;
pub mod random;
pub mod report;
pub mod train;

pub use candle_core;
pub use candle_nn;
pub use image;

pub use error::{Error, Result};
