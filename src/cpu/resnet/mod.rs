//! A whole residual network as one operation: forwards with a tape, backwards along it, and without one for pictures.

mod backward;
mod forward;
mod guided;
mod inference;
pub(crate) mod op;
pub(crate) mod plan;
