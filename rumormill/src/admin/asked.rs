//! Whoever is administered: a node, or a broker that is none.

use serde_json::{Value, json};

#[cfg(feature = "broker")]
use super::broker;
use super::subject::Subject;
use crate::config::Token;

/// Whoever is administered.
pub(crate) trait Asked: Send + Sync + 'static {
    /// What it is, if it is a node.
    type Node: Subject;
    fn node(&self) -> Option<&Self::Node>;
    /// The broker that it is, or hosts.
    #[cfg(feature = "broker")]
    fn broker(&self) -> Option<rumormill_broker::Broker>;
    /// What whoever asks by TCP has to know.
    fn token(&self) -> Option<Token>;
    fn is_ready(&self) -> bool;
    /// All its numbers, for Prometheus.
    fn page(&self) -> String;
    /// Ends it, and tells what it leaves behind.
    fn leave(&self) -> impl Future<Output = Value> + Send;
}

impl<N: Subject> Asked for N {
    type Node = Self;

    fn node(&self) -> Option<&Self> {
        Some(self)
    }

    #[cfg(feature = "broker")]
    fn broker(&self) -> Option<rumormill_broker::Broker> {
        Subject::broker(self)
    }

    fn token(&self) -> Option<Token> {
        Subject::token(self)
    }

    fn is_ready(&self) -> bool {
        self.about().is_ready
    }

    fn page(&self) -> String {
        let page = Subject::metrics(self).prometheus();
        #[cfg(feature = "broker")]
        let page = match Subject::broker(self) {
            Some(broker) => page + &crate::node::broker_page(&broker.stats()),
            None => page,
        };
        page
    }

    async fn leave(&self) -> Value {
        let farewell = Subject::leave(self).await;
        let told = farewell.leave.map(|report| {
            json!({ "asked": report.asked, "confirmed": report.confirmed, "live": report.live })
        });
        let told = json!({ "leave": told, "unsent": farewell.report.unsent });
        #[cfg(feature = "broker")]
        let told = match farewell.broker {
            Some(report) => with(told, "broker", broker::stopped(&report)),
            None => told,
        };
        told
    }
}

#[cfg(feature = "broker")]
fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

#[cfg(feature = "broker")]
impl Asked for crate::hub::Hub {
    type Node = crate::Node;

    fn node(&self) -> Option<&crate::Node> {
        None
    }

    fn broker(&self) -> Option<rumormill_broker::Broker> {
        Some(Self::broker(self).clone())
    }

    fn token(&self) -> Option<Token> {
        Self::token(self)
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn page(&self) -> String {
        self.prometheus()
    }

    async fn leave(&self) -> Value {
        broker::stopped(&self.stop().await)
    }
}
