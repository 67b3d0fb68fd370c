//! What a network looks at: its heat maps, drawn over the picture and compared with where the object is.

pub mod attention;
pub mod grad_cam;
pub mod look;
pub mod overlay;
pub mod plane;
