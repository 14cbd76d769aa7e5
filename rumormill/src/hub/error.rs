//! Why a broker does not start, or does not change.

use rumormill_broker::ConfigError as BrokerConfigError;
use rumormill_registry::Error as RegistryError;

pub use super::listening::NotListening;
use crate::config::{Error as ConfigError, NeedsRestart};

/// Why a broker did not start. It leaves nothing open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The path of its socket is no address.
    #[error(transparent)]
    Address(rumormill_transport_api::Error),
    /// Its administration cannot listen.
    #[cfg(feature = "admin")]
    #[error(transparent)]
    Admin(#[from] crate::admin::Error),
    /// The broker refused its topics or limits.
    #[error(transparent)]
    Broker(#[from] BrokerConfigError),
    /// What it was told cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot listen there.
    #[error(transparent)]
    Listen(#[from] NotListening),
    /// It is to have administration, and this build has none.
    #[cfg(not(feature = "admin"))]
    #[error(transparent)]
    NoAdmin(#[from] crate::node::NoAdmin),
    /// A transport refused its settings, or two have one name.
    #[error(transparent)]
    Registry(Box<RegistryError>),
}

impl From<RegistryError> for StartError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error.into())
    }
}

/// Why a running broker did not take over a configuration. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The broker refused its topics or limits.
    #[error("nothing was changed")]
    Broker(#[from] BrokerConfigError),
    /// Some of it can change only with a restart.
    #[error(transparent)]
    NeedsRestart(#[from] NeedsRestart),
    /// The broker stops, or has stopped.
    #[error("nothing was changed: the broker stops")]
    Over,
}
