//! What is particular about the configuration of a broker.

use std::path::PathBuf;

use rumormill::{
    Registry,
    config::{
        self, Setting, Sources,
        broker::{Config, Loaded},
    },
};

use crate::cli::node::settings::{Kind, Read, Settings};

impl Kind for Loaded {
    const NO_FILE: &str = "\
no file was read: name one by --config or RUMORMILL_CONFIG, as `rumormill config default --broker` writes it, or \
try `rumormill broker --topic events`";

    fn load(sources: &Sources, registry: &Registry) -> Read<Self> {
        sources.load_broker(registry)
    }

    fn settings(&self) -> Vec<Setting> {
        self.settings()
    }

    fn admin(&mut self) -> &mut config::Admin {
        &mut self.config.admin
    }

    #[cfg(feature = "admin")]
    fn default_socket() -> PathBuf {
        rumormill::admin::default_broker_socket()
    }
}

impl Settings<Loaded> {
    /// The files of which each change counts.
    pub(super) fn files(&self, config: &Config) -> Vec<PathBuf> {
        self.with_file(config.admin.token.clone())
    }
}
