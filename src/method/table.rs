//! Every method that the program knows, one row each. A new method is a file of equations and a row here.

use std::sync::{PoisonError, RwLock};

use super::Method;
use super::alignment::Alignment;
use super::dann::Dann;
use super::dannp::Dannp;
use super::hda::Hda;
use super::shown::{Shown, Variant};
use super::source_only::{SourceOnly, TargetBatchNormOnly};
use crate::error::{Result, complain};
use crate::model::{DiscriminatorInput, HeadKind};

/// The method without adaptation, which every other is compared with.
pub const SOURCE_ONLY: &str = "source-only";

/// The control that sees the target with batch norm alone.
pub const TARGET_BATCH_NORM_ONLY: &str = "target-bn-only";

/// One method as commands, tables and charts know it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its key in commands, configurations and records, such as `dannp`.
    pub key: &'static str,
    /// What it does, for the help of the command line.
    pub summary: &'static str,
    /// Where it was published; empty for a control of our own.
    pub reference: &'static str,
    /// How tables and charts show it.
    pub look: Look,
    /// How they show it with ToAlign on top; none where ToAlign does not apply.
    pub with_toalign: Option<Look>,
    /// What lists of published results call it, in lower case.
    pub published_as: &'static [&'static str],
    /// What a step of it costs in its paper, without and with ToAlign.
    pub published_cost: [Option<StepCost>; 2],
    /// What becomes of the target's pictures.
    pub target: TargetUse,
    /// The head it trains.
    pub head: HeadKind,
    /// What its discriminator sees; none if it has no discriminator.
    pub discriminator: Option<DiscriminatorInput>,
    /// Whether its published configuration weighs samples by exp(-entropy).
    pub entropy_conditioning: bool,
    /// The published factor on its alignment loss.
    pub alignment_weight: f64,
    /// Makes it; a method that aligns nothing has no use for the settings.
    pub make: fn(Alignment) -> Box<dyn Method>,
}

/// Display name and colour. The colours start from the palette of Okabe and Ito (Color Universal Design, 2008): one hue for
/// each family, the light shade for the method and the dark one for the method with ToAlign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// As the field writes it, such as `DANNP+ToAlign`.
    pub name: &'static str,
    /// Red, green, blue. A test of `draw/style.rs` checks that all pairs stay apart under red and green blindness.
    pub colour: [u8; 3],
}

/// What a training step costs, on the GPU of a paper with ResNet-50 and 36 + 36 pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepCost {
    /// Its time.
    pub milliseconds: f64,
    /// Memory of the GPU.
    pub megabytes: f64,
}

/// What becomes of the target's pictures in a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetUse {
    /// They are never seen.
    Unseen,
    /// They move the running statistics of batch norm, and nothing else.
    BatchNorm,
    /// They are in the loss.
    Loss,
}

