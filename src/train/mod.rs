//! Running a method: the loop, its tests, what it writes down and how it resumes.

pub mod record;
