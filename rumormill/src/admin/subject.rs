//! The node, as far as its administration needs it; a stand-in in tests.

use std::time::Duration;

use bytes::Bytes;
use rumormill_endpoint::{RequestError, SendError};
use rumormill_gossip::{BroadcastError, Event, JoinError, MemberInfo, RumorId, Rumors};
use rumormill_transport_api::{Addr, NodeId};
use tokio::sync::broadcast;

use crate::{
    config::Token,
    node::{Farewell, Metrics, Node},
};

/// The node, as far as its administration needs it.
pub(crate) trait Subject: Send + Sync + 'static {
    fn about(&self) -> About;
    fn members(&self) -> Vec<MemberInfo>;
    fn metrics(&self) -> Metrics;
    /// What whoever asks by TCP has to know.
    fn token(&self) -> Option<Token>;
    /// The longest message in bytes.
    fn longest(&self) -> usize;
    fn events(&self) -> broadcast::Receiver<Event>;
    /// `None` if there is nothing to hear.
    fn rumors(&self) -> Option<Rumors>;
    fn broadcast(
        &self,
        bytes: Bytes,
    ) -> impl Future<Output = Result<RumorId, BroadcastError>> + Send;
    fn send(&self, to: NodeId, bytes: Bytes) -> Result<(), SendError>;
    fn request(
        &self,
        to: NodeId,
        bytes: Bytes,
        deadline: Duration,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send;
    /// The broker that it hosts.
    #[cfg(feature = "broker")]
    fn broker(&self) -> Option<rumormill_broker::Broker> {
        None
    }
    fn join(&self, addr: &Addr) -> impl Future<Output = Result<NodeId, JoinError>> + Send;
    fn leave(&self) -> impl Future<Output = Farewell> + Send;
}

/// Who a node is.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(super) node: NodeId,
    pub(super) name: Box<str>,
    pub(super) cluster: Box<str>,
    pub(super) addresses: Vec<Addr>,
    pub(super) is_ready: bool,
}

impl Subject for Node {
    fn about(&self) -> About {
        About {
            node: self.id(),
            name: self.name(),
            cluster: self.cluster().into(),
            addresses: self.addresses(),
            is_ready: self.is_ready(),
        }
    }

    fn members(&self) -> Vec<MemberInfo> {
        self.members()
    }

    fn metrics(&self) -> Metrics {
        self.metrics()
    }

    fn token(&self) -> Option<Token> {
        self.token()
    }

    fn longest(&self) -> usize {
        self.endpoint().max_message()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events()
    }

    fn rumors(&self) -> Option<Rumors> {
        Some(self.rumors())
    }

    async fn broadcast(&self, bytes: Bytes) -> Result<RumorId, BroadcastError> {
        self.broadcast(bytes).await
    }

    fn send(&self, to: NodeId, bytes: Bytes) -> Result<(), SendError> {
        self.send(to, bytes)
    }

    async fn request(
        &self,
        to: NodeId,
        bytes: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        self.request(to, bytes, deadline).await
    }

    #[cfg(feature = "broker")]
    fn broker(&self) -> Option<rumormill_broker::Broker> {
        self.broker().cloned()
    }

    async fn join(&self, addr: &Addr) -> Result<NodeId, JoinError> {
        self.join(addr).await
    }

    async fn leave(&self) -> Farewell {
        self.leave().await
    }
}
