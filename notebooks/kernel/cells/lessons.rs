//! All lessons, for the compiler; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

// What a lesson shows first, it may use later or never.
#![allow(warnings, clippy::all)]

#[path = "00_start_here.rs"]
mod lesson_00_start_here;