/// The methods that are built in, in the order of tables.
pub static ALL: [Entry; 5] = [
    Entry {
        key: SOURCE_ONLY,
        summary: "Cross entropy on the source, nothing else",
        reference: "",
        look: Look { name: "Source only", colour: [0x00, 0x00, 0x00] },
        with_toalign: None,
        // The literature copies a row of 2017 under the name of its backbone; tllib calls it ERM.
        published_as: &["resnet-50", "erm"],
        published_cost: [None, None],
        target: TargetUse::Unseen,
        head: HeadKind::Linear,
        discriminator: None,
        entropy_conditioning: false,
        alignment_weight: 1.0,
        make: |_| Box::new(SourceOnly),
    },
    Entry {
        key: TARGET_BATCH_NORM_ONLY,
        summary: "As source-only, but target batches pass through the batch norms: a control",
        reference: "",
        look: Look { name: "Target BN only", colour: [0x76, 0x76, 0x76] },
        with_toalign: None,
        published_as: &[],
        published_cost: [None, None],
        target: TargetUse::BatchNorm,
        head: HeadKind::Linear,
        discriminator: None,
        entropy_conditioning: false,
        alignment_weight: 1.0,
        make: |_| Box::new(TargetBatchNormOnly),
    },
    Entry {
        key: "dann",
        summary: "Adversarial alignment of features",
        reference: "Ganin & Lempitsky 2015",
        look: Look { name: "DANN", colour: [0x56, 0xB4, 0xE9] },
        with_toalign: Some(Look { name: "DANN+ToAlign", colour: [0x00, 0x60, 0xA8] }),
        published_as: &["dann"],
        published_cost: [None, None],
        target: TargetUse::Loss,
        head: HeadKind::Linear,
        discriminator: Some(DiscriminatorInput::Features),
        entropy_conditioning: false,
        alignment_weight: 0.1,
        make: |alignment| Box::new(Dann { alignment }),
    },
    Entry {
        key: "dannp",
        summary: "Adversarial alignment of class probabilities with entropy conditioning",
        reference: "Wei et al. 2021",
        look: Look { name: "DANNP", colour: [0xE6, 0x9F, 0x00] },
        with_toalign: Some(Look { name: "DANNP+ToAlign", colour: [0xC0, 0x4A, 0x00] }),
        published_as: &["dannp"],
        published_cost: [
            Some(StepCost { milliseconds: 550.0, megabytes: 6660.0 }),
            Some(StepCost { milliseconds: 590.0, megabytes: 6668.0 }),
        ],
        target: TargetUse::Loss,
        head: HeadKind::Linear,
        discriminator: Some(DiscriminatorInput::Probabilities),
        entropy_conditioning: true,
        alignment_weight: 1.0,
        make: |alignment| Box::new(Dannp { alignment }),
    },
    Entry {
        key: "hda",
        summary: "Heuristic domain adaptation on top of dannp",
        reference: "Cui et al. 2020",
        look: Look { name: "HDA", colour: [0xE0, 0x8A, 0xC0] },
        with_toalign: Some(Look { name: "HDA+ToAlign", colour: [0x7A, 0x1F, 0x62] }),
        published_as: &["hda"],
        published_cost: [None, None],
        target: TargetUse::Loss,
        head: HeadKind::Heuristic,
        discriminator: Some(DiscriminatorInput::Probabilities),
        entropy_conditioning: true,
        alignment_weight: 1.0,
        make: |alignment| Box::new(Hda { alignment }),
    },
];

/// Rows of a program that uses this library, beside [`ALL`].
static REGISTERED: RwLock<Vec<&'static Entry>> = RwLock::new(Vec::new());

/// Makes a method of your own known to configurations, sweeps, tables and charts of this process.
///
/// # Errors
/// If its key is taken, or could not be the name of a folder of runs.
pub fn register(entry: Entry) -> Result<&'static Entry> {
    let fine = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if entry.key.is_empty() || !entry.key.chars().all(fine) {
        return Err(complain("a key of lower-case letters, digits and -", format!("'{}'", entry.key))
            .at("Entry::key")
            .advice("it names the folders of the method's runs; ToAlign is a switch, no part of the key")
            .into());
    }
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    if ALL.iter().chain(registered.iter().copied()).any(|known| known.key == entry.key) {
        return Err(complain("a key that no method has yet", format!("'{}'", entry.key))
            .at("Entry::key")
            .advice("choose another key")
            .into());
    }
    let entry: &'static Entry = Box::leak(Box::new(entry));
    registered.push(entry);
    Ok(entry)
}

/// Every method, in the order of tables: those built in, then those registered.
pub fn all() -> Vec<&'static Entry> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    ALL.iter().chain(registered.iter().copied()).collect()
}

