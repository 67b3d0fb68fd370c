//! Prototypes, what they answer, and what a good answer costs.

use candle_core::{D, Tensor, Var};

use crate::error::{Result, complain};
use crate::method::losses::{cross_entropy, softmax};

/// ProtoPNet's ε: a patch that is the prototype has the similarity log((0 + 1) / ε).
pub const EPSILON: f64 = 1e-4;

/// Points in the space of the last feature map, and how much each says for each class.
#[derive(Debug, Clone)]
pub struct Prototypes {
    /// `p`, `[classes · per class, channels]`; those of class 0 come first.
    pub points: Var,
    /// `V`, `[classes, classes · per class]`, without a bias.
    pub rows: Var,
}

/// What a frozen network has made of some pictures of one domain.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `A`, its last feature maps, `[pictures, places, channels]`; places row by row.
    pub map: Tensor,
    /// `y_f`, its logits, `[pictures, classes]`.
    pub logits: Tensor,
    /// The class that each picture counts for, u32 `[pictures]`: its label in the source, the network's answer in the target.
    pub classes: Tensor,
}

impl Seen {
    /// Some of the pictures, by number.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn select(&self, pictures: &[u32]) -> Result<Self> {
        let chosen = Tensor::new(pictures, self.map.device())?;
        let of = |tensor: &Tensor| tensor.index_select(&chosen, 0);
        Ok(Self { map: of(&self.map)?, logits: of(&self.logits)?, classes: of(&self.classes)? })
    }
}

/// What prototypes find in some pictures, and what they answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The place of the nearest patch, row by row, `[pictures, prototypes]`.
    pub places: Tensor,
    /// `d`, the squared distance to it, `[pictures, prototypes]`.
    pub distances: Tensor,
    /// `log((d + 1) / (d + ε))`, `[pictures, prototypes]`.
    pub similarities: Tensor,
    /// `V` times the similarities, `[pictures, classes]`.
    pub logits: Tensor,
}

/// How much each part of the loss counts.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// Of answering as the network answers.
    pub calibration: f64,
    /// Of all logits being the network's, not the winner alone.
    pub fidelity: f64,
    /// Of some prototype of the class lying near.
    pub cluster: f64,
    /// Of those of other classes lying far.
    pub separation: f64,
    /// Of what a prototype says for other classes than its own.
    pub others: f64,
}

impl Default for Weights {
    /// ProtoPNet's for its own parts, ours for calibration and fidelity.
    fn default() -> Self {
        Self { calibration: 1.0, fidelity: 0.1, cluster: 0.8, separation: 0.08, others: 1e-4 }
    }
}

/// The parts of the loss, each before its weight, and their sum; scalars.
#[derive(Debug, Clone)]
pub struct Costs {
    /// Cross-entropy on the source, against its labels.
    pub cross_entropy: Tensor,
    /// `KL(softmax y_f ‖ softmax y_p)`, mean over both domains.
    pub calibration: Tensor,
    /// Mean of `(ỹ_p - ỹ_f)²`, where ỹ is y minus its mean over the classes.
    pub fidelity: Tensor,
    /// Mean over pictures of the least distance to a prototype of the picture's class.
    pub cluster: Tensor,
    /// The same of other classes.
    pub separation: Tensor,
    /// `Σ|V|` over other classes.
    pub others: Tensor,
    /// What is minimised.
    pub loss: Tensor,
}

impl Prototypes {
    /// Prototypes at `points`, the same number for each class; V starts at 1 for the own class and -0.5 for others, as in ProtoPNet.
    ///
    /// # Errors
    /// If their number is no multiple of the number of classes.
    pub fn new(points: &Tensor, classes: usize) -> Result<Self> {
        let (count, _) = points.dims2()?;
        if classes == 0 || count == 0 || count % classes != 0 {
            let expected = format!("the same number of prototypes for each of {classes} classes");
            return Err(complain(expected, format!("{count} prototypes")).into());
        }
        let own = own(classes, count, points)?;
        let rows = ((own * 1.5)? - 0.5)?;
        Ok(Self { points: Var::from_tensor(points)?, rows: Var::from_tensor(&rows)? })
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.rows.dims()[0]
    }

    /// How many prototypes there are, over all classes.
    pub fn count(&self) -> usize {
        self.rows.dims()[1]
    }

    /// The class that a prototype is for.
    pub fn class(&self, prototype: usize) -> usize {
        prototype * self.classes() / self.count()
    }

    /// Squared distances of every patch to every prototype, `[pictures, places, prototypes]`; not differentiable.
    ///
    /// # Errors
    /// If the channels differ.
    pub fn distances(&self, map: &Tensor) -> Result<Tensor> {
        let (pictures, places, channels) = map.dims3()?;
        let patches = map.reshape((pictures * places, channels))?.detach();
        let points = self.points.as_detached_tensor();
        let products = patches.matmul(&points.t()?)?;
        let squares = patches.sqr()?.sum_keepdim(1)?;
        let all = (products * -2.0)?.broadcast_add(&squares)?.broadcast_add(&points.sqr()?.sum(1)?)?;
        Ok(all.relu()?.reshape((pictures, places, self.count()))?)
    }

