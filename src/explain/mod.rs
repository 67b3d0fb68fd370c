//! What a network looks at: its heat maps, drawn over the picture and compared with where the object is.

pub mod attention;
pub mod look;
pub mod overlay;
