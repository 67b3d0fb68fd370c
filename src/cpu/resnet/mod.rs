//! A whole residual network as one operation: forwards with a tape, backwards along it; without one for pictures; and the
//! guided way back to the pictures.

mod backward;
mod forward;
mod guided;
mod inference;
pub(crate) mod op;
pub(crate) mod plan;
