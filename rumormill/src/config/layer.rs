//! What one source says: a value for each of some keys.

use std::ffi::OsString;

use rumormill_transport_api::excerpt;

use super::{
    findings::Findings,
    key,
    place::{Layer, Origin, Place},
    problem::Fault,
    topic,
    written::Written,
};

/// A value for a key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key, as it was written: perhaps there is none of this name.
    pub(super) path: String,
    pub(super) place: Place,
    /// The places of the items, if the value is a list.
    pub(super) items: Vec<Place>,
    pub(super) written: Written,
    /// Whether `path` is a section, of which nothing is known.
    pub(super) is_section: bool,
}

impl Entry {
    fn plain(path: String, place: Place, text: &str) -> Self {
        Self { path, place, items: Vec::new(), written: Written::plain(text), is_section: false }
    }
}

/// What the environment says: `RUMORMILL__GOSSIP__PACKET` is gossip.packet.
pub(super) fn environment(
    variables: &[(OsString, OsString)],
    findings: &mut Findings,
) -> Vec<Entry> {
    let ours = |name: &OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let mut variables: Vec<_> = variables.iter().filter(|(name, _)| ours(name)).collect();
    variables.sort();
    variables.dedup_by(|(later, _), (name, _)| later == name);
    let mut entries = Vec::new();
    for (at, (name, text)) in variables.into_iter().enumerate() {
        let name = name.to_string_lossy();
        let origin = Origin::Environment { name: (*name).into() };
        let place = Place { origin, order: (Layer::Environment, at) };
        match text.to_str() {
            Some(text) => entries.push(Entry::plain(path(&name), place, text)),
            None => findings.push(&place, key::shown(&path(&name)), None, not_text()),
        }
    }
    entries
}

/// What flags say, each as `key=value`.
pub(super) fn flags(flags: &[String], findings: &mut Findings) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, flag) in flags.iter().enumerate() {
        let place = Place { origin: Origin::Flag, order: (Layer::Flags, at) };
        let Some((path, text)) = flag.split_once('=') else {
            findings.push(&place, excerpt(flag), None, no_value());
            continue;
        };
        let path = topic::canonical(path.trim().into());
        match entries.iter().any(|entry| entry.path == path) {
            true => findings.push(&place, excerpt(&path), None, Fault::Duplicate),
            false => entries.push(Entry::plain(path, place, text)),
        }
    }
    entries
}

/// The key that a variable is for.
fn path(name: &str) -> String {
    let path = name.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase();
    topic::canonical(path.replace("__", "."))
}

fn not_text() -> Fault {
    Fault::Unreadable { problem: " is not UTF-8; write it in UTF-8".into() }
}

fn no_value() -> Fault {
    Fault::Unreadable { problem: " has no value; write KEY=VALUE".into() }
}

const PREFIX: &str = "RUMORMILL__";
