//! What comes out: what each method reaches, what it gains, what it costs, as numbers, tables, charts and one page.
//!
//! Which test of a run counts is always named: see [`Choice`](selection::Choice).

pub mod accuracy;
pub mod adversary;
pub mod charts;
pub mod classes;
pub mod cost;
pub mod gains;
pub mod knowledge;
pub mod map_measures;
pub mod one_task;
pub mod page;
pub mod published;
pub mod selection;
pub mod statistics;
pub mod table;
pub mod text;
pub mod write;
