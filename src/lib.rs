#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

// The rooms, in the order in which data flow through them: none imports a later one.

// Messages that say what to do; files written whole; random numbers by name.
pub mod error;
pub mod files;
mod lock;
pub mod random;

// CPU or GPU.
pub mod device;

// The CPU's own loops.
pub mod cpu;

// The same network on an NVIDIA GPU.
#[cfg(feature = "cudnn")]
mod cuda;

// The layers that candle lacks for training.
pub mod nn;

// Pictures on disk, made into batches.
pub mod data;

// The data set that is drawn.
pub mod mini_home;

// Backbone, head, discriminator; weights from and to PyTorch.
pub mod model;

// One file of equations each, and the table of all.
pub mod method;

// Charts, pictures, and how each method looks.
pub mod draw;

// Every number of a run; from them to its parts.
pub mod config;
pub mod setup;

// One step, the loop, tests, checkpoints.
pub mod train;

// Runs on disk, one and many.
pub mod runs;

// What a network looks at.
pub mod explain;

// Numbers, tables, charts, one page.
pub mod report;

// How long it takes here.
pub mod bench;

// Things below a cell.
pub mod notebook;

// The first command; what lessons use.
pub mod main_job;
pub mod prelude;

// What a program that uses this library begins with.
pub use config::{Checked, DataSource, RunConfig};
pub use data::dataset::{Domain, Task};
pub use error::{Error, Result};
pub use explain::look::Look;
pub use method::{Losses, Method, StepInput};
pub use model::{Model, ModelSpec};
pub use runs::{session::Session, study::Study, sweep::Plan};
pub use train::observer::Observer;

// The crates whose types are in the interface: notebooks reach them through this one.
pub use {candle_core, candle_nn, image, plotters};
