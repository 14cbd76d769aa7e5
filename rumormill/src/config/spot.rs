//! What takes a value: a key, or a key of one of the topics.

use super::{
    key::{self, Key},
    kind::Kind,
    rule::Wrong,
    topic,
    value::Value,
    written::Written,
};

/// What takes a value.
pub(super) enum Spot<K: 'static> {
    Key(&'static Key<K>),
    /// Of the topic with this number, from 0.
    OfTopic(usize, &'static Key<topic::Draft>),
}

impl<K: Kind> Spot<K> {
    pub(super) fn find(path: &str) -> Option<Self> {
        let of_topic = || {
            let (at, name) = topic::split(path)?;
            let key = topic::KEYS.iter().find(|key| Some(key.path) == name)?;
            Some(Self::OfTopic(at, key))
        };
        key::find(path).map(Self::Key).or_else(of_topic)
    }

    /// All of a configuration, in the order in which people read of them.
    pub(super) fn all(draft: &mut K) -> Vec<Self> {
        let topics = 0..draft.topics().len();
        let of_topics = topics.flat_map(|at| topic::KEYS.iter().map(move |key| (at, key)));
        let of_topics = of_topics.map(|(at, key)| Self::OfTopic(at, key));
        key::all().map(Self::Key).chain(of_topics).collect()
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Key(key) => key.path.into(),
            Self::OfTopic(at, key) => topic::path(*at, key.path),
        }
    }

    pub(super) fn read(&self, from: &Written, into: &mut K) -> Vec<Wrong> {
        match self {
            Self::Key(key) => key.slot.read(from, into),
            Self::OfTopic(at, key) => {
                let topic = into.topics().get_mut(*at);
                topic.map_or_else(Vec::new, |topic| key.slot.read(from, topic))
            }
        }
    }

    pub(super) fn show(&self, draft: &mut K) -> Option<Value> {
        match self {
            Self::Key(key) => key.slot.show(draft),
            Self::OfTopic(at, key) => key.slot.show(draft.topics().get_mut(*at)?),
        }
    }
}
