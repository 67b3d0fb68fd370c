//! Every kind of heat map, one row each. A new one is a small file with its formula and a row here.

use candle_core::Tensor;

use super::eigen_cam::{eigen_cam, eigen_grad_cam};
use super::evidence::Evidence;
use super::grad_cam::grad_cam;
use super::grad_cam_plus_plus::{grad_cam_plus_plus, grad_cam_plus_plus_authors, grad_cam_plus_plus_epsilon};
use super::hires_cam::{element_wise, hires_cam};
use super::layer_cam::layer_cam;
use super::x_grad_cam::x_grad_cam;
use crate::error::{Result, complain, nearest};

/// One kind of heat map.
#[derive(Debug, Clone, Copy)]
pub struct MapKind {
    /// Its name on the command line and in tables of measures, such as `grad-cam++`.
    pub key: &'static str,
    /// How it is written above a picture.
    pub name: &'static str,
    /// Where it was published.
    pub reference: &'static str,
    /// From the evidence to `[batch, rows, columns]`, never negative, not scaled.
    pub compute: fn(&Evidence) -> Result<Tensor>,
}

/// The kinds, in the order of tables.
pub static ALL: [MapKind; 10] = [
    MapKind { key: "grad-cam", name: "Grad-CAM", reference: "Selvaraju et al. 2017", compute: grad_cam },
    MapKind {
        key: "grad-cam++",
        name: "Grad-CAM++",
        reference: "Chattopadhyay et al. 2018",
        compute: grad_cam_plus_plus,
    },
    MapKind {
        key: "grad-cam++-authors",
        name: "Grad-CAM++ (authors' code)",
        reference: "Chattopadhyay et al. 2018",
        compute: grad_cam_plus_plus_authors,
    },
    MapKind {
        key: "grad-cam++-epsilon",
        name: "Grad-CAM++ (pytorch-grad-cam)",
        reference: "pytorch-grad-cam 1.5.7",
        compute: grad_cam_plus_plus_epsilon,
    },
    MapKind { key: "hires-cam", name: "HiResCAM", reference: "Draelos & Carin 2020", compute: hires_cam },
    MapKind { key: "layer-cam", name: "LayerCAM", reference: "Jiang et al. 2021", compute: layer_cam },
    MapKind { key: "x-grad-cam", name: "XGradCAM", reference: "Fu et al. 2020", compute: x_grad_cam },
    MapKind {
        key: "element-wise",
        name: "Element-wise",
        reference: "pytorch-grad-cam 1.5.7",
        compute: element_wise,
    },
    MapKind { key: "eigen-cam", name: "EigenCAM", reference: "Muhammad & Yeasin 2020", compute: eigen_cam },
    MapKind {
        key: "eigen-grad-cam",
        name: "EigenGradCAM",
        reference: "pytorch-grad-cam 1.5.7",
        compute: eigen_grad_cam,
    },
];

/// The kind of a key.
///
/// ```
/// use toalign::explain::maps::find;
/// assert_eq!(find("grad-cam++")?.name, "Grad-CAM++");
/// assert!(find("gradcam").unwrap_err().to_string().contains("did you mean grad-cam?"));
/// # Ok::<(), toalign::Error>(())
/// ```
///
/// # Errors
/// If there is none.
pub fn find(key: &str) -> Result<&'static MapKind> {
    ALL.iter().find(|kind| kind.key == key).ok_or_else(|| {
        let keys = ALL.map(|kind| kind.key);
        let advice = nearest(key, keys).map_or(String::new(), |near| format!("did you mean {near}?"));
        complain(format!("a kind of heat map: {}", keys.join(", ")), format!("'{key}'"))
            .advice(&advice)
            .into()
    })
}
