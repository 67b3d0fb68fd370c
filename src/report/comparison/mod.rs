//! Many runs beside each other: what each method reaches, what it gains, what it costs.
//!
//! Every function takes a [`Study`](crate::train::records::Study) and gives numbers, a
//! [`Table`](super::table::Table) or a chart. Which test of a run counts is always named: see
//! [`Choice`](selection::Choice).

pub mod accuracy;
pub mod charts;
pub mod classes;
pub mod cost;
pub mod gains;
#[cfg(test)]
mod made_up;
pub mod page;
pub mod selection;
pub mod text;
pub mod write;
