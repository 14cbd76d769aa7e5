//! A key of the table, and how to find one.

use rumormill_transport_api::{excerpt, nearest};

use super::{kind::Kind, rule::Slot, topic};

/// All that is known of a key of such configurations, or of a part of them.
pub(super) struct Key<K: 'static> {
    pub(super) path: &'static str,
    /// Meaning, in a sentence or two.
    pub(super) doc: &'static str,
    pub(super) reload: Reload,
    pub(super) slot: &'static dyn Slot<K>,
}

/// What becomes of a change while the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// It takes effect.
    Live,
    /// It takes effect with the next start.
    Restart,
}

/// The keys of one section, written as rows: path, what becomes of a change, rule, field, doc.
macro_rules! keys {
    ($kind:ty: $($path:expr, $reload:ident $rule:expr, |$draft:ident| $field:expr, $doc:literal;)*) => {
        &[$($crate::config::key::Key {
            path: $path,
            doc: $doc,
            reload: $crate::config::key::Reload::$reload,
            slot: &$crate::config::rule::Field::<_, $kind> { rule: $rule, of: |$draft| &mut $field },
        }),*]
    };
}
pub(super) use keys;

impl<K> Key<K> {
    /// The part before the last dot; empty for keys that stand before all sections.
    pub(super) fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The part behind it.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// All keys, in the order in which people read of them.
pub(super) fn all<K: Kind>() -> impl Iterator<Item = &'static Key<K>> {
    K::SECTIONS.iter().copied().flatten()
}

pub(super) fn find<K: Kind>(path: &str) -> Option<&'static Key<K>> {
    all().find(|key| key.path == path)
}

/// Whether there are keys below `path`, or could be: of a transport, say.
pub(super) fn is_section<K: Kind>(path: &str) -> bool {
    let holds =
        |key: &Key<K>| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    all().any(holds) || of_transport(path).is_some_and(|(_, option)| option.is_none())
}

/// The scheme, and the option if there is one, if `path` begins as all options of transports do.
pub(super) fn of_transport(path: &str) -> Option<(Option<&str>, Option<&str>)> {
    let rest = match path.strip_prefix(TRANSPORTS)? {
        "" => return Some((None, None)),
        rest => rest.strip_prefix('.')?,
    };
    Some(match rest.rsplit_once('.') {
        // A scheme may have dots, an option has none.
        Some((scheme, option)) => (Some(scheme), Some(option)),
        None => (Some(rest), None),
    })
}

/// The key of an option of a transport.
pub(super) fn option_path(scheme: &str, option: &str) -> String {
    format!("{TRANSPORTS}.{scheme}.{option}")
}

/// A key as errors name it: shortened and escaped, but for the quotes of its parts.
pub(super) fn shown(path: &str) -> String {
    match path {
        "" => "\"\"".into(),
        path => excerpt(path).replace("\\\"", "\""),
    }
}

/// A key below a section.
pub(super) fn example_in<K: Kind>(section: &str) -> String {
    let below = |key: &&Key<K>| key.path.starts_with(&format!("{section}."));
    match all().find(below) {
        Some(key) => key.path.into(),
        None => option_path("tcp", "nodelay"),
    }
}

/// The key or section that was probably meant by `path`; of a topic, by its name alone.
pub(super) fn nearest_to<K: Kind>(path: &str) -> Option<&'static str> {
    if let Some((_, name)) = topic::split(path) {
        let known: Vec<_> = topic::KEYS.iter().map(|key| key.path).collect();
        return nearest(name?, &known);
    }
    let mut known: Vec<_> = all::<K>().map(|key| key.path).collect();
    known.extend(all::<K>().map(Key::section).filter(|section| !section.is_empty()));
    known.extend((!topic::KEYS.is_empty()).then_some(topic::LIST));
    let all = || all::<K>().map(|key| key.path);
    let same_name = || all().find(|known| known.ends_with(&format!(".{path}")));
    nearest(path, &known).or_else(same_name)
}

pub(super) const TRANSPORTS: &str = "transports";
