//! What comes in: labelled pictures of two domains, made into batches.

pub mod batches;
pub mod check;
pub(crate) mod class_folders;
pub mod dataset;
pub mod decode;
pub mod fingerprint;
pub mod folder;
pub mod hub;
pub mod icons;
pub mod joined;
mod labelling;
pub mod list_file;
mod listed;
pub mod lists;
pub mod names;
mod normalise;
pub mod office_home;
pub mod picture_files;
mod prefetch;
pub mod resize;
pub(crate) mod spelling;
pub mod thinned;
pub mod transform;
mod window;
