//! How a node starts.

use std::{
    sync::{Arc, Mutex, RwLock, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
#[cfg(feature = "broker")]
use rumormill_broker::Broker;
use rumormill_endpoint::{Endpoint, Inbox, Inboxes};
use rumormill_gossip::{Gossip, Profile};
use rumormill_registry::Registry;
use rumormill_transport_api::Addr;
use tokio::sync::{OnceCell, watch};

#[cfg(feature = "broker")]
use super::Hosted;
use super::{Administered, Inner, Node, StartError, joining::Joining, places};
use crate::config::{Config, Loaded};

impl Node {
    /// Starts a node with the transports of this program. What applications on other nodes send to it
    /// arrives in the inbox. Returns once it listens; [`ready`](Self::ready) waits until it has joined.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left open.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing open.
    pub async fn start(config: Config) -> Result<(Self, Inbox), StartError> {
        let registry = crate::registry()?;
        let loaded = Loaded::of(config, &registry)?;
        Self::start_with(registry, &loaded).await
    }

    /// The same with transports of one's own choice, of which none has been built, and a configuration
    /// that was checked.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    ///
    /// # Cancel safety
    /// As for [`start`](Self::start).
    pub async fn start_with(
        registry: Registry,
        loaded: &Loaded,
    ) -> Result<(Self, Inbox), StartError> {
        let Loaded { config, files, .. } = loaded;
        config.configure(&registry)?;
        let registry = Arc::new(registry.with_credentials(files.key.credentials().into()));
        let (endpoint, inboxes) =
            Endpoint::start(registry.clone(), files.key.clone(), config.endpoint(files))?;
        let endpoint = Arc::new(endpoint);
        let started = Self::over(endpoint.clone(), inboxes, registry, loaded).await;
        if started.is_err() {
            // Whoever tries again at once finds its addresses free.
            endpoint.close(Duration::ZERO).await;
        }
        started
    }

    /// A node over an endpoint that does not listen yet. If there is none, the endpoint is still open.
    async fn over(
        endpoint: Arc<Endpoint>,
        inboxes: Inboxes,
        registry: Arc<Registry>,
        loaded: &Loaded,
    ) -> Result<(Self, Inbox), StartError> {
        let Loaded { config, files, .. } = loaded;
        let addresses = listen(&endpoint, &config.listen).await?;
        if !config.reach.loopback
            && let Some(addr) = addresses.iter().find(|addr| places::is_loopback(addr))
        {
            tracing::warn!(%addr, "members are not dialled on the loopback; for a cluster on one machine set reach.loopback, or the preset local");
        }
        #[cfg(feature = "broker")]
        let broker = hosted(registry.clone(), loaded).await?;
        let profile = profile(config, &addresses, Bytes::copy_from_slice(metadata(config)))?;
        let Inboxes { control, gossip, bulk } = inboxes;
        let gossip = Gossip::start(
            endpoint.clone(),
            [control, gossip],
            config.gossip.clone(),
            profile.clone(),
            None,
        )?;
        let gossip = Arc::new(gossip);
        let (join, wanted) = watch::channel(config.join.clone());
        let (joined, is_ready) = watch::channel(false);
        let joining = Joining {
            gossip: gossip.clone(),
            registry: registry.clone(),
            own: addresses.iter().chain(&config.advertise).cloned().collect(),
            within: config.endpoint.timeouts.dial,
            wanted,
            joined,
        };
        let inner = Inner {
            endpoint,
            gossip,
            #[cfg(feature = "broker")]
            broker,
            addresses,
            registry,
            config: Mutex::new(config.clone()),
            profile: tokio::sync::Mutex::new(profile),
            token: RwLock::new(files.token.clone()),
            join,
            is_ready,
            joining: tokio::spawn(joining.keep()).abort_handle(),
            is_over: AtomicBool::new(false),
            farewell: OnceCell::new(),
            over: watch::Sender::new(false),
            administered: Administered::default(),
        };
        let node = Self(Arc::new(inner));
        let weak = node.downgrade();
        node.0.administered.begin(move || weak.upgrade(), &config.admin).await?;
        Ok((node, bulk))
    }
}

/// Listens at all addresses, or at none.
async fn listen(endpoint: &Endpoint, addrs: &[Addr]) -> Result<Vec<Addr>, StartError> {
    let mut bound = Vec::with_capacity(addrs.len());
    for addr in addrs {
        let at = endpoint.listen(addr).await;
        bound.push(
            at.map_err(|source| StartError::Listen { addr: addr.clone(), source: source.into() })?,
        );
    }
    Ok(bound)
}

/// The broker that the node hosts, if it is to.
#[cfg(feature = "broker")]
async fn hosted(registry: Arc<Registry>, loaded: &Loaded) -> Result<Option<Hosted>, StartError> {
    let Loaded { config, files, .. } = loaded;
    if config.broker.listen.is_empty() {
        return Ok(None);
    }
    let broker = Broker::start(registry, Some(files.key.clone()), config.broker.config.clone())?;
    let addresses = crate::hub::listen(&broker, &config.broker.listen).await?;
    Ok(Some(Hosted { broker, addresses }))
}

/// What the node says of itself.
pub(super) fn profile(
    config: &Config,
    bound: &[Addr],
    metadata: Bytes,
) -> Result<Profile, StartError> {
    let addresses = places::advertised(&config.advertise, bound)?;
    let profile = Profile { name: config.node.name.clone(), addresses, metadata };
    profile.check()?;
    Ok(profile)
}

pub(super) fn metadata(config: &Config) -> &[u8] {
    config.node.metadata.as_bytes()
}
