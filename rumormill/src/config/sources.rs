//! Where a configuration comes from.

use std::{collections::BTreeMap, env, ffi::OsString, path::PathBuf};

use super::{
    file::File,
    findings::Findings,
    kind::Kind,
    layer::{self, Entry},
    place::{Origin, Place},
    value::Value,
};

/// Where a configuration comes from. What comes later overrides what comes before.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A file in TOML.
    pub file: Option<PathBuf>,
    /// Variables of the environment, of which those count that begin with `RUMORMILL__`:
    /// `RUMORMILL__GOSSIP__PACKET` is gossip.packet.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags, each as `key=value`.
    pub flags: Vec<String>,
}

/// A key, its value, and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: Box<str>,
    /// Its value.
    pub value: Value,
    /// Where that comes from.
    pub origin: Origin,
}

/// Where keys were set that were set at all.
pub(super) type Places = BTreeMap<String, Placed>;

/// Where a key was set, and each item of its list.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) place: Place,
    pub(super) items: Vec<Place>,
}

/// Whether all that was to be read could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completeness {
    Whole,
    Partial,
}

impl Sources {
    /// A file, or none; the environment of this process; and flags, each as `key=value`.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        Self { file, environment: env::vars_os().collect(), flags }
    }

    /// What all sources say, each after what it overrides, and whether the file could be read.
    pub(super) fn entries<K: Kind>(&self, findings: &mut Findings) -> (Vec<Entry>, Completeness) {
        let file = match &self.file {
            Some(path) => File::read(path, findings).and_then(|file| file.entries::<K>(findings)),
            None => Some(Vec::new()),
        };
        let completeness = if file.is_some() { Completeness::Whole } else { Completeness::Partial };
        let mut entries = file.unwrap_or_default();
        entries.extend(layer::environment(&self.environment, findings));
        entries.extend(layer::flags(&self.flags, findings));
        (entries, completeness)
    }
}