    /// What the prototypes say about pictures with these maps, `[pictures, places, channels]`; differentiable in `points` and `rows`.
    ///
    /// # Errors
    /// If the channels differ.
    pub fn answer(&self, map: &Tensor) -> Result<Answer> {
        let (pictures, places, channels) = map.dims3()?;
        let nearest = self.distances(map)?.argmin(1)?; // [pictures, prototypes]
        let firsts = Tensor::arange_step(0u32, (pictures * places) as u32, places as u32, map.device())?;
        let rows = nearest.broadcast_add(&firsts.unsqueeze(1)?)?.flatten_all()?;
        let found = map.reshape((pictures * places, channels))?.index_select(&rows, 0)?;
        // Once more, as a sum of squares: a product's rounding would be as large as what is left of a distance near 0.
        let apart = found.reshape((pictures, self.count(), channels))?.broadcast_sub(&self.points)?;
        let distances = apart.sqr()?.sum(D::Minus1)?;
        let similarities = similarity(&distances)?;
        let logits = self.logits(&similarities)?;
        Ok(Answer { places: nearest, distances, similarities, logits })
    }

    /// `y_p = V s`, without a bias.
    ///
    /// # Errors
    /// If there are not as many similarities as prototypes.
    pub fn logits(&self, similarities: &Tensor) -> Result<Tensor> {
        Ok(similarities.matmul(&self.rows.t()?)?)
    }

    /// What it costs to answer for these pictures of both domains as the prototypes do.
    ///
    /// # Errors
    /// If the numbers of classes or channels differ.
    pub fn costs(&self, source: &Seen, target: &Seen, weights: &Weights) -> Result<Costs> {
        let answer = self.answer(&Tensor::cat(&[&source.map, &target.map], 0)?)?;
        self.costs_of(&answer, source, target, weights)
    }

    /// The same for an answer that is known: that of the source's pictures, then of the target's.
    ///
    /// # Errors
    /// As [`Prototypes::costs`].
    pub fn costs_of(
        &self,
        answer: &Answer,
        source: &Seen,
        target: &Seen,
        weights: &Weights,
    ) -> Result<Costs> {
        let of_network = Tensor::cat(&[&source.logits, &target.logits], 0)?;
        let classes = Tensor::cat(&[&source.classes, &target.classes], 0)?;

        let labelled = source.classes.dims()[0];
        let cross_entropy = cross_entropy(&answer.logits.narrow(0, 0, labelled)?, &source.classes)?;
        let (ours, theirs) = (log_softmax(&answer.logits)?, log_softmax(&of_network)?);
        let calibration = (softmax(&of_network)? * (theirs - ours)?)?.sum(1)?.mean_all()?;
        let centred = |logits: &Tensor| logits.broadcast_sub(&logits.mean_keepdim(1)?);
        let fidelity = (centred(&answer.logits)? - centred(&of_network)?)?.sqr()?.mean_all()?;

        let own = own(self.classes(), self.count(), &answer.logits)?; // [classes, prototypes]
        let of_own_class = own.index_select(&classes, 0)?; // [pictures, prototypes]
        let of_others = (1.0 - &of_own_class)?;
        let cluster = least_where(&answer.distances, &of_own_class)?.mean_all()?;
        let separation = least_where(&answer.distances, &of_others)?.mean_all()?;
        let others = (self.rows.abs()? * (1.0 - own)?)?.sum_all()?;

        let mut loss = cross_entropy.clone();
        for (part, weight) in [
            (&calibration, weights.calibration),
            (&fidelity, weights.fidelity),
            (&cluster, weights.cluster),
            (&separation, -weights.separation),
            (&others, weights.others),
        ] {
            loss = (loss + (part * weight)?)?;
        }
        Ok(Costs { cross_entropy, calibration, fidelity, cluster, separation, others, loss })
    }
}

/// `log((d + 1) / (d + ε))`.
///
/// # Errors
/// If candle cannot compute it.
pub fn similarity(distances: &Tensor) -> Result<Tensor> {
    Ok(((distances + 1.0)? / (distances + EPSILON)?)?.log()?)
}

/// 1 where the prototype is for the class, `[classes, prototypes]`.
fn own(classes: usize, count: usize, like: &Tensor) -> Result<Tensor> {
    let of: Vec<u32> = (0..count).map(|prototype| (prototype * classes / count) as u32).collect();
    let diagonal = Tensor::eye(classes, like.dtype(), like.device())?;
    Ok(diagonal.index_select(&Tensor::new(of, like.device())?, 1)?)
}

/// The least of each row among those that are marked with 1.
fn least_where(distances: &Tensor, marked: &Tensor) -> Result<Tensor> {
    let far = ((1.0 - marked)? * 1e30)?;
    let nearest = (distances.detach() + far)?.argmin_keepdim(1)?;
    Ok(distances.gather(&nearest, 1)?)
}

fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(candle_nn::ops::log_softmax(logits, D::Minus1)?)
}
