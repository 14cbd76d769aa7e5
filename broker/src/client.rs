//! A broker's client: publishes and subscribes over one conn, which it opens again when it is lost.

mod config;
mod error;
mod report;

mod publisher;
mod subscription;

mod handle;
mod run;

mod greet;
mod outbox;
mod subscriptions;

mod fate;
mod inbox;
mod lane;
mod runs;
mod tally;

use std::{sync::Arc, time::Duration};

use rumormill_registry::Registry;
use rumormill_transport_api::Addr;
use tokio::sync::broadcast;

pub use config::{ClientConfig, Settle, SubscribeOptions};
pub use error::{ConnectError, Ended, GreetError, PublishError, SubscribeError};
pub use fate::{Receipt, Submitted};
pub use publisher::Publisher;
pub use report::{ClientEvent, ClientReport, ClientStats};
pub use run::Lost;
pub use subscription::{Delivery, Gap, Incoming, Subscription};

use crate::TopicName;
use handle::{FIRST, Handle, Shared};
use inbox::Inbox;

/// A conn to a broker that comes back when it is lost. Cheap to clone.
///
/// It lives until [`close`](Self::close), or until it and all its [`Publisher`]s and
/// [`Subscription`]s are dropped: then what was not sent is lost.
///
/// What is published waits, within [`ClientConfig::buffer`], while there is no broker. It remembers
/// each topic that it was given until it ends.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

impl Client {
    /// Connects to the first of the addresses at which a broker answers, each tried once. Whenever the
    /// conn is lost, all are tried in turn, again and again.
    ///
    /// Cancel-safe: whatever was opened is closed.
    ///
    /// # Errors
    /// [`ConnectError`], with what happened at each address.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub async fn connect(
        registry: Arc<Registry>,
        addrs: impl IntoIterator<Item = Addr>,
        config: ClientConfig,
    ) -> Result<Self, ConnectError> {
        let addrs: Vec<Addr> = addrs.into_iter().collect();
        let greeted = greet::first_of(&registry, &addrs, &config).await?;
        let shared = Arc::new(Shared::new(registry, addrs, config));
        shared.opened(&greeted, FIRST);
        Ok(Self { handle: Arc::new(Handle::start(shared, greeted)) })
    }

    /// Where messages to this topic go in. That there is such a topic shows with the first message.
    pub fn publisher(&self, topic: TopicName) -> Publisher {
        Publisher::new(Arc::clone(&self.handle), topic)
    }

    /// Subscribes to a topic, as soon as there is a conn, and waits for the broker's answer, as long as
    /// [`Timeouts::read`](rumormill_transport_api::Timeouts::read).
    ///
    /// Cancel-safe: no subscription is left behind.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(
        &self,
        topic: TopicName,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let config = &self.handle.shared().config;
        if !self.handle.shared().outbox().is_open() {
            return Err(SubscribeError::Closed);
        }
        let inbox = Inbox::new(topic.clone(), options.window.unwrap_or(config.window));
        let inbox = Arc::new(inbox);
        if !self.handle.enter(&inbox) {
            return Err(SubscribeError::Already(topic));
        }
        let begun = Subscription::begin(Arc::clone(&self.handle), inbox, options.settle).await;
        let answer = begun.ok_or(SubscribeError::Timeout(config.timeouts.read))?;
        answer.map_err(|ended| subscription::never_began(ended, &topic))
    }

    /// What happens to the client from now on. A listener that is slow misses the oldest.
    pub fn events(&self) -> broadcast::Receiver<ClientEvent> {
        self.handle.shared().events.subscribe()
    }

    /// What became of what was published, so far.
    pub fn stats(&self) -> ClientStats {
        self.handle.shared().stats()
    }

    /// Takes nothing more, sends what waits, and waits until the broker has told what became of what
    /// was acknowledged, and has read the rest. Subscriptions end; what they have received can still
    /// be taken.
    ///
    /// A fire-and-forget message for which a topic that blocks had no room yet is lost with the conn.
    ///
    /// If the future is dropped, the client goes on closing until its last handle is dropped.
    pub async fn close(&self, deadline: Duration) -> ClientReport {
        self.handle.close(deadline).await;
        self.handle.end()
    }
}
