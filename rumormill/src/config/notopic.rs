//! Topics, in a build without brokers: there are none.

use super::{
    change::Difference,
    checks::Checks,
    key::{Key, Reload},
    kind::Kind,
    layer::Entry,
    reading::Reading,
};

/// A topic, of which there is none.
#[derive(Clone, Debug)]
pub(super) enum Draft {}

pub(super) fn is_list(_: &str) -> bool {
    false
}

pub(super) fn split(_: &str) -> Option<(usize, Option<&str>)> {
    None
}

pub(super) fn path(_: usize, name: &str) -> String {
    name.into()
}

pub(super) fn canonical(path: String) -> String {
    path
}

pub(super) fn differences(_: &mut [Draft], _: &mut [Draft]) -> Vec<(Reload, Difference)> {
    Vec::new()
}

impl<K: Kind> Reading<'_, K> {
    /// The entry, which is of no topic.
    pub(super) fn take_topic(&mut self, entry: Entry) -> Option<Entry> {
        Some(entry)
    }
}

impl<K: Kind> Checks<'_, K> {
    pub(super) fn check_topics(&mut self) {}
}

pub(super) const KEYS: &[Key<Draft>] = &[];
pub(super) const LIST: &str = "topics";
