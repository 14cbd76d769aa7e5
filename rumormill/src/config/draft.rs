//! A configuration while it is put together.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
    path::PathBuf,
};

use rumormill_transport_api::{NodeId, Options};

#[cfg(feature = "broker")]
use super::Broker;
use super::{Admission, Config, Preset, key::Key, kind::Kind, table, topic};

/// A configuration in which admission is not settled yet: several keys set parts of it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) admission: Parts,
    /// Those of the broker that the node hosts.
    pub(super) topics: Vec<topic::Draft>,
    /// What one conn to it may publish ahead, if somebody has said how much.
    #[cfg(feature = "broker")]
    pub(super) window: Option<usize>,
}

/// What was said of admission, all of it or too much.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) open: Option<Open>,
    pub(super) nodes: Option<BTreeSet<NodeId>>,
    pub(super) issuers: Option<BTreeSet<NodeId>>,
    pub(super) revocations: Option<Vec<PathBuf>>,
}

/// That anybody may be a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open;

impl Draft {
    /// The defaults of a preset; cluster and admission are missing.
    pub(super) fn new(preset: Preset) -> Self {
        let config = Config::preset("", Admission::Open, preset);
        Self {
            config,
            admission: Parts::default(),
            topics: Vec::new(),
            #[cfg(feature = "broker")]
            window: None,
        }
    }

    pub(super) fn of(config: Config) -> Self {
        let admission = match config.admission.clone() {
            Admission::Open => Parts { open: Some(Open), ..Parts::default() },
            Admission::Nodes(nodes) => Parts { nodes: Some(nodes), ..Parts::default() },
            Admission::Tickets { issuers, revocations } => {
                let revocations = (!revocations.is_empty()).then_some(revocations);
                Parts { issuers: Some(issuers), revocations, ..Parts::default() }
            }
        };
        Self {
            admission,
            #[cfg(feature = "broker")]
            topics: topic::drafts(&config.broker.config.topics),
            #[cfg(not(feature = "broker"))]
            topics: Vec::new(),
            #[cfg(feature = "broker")]
            window: topic::window_of(&config.broker.config),
            config,
        }
    }

    /// The configuration, once its checks have found nothing.
    pub(super) fn finish(self) -> Config {
        let Parts { nodes, issuers, revocations, .. } = self.admission;
        let admission = match (nodes, issuers) {
            (Some(nodes), _) => Admission::Nodes(nodes),
            (None, Some(issuers)) => {
                Admission::Tickets { issuers, revocations: revocations.unwrap_or_default() }
            }
            (None, None) => Admission::Open,
        };
        Config {
            admission,
            #[cfg(feature = "broker")]
            broker: Broker {
                config: topic::config(self.config.broker.config, self.topics, self.window),
                ..self.config.broker
            },
            ..self.config
        }
    }
}

impl Kind for Draft {
    const SECTIONS: &'static [&'static [Key<Self>]] = table::SECTIONS;

    fn transports(&mut self) -> &mut BTreeMap<Box<str>, Options> {
        &mut self.config.transports
    }

    fn topics(&mut self) -> &mut Vec<topic::Draft> {
        &mut self.topics
    }
}

impl Deref for Draft {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut Config {
        &mut self.config
    }
}
