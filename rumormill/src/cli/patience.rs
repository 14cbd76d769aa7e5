//! How long to wait for a peer.

use std::time::Duration;

use clap::ValueEnum;
use rumormill::transport::Timeouts;

use super::quantity;

/// How long to wait for a peer.
#[derive(Debug, clap::Args)]
pub(crate) struct Patience {
    /// Deadlines to dial, read and write: 3s, 5s, 5s; wan: 10s, 15s, 15s; satellite: 20s, 30s, 30s
    #[arg(long, value_name = "PRESET", default_value = "lan", hide_possible_values = true)]
    timeouts: Preset,
    /// How long to wait for an answer [default: the deadline to read]
    #[arg(short = 'W', long, value_name = "TIMEOUT", value_parser = quantity::duration)]
    wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    Lan,
    Wan,
    Satellite,
}

impl Patience {
    pub(crate) fn timeouts(&self) -> Timeouts {
        let preset = match self.timeouts {
            Preset::Lan => Timeouts::lan(),
            Preset::Wan => Timeouts::wan(),
            Preset::Satellite => Timeouts::satellite(),
        };
        Timeouts { read: self.wait.unwrap_or(preset.read), ..preset }
    }
}
