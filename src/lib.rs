#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod bench;
pub mod config;
pub mod data;
pub mod device;
pub mod error;
pub mod explain;
pub mod files;
pub mod main_job;
pub mod method;
pub mod model;
pub mod nn;
pub mod random;
pub mod report;
pub mod train;

pub use error::{Error, Result};
