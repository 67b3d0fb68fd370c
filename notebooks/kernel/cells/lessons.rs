//! All lessons, for the compiler; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

// What a lesson shows first, it may use later or never.
#![allow(warnings, clippy::all)]

#[path = "00_start_here.rs"]
mod lesson_00_start_here;
#[path = "01_domain_shift.rs"]
mod lesson_01_domain_shift;
#[path = "02_adversarial_training.rs"]
mod lesson_02_adversarial_training;
#[path = "03_dannp_and_hda.rs"]
mod lesson_03_dannp_and_hda;
#[path = "04_toalign_weighting.rs"]
mod lesson_04_toalign_weighting;
#[path = "05_training_toalign.rs"]
mod lesson_05_training_toalign;
#[path = "06_your_own_data.rs"]
mod lesson_06_your_own_data;
#[path = "07_office_home_runs.rs"]
mod lesson_07_office_home_runs;
#[path = "08_results.rs"]
mod lesson_08_results;
#[path = "09_what_toalign_does.rs"]
mod lesson_09_what_toalign_does;
#[path = "10_looking_closer.rs"]
mod lesson_10_looking_closer;
#[path = "11_transferred_knowledge.rs"]
mod lesson_11_transferred_knowledge;
