//! What the cells of the course use: `use toalign::prelude::*;`.

pub use candle_core::{D, DType, Device, IndexOp, Tensor, Var};
pub use image::RgbImage;

pub use crate::config::{Baseline, DataSource, RunConfig};
pub use crate::data::dataset::Domain;
pub use crate::draw::{
    Bars, Chart, Column, Dot, GroupedBars, HeatMap, Histogram, PictureGrid, Row, Scatter, SignedBars,
    pictures,
};
pub use crate::explain::attention::{chance_level, energy_in_mask};
pub use crate::explain::look::Look;
pub use crate::explain::overlay::{normalise, overlay};
pub use crate::explain::plane::Plane;
pub use crate::method::losses::{adversarial, cross_entropy, entropy, entropy_weights, softmax};
pub use crate::method::toalign::task_relevant;
pub use crate::method::{Losses, Method, StepInput};
pub use crate::mini_home::{self, Split, Style};
pub use crate::model::Model;
pub use crate::model::head::Head;
pub use crate::model::resnet::Layer;
pub use crate::nn::batch_norm::Mode;
pub use crate::nn::grad_reverse::grad_reverse;
pub use crate::nn::linear::Linear;
pub use crate::nn::schedule::{inverse_decay, reversal_coefficient};
pub use crate::notebook::lesson::{Training, one_of_each_class};
pub use crate::notebook::live_sweep::watch;
pub use crate::notebook::show;
pub use crate::random::generator;
pub use crate::report::accuracy::{accuracy_table, beside_published, choice_table};
pub use crate::report::charts::{accuracy_bars, class_gain_bars, confusion_map, learning_curves};
pub use crate::report::classes::{class_gains, confusion};
pub use crate::report::cost::cost_table;
pub use crate::report::gains::{Unit, gain, gains_by_task, gains_table};
pub use crate::report::published::{published, published_notes, published_table};
pub use crate::report::selection::{Choice, choose};
pub use crate::report::table::{Align, Table};
pub use crate::runs::find::find_runs;
pub use crate::runs::folder::{RunFolder, RunState};
pub use crate::runs::session::Session;
pub use crate::runs::study::{Study, read_study};
pub use crate::runs::sweep::{Ended, Plan};
