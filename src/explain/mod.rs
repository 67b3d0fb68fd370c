//! What a network looks at: its heat maps, drawn over the picture, measured, and compared with where the object is.

pub mod attention;
pub mod confidence;
pub mod deletion;
pub mod eigen_cam;
pub mod evidence;
pub mod grad_cam;
pub mod grad_cam_plus_plus;
pub mod guided;
pub mod hires_cam;
pub mod knowledge;
pub mod layer_cam;
pub mod look;
pub mod maps;
pub mod measured;
pub mod overlay;
pub mod plane;
pub mod road;
pub mod sanity;
pub mod view;
pub mod x_grad_cam;
