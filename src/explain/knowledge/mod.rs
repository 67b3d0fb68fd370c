//! What an adapted network knows, as patches that it has seen: "this part of the target picture looks like that part of a source
//! picture".
//!
//! The idea and its three names (prediction calibration, knowledge fidelity, transferred knowledge matching) are those of Xiao, Ding
//! & Liu, *Visualizing Transferred Knowledge* (arXiv 2303.02302). Its equations and its code are not public: distances,
//! similarity, costs and push are ProtoPNet's (Chen et al., *This Looks Like That*, NeurIPS 2019), calibration and fidelity our own
//! reading. So all of this is *after* Xiao et al., never as in.

pub mod learn;
pub mod matching;
pub mod patches;
pub mod prototypes;

use crate::data::dataset::Task;
use crate::data::transform::Transform;
use crate::error::Result;
use crate::model::Model;

use learn::{Learned, Settings, learn};
use matching::{Answers, Match, answers, matches};
use patches::{ClassOf, Patches};

/// What has to stand wherever prototypes are shown.
pub const NOTE: &str = "After Xiao, Ding & Liu (arXiv 2303.02302), whose equations and code are not public: distances, costs \
                        and push as in ProtoPNet (Chen et al. 2019), calibration and fidelity in our own reading.";

/// The prototypes of one network on one task.
pub struct Knowledge {
    /// The patches of the source.
    pub source: Patches,
    /// Those of the target.
    pub target: Patches,
    /// The prototypes, each a patch of the source.
    pub learned: Learned,
    /// Each prototype with its partner in the target.
    pub matches: Vec<Match>,
    /// How well the prototypes answer on source and target in place of the network.
    pub answers: [Answers; 2],
}

impl Knowledge {
    /// Learns the prototypes of a network, which stays as it is, from about `pictures` pictures of each class and domain.
    ///
    /// # Errors
    /// If a picture cannot be read, the model does not fit, or a class has no source picture.
    pub fn of(
        model: &Model,
        transform: &Transform,
        task: &Task,
        pictures: usize,
        settings: &Settings,
    ) -> Result<Self> {
        let most = pictures * task.classes.len();
        let source = Patches::of(model, transform, &task.source, ClassOf::Label, most)?;
        let target = Patches::of(model, transform, &task.target, ClassOf::Answer, most)?;
        let by = (settings.mean_square / source.mean_square()?.max(f64::MIN_POSITIVE)).sqrt();
        let (source, target) = (source.scaled(by)?, target.scaled(by)?);
        let learned = learn(&source, &target, settings)?;
        let matches = matches(&learned, &source, &target)?;
        let answers = [answers(&learned.prototypes, &source)?, answers(&learned.prototypes, &target)?];
        Ok(Self { source, target, learned, matches, answers })
    }

    /// The prototypes of `class`, those that say most for it first.
    pub fn of_class(&self, class: usize) -> Vec<&Match> {
        let mut found: Vec<&Match> = self.matches.iter().filter(|one| one.class == class).collect();
        found.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        found
    }

    /// The mean transfer of the prototypes of `class`; none if the network takes no target picture for it.
    pub fn transfer(&self, class: usize) -> Option<f64> {
        let of_class = self.matches.iter().filter(|one| one.class == class);
        let all: Vec<f64> = of_class.filter_map(|one| one.transfer).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}
