//! What a changed configuration means to a node that runs.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_transport_api::Options;

use super::{
    Config,
    draft::Draft,
    key::{self, Reload},
    kind::Kind,
    topic,
    value::Value,
};

/// What is different between two configurations, by what a running node can do about it.
///
/// A reload is a transaction: either all of it is live ([`into_live`](Self::into_live)), or nothing is changed. Files that
/// a configuration names are read at each reload, whether or not their names have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What takes effect while the node runs.
    pub live: Vec<Difference>,
    /// What takes effect when it is started again.
    pub restart: Vec<Difference>,
}

/// A key whose value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: Box<str>,
    /// Its value before; `None` if it had none.
    pub from: Option<Value>,
    /// Its value now; `None` if it has none.
    pub to: Option<Value>,
}

/// A running node cannot do what was asked. It does nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was changed: {} can change only with a restart", .keys.join(", "))]
pub struct NeedsRestart {
    /// The keys because of which.
    pub keys: Vec<Box<str>>,
}

impl Change {
    /// What is different in `new`.
    pub fn between(old: &Config, new: &Config) -> Self {
        Self::of(Draft::of(old.clone()), Draft::of(new.clone()))
    }

    pub(super) fn of<K: Kind>(mut old: K, mut new: K) -> Self {
        let mut change = Self::default();
        for key in key::all() {
            let (from, to) = (key.slot.show(&mut old), key.slot.show(&mut new));
            if from != to {
                change.add(key.reload, Difference { key: key.path.into(), from, to });
            }
        }
        for (reload, difference) in topic::differences(old.topics(), new.topics()) {
            change.add(reload, difference);
        }
        change.restart.extend(of_transports(old.transports(), new.transports()));
        change
    }

    fn add(&mut self, reload: Reload, difference: Difference) {
        match reload {
            Reload::Live => self.live.push(difference),
            Reload::Restart => self.restart.push(difference),
        }
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    /// What to do about it while the node runs: all, or nothing.
    ///
    /// # Errors
    /// [`NeedsRestart`] if anything is different that a running node cannot change.
    pub fn into_live(self) -> Result<Vec<Difference>, NeedsRestart> {
        match self.restart.is_empty() {
            true => Ok(self.live),
            false => {
                Err(NeedsRestart { keys: self.restart.into_iter().map(|it| it.key).collect() })
            }
        }
    }
}

type Transports = BTreeMap<Box<str>, Options>;

/// Transports are built once.
fn of_transports(old: &Transports, new: &Transports) -> Vec<Difference> {
    let value = |transports: &Transports, scheme: &str, name: &str| {
        transports.get(scheme).and_then(|options| options.get(name)).map(Value::text)
    };
    let all = [old, new].into_iter().flatten();
    let names =
        all.flat_map(|(scheme, options)| options.iter().map(move |(name, _)| (scheme, name)));
    let names: BTreeSet<_> = names.collect();
    let differences = names.into_iter().map(|(scheme, name)| Difference {
        key: key::option_path(scheme, name).into(),
        from: value(old, scheme, name),
        to: value(new, scheme, name),
    });
    differences.filter(|difference| difference.from != difference.to).collect()
}
