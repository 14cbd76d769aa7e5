//! A broker's configuration while it is put together.

use std::collections::BTreeMap;

use rumormill_transport_api::Options;

use super::Config;
use crate::config::{key::Key, kind::Kind, table::server, topic};

/// A configuration whose topics are not settled yet.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) config: Config,
    pub(in crate::config) topics: Vec<topic::Draft>,
    /// What a conn may publish ahead, if somebody has said how much.
    pub(in crate::config) window: Option<usize>,
}

impl Draft {
    pub(in crate::config) fn of(config: Config) -> Self {
        let (topics, window) =
            (topic::drafts(&config.broker.topics), topic::window_of(&config.broker));
        Self { config, topics, window }
    }

    /// The configuration, once its checks have found nothing.
    pub(in crate::config) fn finish(self) -> Config {
        let broker = topic::config(self.config.broker, self.topics, self.window);
        Config { broker, ..self.config }
    }
}

impl Kind for Draft {
    const SECTIONS: &'static [&'static [Key<Self>]] = server::SECTIONS;

    fn transports(&mut self) -> &mut BTreeMap<Box<str>, Options> {
        &mut self.config.transports
    }

    fn topics(&mut self) -> &mut Vec<topic::Draft> {
        &mut self.topics
    }
}
