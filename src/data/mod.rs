//! What comes in: labelled pictures of two domains, made into batches.

pub mod dataset;
pub mod mini_home;
