//! Where a value comes from.

use std::{
    fmt::{self, Display},
    path::Path,
    sync::Arc,
};

use rumormill_transport_api::excerpt;

use super::Preset;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A variable of the environment.
    Environment {
        /// Its name.
        name: Box<str>,
    },
    /// A line of a file.
    File {
        /// Which file.
        path: Arc<Path>,
        /// Which line, from 1; 0 for the file as a whole.
        line: usize,
    },
    /// The command line.
    Flag,
    /// The preset, whose value for it is not that of `lan`.
    Preset(Preset),
    /// The program that the node is embedded in.
    Program,
}

/// An origin, and its place among all others: problems are told in this order.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) order: (Layer, usize),
}

/// What overrides what: each the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    File,
    Environment,
    Flags,
    Nowhere,
}

impl Place {
    /// The place of what was set nowhere.
    pub(super) fn nowhere() -> Self {
        Self { origin: Origin::Default, order: (Layer::Nowhere, 0) }
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment { name } => f.write_str(&excerpt(name)),
            Self::File { path, line: 0 } => f.write_str(&excerpt(&path.to_string_lossy())),
            Self::File { path, line } => write!(f, "{}:{line}", excerpt(&path.to_string_lossy())),
            Self::Flag => f.write_str("--set"),
            Self::Preset(preset) => write!(f, "preset {}", preset.name()),
            Self::Program => f.write_str("the program"),
        }
    }
}