/// The method of a name such as `hda`, `hda+toalign` or `hda+labels`, and how it deals with the source.
///
/// ```
/// use toalign::method::table::find;
/// use toalign::method::shown::Variant;
/// let (entry, variant) = find("hda+toalign").unwrap();
/// assert_eq!((entry.key, variant, entry.display_name(variant).as_str()), ("hda", Variant::TOALIGN, "HDA+ToAlign"));
/// assert!(find("source-only+toalign").is_none() && find("dann+labels").is_none());
/// ```
pub fn find(name: &str) -> Option<(&'static Entry, Variant)> {
    let (key, variant) = Variant::split(name);
    let entry = all().into_iter().find(|entry| entry.key == key)?;
    entry.admits(variant.shown).then_some((entry, variant))
}

/// Where a method stands in tables: each one before itself with ToAlign and the controls, unknown names last.
pub fn place(name: &str) -> usize {
    let Some((entry, Variant { shown, once })) = find(name) else { return usize::MAX };
    let row = all().iter().position(|known| known.key == entry.key);
    let column = match shown {
        Shown::Feature => 0,
        Shown::TaskRelevant => 1,
        Shown::Labels => 2,
        Shown::Detached => 3,
        Shown::Unit => 4,
        Shown::Temperature(_) => 5,
    };
    row.map_or(usize::MAX, |row| 12 * row + 2 * column + usize::from(once))
}

impl Entry {
    /// Its name in folders and records: the key, and behind it how it deals with the source, such as `+toalign`.
    pub fn name(&self, variant: Variant) -> String {
        format!("{}{}", self.key, variant.suffix())
    }

    /// Whether this can stand for the source; only where something is aligned, anything but its feature can.
    pub fn admits(&self, shown: Shown) -> bool {
        let aligned = self.discriminator.filter(|_| self.with_toalign.is_some());
        shown == Shown::Feature || aligned.is_some_and(|input| shown.fits(input))
    }

    /// What the help of the command line says about it.
    pub fn help(&self) -> String {
        match self.reference {
            "" => self.summary.to_owned(),
            reference => format!("{} ({reference})", self.summary),
        }
    }

    /// Whether a step needs a target batch.
    pub fn uses_target(&self) -> bool {
        self.target != TargetUse::Unseen
    }

    /// How tables and charts call it, such as `DANNP+ToAlign` or `DANNP+labels`.
    pub fn display_name(&self, variant: Variant) -> String {
        match (variant.shown, self.with_toalign) {
            (Shown::TaskRelevant, Some(look)) if variant.once => format!("{}+once", look.name),
            (Shown::TaskRelevant, Some(look)) => look.name.to_owned(),
            _ => format!("{}{}", self.look.name, variant.suffix()),
        }
    }

    /// Its colour in charts. That of a control lies between those of its method and a green of its own.
    pub fn colour(&self, variant: Variant) -> [u8; 3] {
        let green = match variant.shown {
            Shown::Feature => return self.look.colour,
            Shown::TaskRelevant if !variant.once => return self.with_toalign.unwrap_or(self.look).colour,
            Shown::TaskRelevant => [0x60, 0x60, 0xB0],
            Shown::Labels => [0x00, 0x9E, 0x73],
            Shown::Detached => [0x00, 0x50, 0x20],
            Shown::Unit => [0x70, 0xC8, 0x30],
            Shown::Temperature(_) => [0x20, 0xC0, 0xC0],
        };
        std::array::from_fn(|channel| (self.look.colour[channel] / 4).saturating_add(green[channel] / 4 * 3))
    }
}

/// What a method is compared with: with ToAlign or a control the same without, any other with `source-only`, which itself
/// has none.
///
/// ```
/// use toalign::method::table::baseline_of;
/// assert_eq!((baseline_of("hda+toalign"), baseline_of("hda+labels")), (Some("hda"), Some("hda")));
/// assert_eq!((baseline_of("hda"), baseline_of("source-only")), (Some("source-only"), None));
/// ```
pub fn baseline_of(method: &str) -> Option<&str> {
    match Variant::split(method) {
        (key, Variant::PLAIN) => (key != SOURCE_ONLY).then_some(SOURCE_ONLY),
        (key, _) => Some(key),
    }
}
