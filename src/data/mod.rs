//! What comes in: labelled pictures of two domains, made into batches.

pub mod batches;
pub(crate) mod class_folders;
pub mod dataset;
pub mod decode;
pub mod folder;
pub mod hub;
pub mod mini_home;
pub mod names;
mod normalise;
pub mod office_home;
mod prefetch;
pub mod resize;
pub mod transform;
mod window;
