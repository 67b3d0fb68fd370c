//! `toalign data`: pictures and weights on this machine.

use clap::{Args, Subcommand};
use toalign::Result;

use super::fetch;

/// What to do with them.
#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch Office-Home, or pretrained weights, from the hub
    Fetch(fetch::Fetch),
}

impl Data {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Fetch(fetch) => fetch.run(),
        }
    }
}
