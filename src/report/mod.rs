//! What comes out: tables, charts and the report page.

pub mod comparison;
pub mod html;
pub mod learning;
pub mod published;
pub mod statistics;
pub mod study;
pub mod table;
