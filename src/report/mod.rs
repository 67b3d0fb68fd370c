//! What comes out: tables, charts and the report page.

pub mod comparison;
pub mod html;
pub mod learning;
pub mod live;
pub mod live_sweep;
pub mod published;
pub mod show;
pub mod statistics;
pub mod study;
pub mod table;
