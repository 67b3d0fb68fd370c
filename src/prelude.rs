//! What the cells of the course use: `use toalign::prelude::*;`.

pub use candle_core::{D, DType, Device, IndexOp, Tensor, Var};
pub use image::RgbImage;

pub use crate::config::transform;
pub use crate::config::{Baseline, DataSource, RunConfig, Weights};
pub use crate::data::dataset::{Domain, Pictures, Task};
pub use crate::data::transform::Transform;
pub use crate::draw::{Bars, Chart, GroupedBars};
pub use crate::draw::{
    Column, Dot, Figure, HeatMap, Histogram, PictureGrid, Row, Scatter, SignedBars, pictures,
};
pub use crate::explain::attention::{chance_level, energy_in_mask};
pub use crate::explain::grad_cam::grad_cam;
pub use crate::explain::look::Look;
pub use crate::explain::overlay::{normalise, overlay};
pub use crate::explain::plane::Plane;
pub use crate::method::losses::{adversarial, cross_entropy, entropy, entropy_weights, softmax};
pub use crate::method::toalign::task_relevant;
pub use crate::method::{Losses, Method, StepInput};
pub use crate::mini_home::{self, Split, Style};
pub use crate::model::discriminator::Discriminator;
pub use crate::model::head::Head;
pub use crate::model::resnet::{Layer, ResNet};
pub use crate::model::{HeadKind, Model};
pub use crate::nn::batch_norm::Mode;
pub use crate::nn::grad_reverse::grad_reverse;
pub use crate::nn::linear::Linear;
pub use crate::nn::schedule::{inverse_decay, reversal_coefficient};
pub use crate::notebook::lesson::{Training, one_of_each_class};
pub use crate::notebook::live_sweep::watch;
pub use crate::notebook::{Show, show};
pub use crate::random::generator;
pub use crate::report::accuracy::{accuracy_table, beside_published, choice_table};
pub use crate::report::charts::{accuracy_bars, class_gain_bars, confusion_map, learning_curves};
pub use crate::report::classes::{class_gains, class_gains_table, confusion};
pub use crate::report::cost::cost_table;
pub use crate::report::gains::{Unit, gain, gains_by_task, gains_table};
pub use crate::report::published::{disagreements, published, published_notes, published_table};
pub use crate::report::selection::{Choice, choose};
pub use crate::report::table::{Align, Table};
pub use crate::runs::find::{FoundRuns, find_runs};
pub use crate::runs::folder::{RunFolder, RunState, read_metrics};
pub use crate::runs::session::Session;
pub use crate::runs::study::{Study, read_study};
pub use crate::runs::sweep::{Ended, Plan};
pub use crate::train::record::Record;
pub use crate::train::trainer::Summary;
