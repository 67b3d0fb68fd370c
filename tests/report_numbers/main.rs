//! What the report says of small studies with made-up numbers, checked by hand.

mod accuracy;
mod charts;
mod classes;
mod cost;
mod gains;
mod made_up;
mod one_task;
mod selection;
mod text;
mod write;
