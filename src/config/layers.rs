//! Preset, file, flags: three layers, the later one wins.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use toml::de::DeTable;

use super::{Checked, DataSource, RunConfig};
use crate::error::{Result, complain, file_error, nearest};

/// A named starting point for all settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The offline default: pictures of 40×40, the small backbone
    Mini,
    /// The paper's setting: pictures of 224×224, ResNet-50
    OfficeHome,
    /// The slides' rerun of the paper: HDA+ToAlign with 15 pictures of each domain per step
    Slides,
    /// A small real study on a CPU: pictures of 64×64, ResNet-18, steps by the size of the data
    SmallResnet,
    /// The paper's setting for several sources: ResNet-101, 80 + 16 pictures, 50,000 steps
    DomainNet,
}

impl Preset {
    /// Its settings; where they depend on the size of the data, for domains as large as Office-Home's.
    pub fn config(self) -> RunConfig {
        match self {
            Self::Mini => RunConfig::mini(),
            Self::OfficeHome => RunConfig::office_home(),
            Self::Slides => RunConfig::slides(),
            Self::SmallResnet => RunConfig::small_resnet(15_588 / 4),
            Self::DomainNet => RunConfig::domain_net(),
        }
    }
}

/// The settings given on the command line: a flag for every field of [`RunConfig`], none of them required.
#[derive(Debug, Clone, Default)]
pub struct Overlay(ArgMatches);

impl Overlay {
    /// The preset, overlaid by the file (if any), overlaid by these flags; checked.
    ///
    /// Without a preset, `mini` data gets the preset `mini` and everything on disk gets `office-home`.
    ///
    /// # Errors
    /// If the file cannot be read, a key is unknown (the nearest is named), or a value cannot be meant.
    pub fn over(&self, preset: Option<Preset>, file: Option<&Path>) -> Result<Checked> {
        let data = self.over_layers(RunConfig::mini(), file)?.data;
        let preset = preset.unwrap_or(match data {
            DataSource::Mini | DataSource::TiedMini(_) => Preset::Mini,
            _ => Preset::OfficeHome,
        });
        let preset = match preset {
            Preset::SmallResnet => RunConfig::small_resnet(data.pictures_per_domain()?),
            other => other.config(),
        };
        self.over_layers(preset, file)?.check()
    }

    /// Whether the user gave a flag for this key.
    pub fn names(&self, key: &str) -> bool {
        self.0.value_source(key) == Some(ValueSource::CommandLine)
    }

    fn over_layers(&self, preset: RunConfig, file: Option<&Path>) -> Result<RunConfig> {
        let mut config = match file {
            Some(file) => preset.overlaid_by_file(file)?,
            None => preset,
        };
        config
            .update_from_arg_matches(&self.0)
            .map_err(|error| complain("flags that clap accepts", error.to_string()))?;
        Ok(config)
    }
}

impl FromArgMatches for Overlay {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        self.0 = matches.clone();
        Ok(())
    }
}

impl Args for Overlay {
    fn augment_args(command: Command) -> Command {
        // "--learning-rate -1" deserves our own message, not one about an unknown flag -1.
        let command = RunConfig::augment_args_for_update(command);
        RunConfig::keys().into_iter().fold(command, |command, key| {
            command.mut_arg(key, |argument| argument.allow_negative_numbers(true))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl RunConfig {
    /// The names of all settings: the keys of the file, and with `-` for `_` the flags.
    pub fn keys() -> Vec<String> {
        RunConfig::augment_args_for_update(Command::new("keys"))
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect()
    }

    /// These settings, with those that a TOML file names replaced.
    ///
    /// # Errors
    /// If the file cannot be read or is no TOML, a key is unknown, or a value has the wrong type; with `file:line`.
    pub fn overlaid_by_file(&self, file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| file_error("read", file, error))?;
        self.overlaid_by(&text, file)
    }

    /// As [`RunConfig::overlaid_by_file`], for text that was read from `file`.
    ///
    /// # Errors
    /// If it is no TOML, a key is unknown, or a value has the wrong type; with `file:line`.
    pub fn overlaid_by(&self, text: &str, file: &Path) -> Result<Self> {
        let no_toml = |error: toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            complain("a TOML file of 'key = value' lines", error.message().trim())
                .at_line(file, line_of(text, offset))
        };
        let spans = DeTable::parse(text).map_err(no_toml)?;
        let values: toml::Table = text.parse().map_err(no_toml)?;
        let known = Self::keys();
        let mut config = self.clone();
        for (key, _) in spans.get_ref() {
            let line = line_of(text, key.span().start);
            let name: &str = key.get_ref();
            if !known.iter().any(|other| other == name) {
                let advice = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("the keys are {}", known.join(", ")),
                };
                return Err(complain("the name of a setting", format!("'{name}'"))
                    .at_line(file, line)
                    .advice(advice)
                    .into());
            }
            let mut table = config.to_table()?;
            table.insert(name.to_owned(), values[name].clone());
            config = table.try_into().map_err(|error: toml::de::Error| {
                complain(format!("a valid value for '{name}'"), error.message().trim()).at_line(file, line)
            })?;
        }
        Ok(config)
    }

    /// All settings as a TOML file.
    ///
    /// # Errors
    /// If a number does not fit TOML; [`RunConfig::check`] excludes that.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(self).map_err(|error| complain("settings that fit TOML", error.to_string()))?)
    }

    /// The settings whose values differ, as `(key, ours, theirs)`.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn differences(&self, other: &Self) -> Result<Vec<(String, String, String)>> {
        let (ours, theirs) = (self.to_table()?, other.to_table()?);
        let show = |table: &toml::Table, key: &str| {
            table.get(key).map_or("not set".to_owned(), toml::Value::to_string)
        };
        Ok(Self::keys()
            .into_iter()
            .filter(|key| ours.get(key) != theirs.get(key))
            .map(|key| {
                let (ours, theirs) = (show(&ours, &key), show(&theirs, &key));
                (key, ours, theirs)
            })
            .collect())
    }

    fn to_table(&self) -> Result<toml::Table> {
        Ok(toml::Table::try_from(self)
            .map_err(|error| complain("settings that fit TOML", error.to_string()))?)
    }
}

/// The line, from 1, in which byte `offset` lies.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
