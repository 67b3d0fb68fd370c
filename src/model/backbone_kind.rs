//! Which residual networks there are, and their sizes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which backbone extracts the feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum BackboneKind {
    /// For 40×40 pictures: a 3×3 stem and four stages of one block, 16 to 128 channels; 0.3 million weights.
    Small,
    /// 11 million weights, 512 channels.
    ResNet18,
    /// 21 million weights, 512 channels.
    ResNet34,
    /// 23 million weights, 2048 channels: the paper's.
    ResNet50,
    /// 42 million weights, 2048 channels: the paper's for DomainNet.
    ResNet101,
}

impl fmt::Display for BackboneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl BackboneKind {
    /// All of them, with the names that the command line and files use.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("small", Self::Small),
        ("resnet18", Self::ResNet18),
        ("resnet34", Self::ResNet34),
        ("resnet50", Self::ResNet50),
        ("resnet101", Self::ResNet101),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Blocks per stage.
    pub(super) fn blocks(self) -> [usize; 4] {
        match self {
            Self::Small => [1, 1, 1, 1],
            Self::ResNet18 => [2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 => [3, 4, 6, 3],
            Self::ResNet101 => [3, 4, 23, 3],
        }
    }

    /// Channels inside the blocks of each stage.
    pub(super) fn widths(self) -> [usize; 4] {
        match self {
            Self::Small => [16, 32, 64, 128],
            _ => [64, 128, 256, 512],
        }
    }

    /// How much each stage shrinks the map.
    pub(super) fn strides(self) -> [usize; 4] {
        match self {
            Self::Small => [1, 2, 2, 1],
            _ => [1, 2, 2, 2],
        }
    }

    /// Channels that leave a block, per channel inside it.
    pub(super) fn expansion(self) -> usize {
        match self {
            Self::ResNet50 | Self::ResNet101 => 4,
            _ => 1,
        }
    }

    /// Channels of the feature.
    pub fn channels(self) -> usize {
        self.widths()[3] * self.expansion()
    }
}
