//! The check at the door: what passed it is [`Checked`], and no setting has to be doubted again.

use std::ops::Deref;

use super::RunConfig;
use crate::error::{Result, complain};
use crate::method::table;

/// Settings that passed the check; whatever trains takes these.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked(RunConfig);

impl Deref for Checked {
    type Target = RunConfig;

    fn deref(&self) -> &RunConfig {
        &self.0
    }
}

impl Checked {
    /// The same settings under the name that the data set has for the task.
    pub fn on_task(self, name: &str) -> Self {
        Self(RunConfig { task: name.to_owned(), ..self.0 })
    }
}

impl RunConfig {
    /// Checks every setting that can be wrong by itself.
    ///
    /// # Errors
    /// Names the first key whose value cannot be meant, and what it should be.
    ///
    /// ```
    /// use toalign::config::RunConfig;
    /// let config = RunConfig { learning_rate: f64::NAN, ..RunConfig::mini() };
    /// let message = config.check().unwrap_err().to_string();
    /// assert!(message.starts_with("learning_rate (--learning-rate): expected a number of at least 0, found NaN"));
    /// assert_eq!(RunConfig::mini().check()?.steps, 500);
    /// # Ok::<(), toalign::Error>(())
    /// ```
    pub fn check(self) -> Result<Checked> {
        self.complain_about_values()?;
        Ok(Checked(self))
    }

    fn complain_about_values(&self) -> Result<()> {
        for (key, value) in [
            ("steps", self.steps),
            ("test_every", self.test_every),
            ("log_every", self.log_every),
            ("checkpoint_every", self.checkpoint_every),
            ("batch_size", self.batch_size),
            ("target_batch_size", self.target_batch()),
            ("test_batch_size", self.test_batch_size),
            ("source_test_pictures", self.source_test_pictures.unwrap_or(1)),
            ("target_test_pictures", self.target_test_pictures.unwrap_or(1)),
            ("resize", self.resize),
            ("crop", self.crop),
            ("workers", self.workers),
            ("discriminator_hidden", self.discriminator_hidden),
        ] {
            require(value >= 1, key, "a whole number of at least 1", value)?;
        }
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("head_multiplier", self.head_multiplier),
            ("discriminator_multiplier", self.discriminator_multiplier),
            ("weight_decay", self.weight_decay),
            ("learning_rate_gamma", self.learning_rate_gamma),
            ("learning_rate_power", self.learning_rate_power),
            ("alignment_weight", self.alignment_factor()),
            ("reversal_gamma", self.reversal_gamma),
        ] {
            let fine = value.is_finite() && value >= 0.0;
            require(fine, key, "a number of at least 0", value)?;
        }
        for (key, value) in [("momentum", self.momentum), ("dropout", self.dropout)] {
            let fine = (0.0..1.0).contains(&value);
            require(fine, key, "a number from 0 up to, but not including, 1", value)?;
        }
        for (key, value) in [("resize", self.resize), ("pad", self.pad), ("crop", self.crop)] {
            require(value <= 10_000, key, "at most 10000 pixels", value)?;
        }
        // Sixteen times the published width; a damaged file must not ask for all memory.
        let hidden = self.discriminator_hidden;
        require(hidden <= 16_384, "discriminator_hidden", "at most 16384 units", hidden)?;
        require(
            self.crop <= self.resize + 2 * self.pad,
            "crop",
            &format!("at most resize + 2·pad = {}", self.resize + 2 * self.pad),
            self.crop,
        )?;
        require(
            self.seed <= i64::MAX as u64,
            "seed",
            "at most 9223372036854775807 (TOML's largest integer)",
            self.seed,
        )?;
        require(
            self.momentum > 0.0 || !self.nesterov,
            "nesterov",
            "false where momentum is 0",
            self.nesterov,
        )?;
        let alone = self.control.is_none() || !self.toalign;
        require(alone, "control", "a control or ToAlign, which it takes the place of", "both")?;
        let fine = self.method.admits(self.shown());
        let aligning = table::all().into_iter().filter(|entry| entry.admits(self.shown()));
        let keys: Vec<&str> = aligning.map(|entry| entry.key).collect();
        let (last, others) = keys.split_last().unwrap_or((&"none", &[]));
        let expected = format!("a method that aligns ({} or {last})", others.join(", "));
        let key = if self.toalign { "toalign" } else { "control" };
        require(fine, key, &expected, self.method)
    }
}

fn require(fine: bool, key: &str, expected: &str, found: impl std::fmt::Display) -> Result<()> {
    if fine {
        return Ok(());
    }
    let flag = key.replace('_', "-");
    Err(complain(expected, found.to_string())
        .at(format!("{key} (--{flag})"))
        .advice(format!("change {key} in the configuration file, or give --{flag}"))
        .into())
}
