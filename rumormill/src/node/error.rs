//! Why a node does not start, or does not change.

use rumormill_endpoint::Error as EndpointError;
use rumormill_gossip::ProfileError;
use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{Addr, NodeId};

use crate::config::{Error as ConfigError, NeedsRestart};

/// Why a node did not start. It leaves nothing open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its administration cannot listen.
    #[cfg(feature = "admin")]
    #[error(transparent)]
    Admin(#[from] crate::admin::Error),
    /// The broker that it is to host refused its topics or limits.
    #[cfg(feature = "broker")]
    #[error(transparent)]
    Broker(#[from] rumormill_broker::ConfigError),
    /// The broker that it is to host cannot listen.
    #[cfg(feature = "broker")]
    #[error("the broker that it hosts does not start")]
    BrokerListen(#[from] crate::hub::NotListening),
    /// What it was told cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The endpoint refused its settings.
    #[error(transparent)]
    Endpoint(Box<EndpointError>),
    /// It cannot listen there.
    #[error("cannot listen at {addr}")]
    Listen {
        /// Where.
        addr: Addr,
        /// Why.
        source: Box<EndpointError>,
    },
    /// It is to have administration, and this build has none.
    #[cfg(not(feature = "admin"))]
    #[error(transparent)]
    NoAdmin(#[from] super::NoAdmin),
    /// It listens at any address, and nobody could be told which ones it has.
    #[error(
        "{addr} is any address, and this machine has no route out that would tell one; set advertise \
         to where others reach this node"
    )]
    Nowhere {
        /// Where it listens.
        addr: Addr,
    },
    /// What it would say of itself is more than a record holds.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A transport refused its settings, or two have one name.
    #[error(transparent)]
    Registry(Box<RegistryError>),
}

impl From<EndpointError> for StartError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error.into())
    }
}

impl From<RegistryError> for StartError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error.into())
    }
}

/// Why a running node did not take over a configuration. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The file of its key holds another one.
    #[error("nothing was changed: the key of node.identity is now that of {0}; start it anew")]
    AnotherKey(NodeId),
    /// The broker that it hosts refused its topics or limits.
    #[cfg(feature = "broker")]
    #[error("nothing was changed")]
    Broker(#[from] rumormill_broker::ConfigError),
    /// Some of it can change only with a restart.
    #[error(transparent)]
    NeedsRestart(#[from] NeedsRestart),
    /// The node has left.
    #[error("nothing was changed: the node has left")]
    Over,
    /// What it would say of itself cannot be said.
    #[error("nothing was changed")]
    Profile(#[from] StartError),
}

impl From<ProfileError> for ReloadError {
    fn from(error: ProfileError) -> Self {
        Self::Profile(error.into())
    }
}
