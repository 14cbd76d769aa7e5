//! Where the messages of a topic go in.

use std::sync::Arc;

use tokio::time::timeout;

use super::{
    fate::{Receipt, Submitted},
    handle::Handle,
    lane::Wants,
};
use crate::{PublishError, TopicName};

/// Publishes to one topic. Cheap to clone; all publishers of a topic and client share one order.
#[derive(Clone, Debug)]
pub struct Publisher {
    handle: Arc<Handle>,
    topic: TopicName,
    lane: usize,
}

impl Publisher {
    pub(super) fn new(handle: Arc<Handle>, topic: TopicName) -> Self {
        let lane = handle.shared().outbox().lane(&topic);
        Self { handle, topic, lane }
    }

    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Publishes a message, which is copied, and forgets it. It never waits: the message is sent as
    /// soon as it can be, together with what is published meanwhile, and what becomes of it shows in
    /// [`events`](crate::Client::events) and [`stats`](crate::Client::stats) only.
    ///
    /// # Errors
    /// [`PublishError::Full`], [`TooLarge`](PublishError::TooLarge),
    /// [`Refused`](PublishError::Refused) and [`Closed`](PublishError::Closed). Nothing was taken.
    pub fn publish(&self, message: impl AsRef<[u8]>) -> Result<(), PublishError> {
        self.handle.shared().publish(self.lane, message.as_ref(), Wants::Nothing).map(drop)
    }

    /// As [`publish`](Self::publish), but waits while as much waits to be sent as may.
    ///
    /// It may wait as long as there is no broker. Cancel-safe: nothing was taken.
    ///
    /// # Errors
    /// Those of `publish`, but not `Full`.
    pub async fn publish_when_room(&self, message: impl AsRef<[u8]>) -> Result<(), PublishError> {
        let message = message.as_ref();
        self.when_room(|| self.publish(message)).await
    }

    /// Publishes a message, and wants to hear that it has arrived. It never waits, so that any number
    /// may be on their way: the result is a future of the [`Receipt`].
    ///
    /// # Errors
    /// As for [`publish`](Self::publish); what happens later is told by the future.
    pub fn submit(&self, message: impl AsRef<[u8]>) -> Result<Submitted, PublishError> {
        let shared = self.handle.shared();
        let submitted = shared.publish(self.lane, message.as_ref(), Wants::Receipt)?;
        submitted.ok_or(PublishError::Closed)
    }

    /// As [`submit`](Self::submit), but waits while as much waits to be sent as may.
    ///
    /// It may wait as long as there is no broker. Cancel-safe: nothing was taken.
    ///
    /// # Errors
    /// Those of `submit`, but not `Full`.
    pub async fn submit_when_room(
        &self,
        message: impl AsRef<[u8]>,
    ) -> Result<Submitted, PublishError> {
        let message = message.as_ref();
        self.when_room(|| self.submit(message)).await
    }

    /// Publishes a message and waits until it has arrived, at most twice as long as
    /// [`ClientConfig::acknowledge`](crate::ClientConfig::acknowledge).
    ///
    /// Not cancel-safe: whether the message is published is then not known.
    ///
    /// # Errors
    /// Any but `Full` and `Unsent` says what became of the message; [`PublishError::Uncertain`] that
    /// nobody knows.
    pub async fn publish_acknowledged(
        &self,
        message: impl AsRef<[u8]>,
    ) -> Result<Receipt, PublishError> {
        let submitted = self.submit(message)?;
        let patience = 2 * self.handle.shared().config.acknowledge;
        timeout(patience, submitted).await.unwrap_or(Err(PublishError::Uncertain))
    }

    async fn when_room<T>(
        &self,
        publish: impl Fn() -> Result<T, PublishError>,
    ) -> Result<T, PublishError> {
        let shared = self.handle.shared();
        loop {
            match publish() {
                Err(PublishError::Full) => (),
                done => return done,
            }
            let mut room = std::pin::pin!(shared.room.notified());
            room.as_mut().enable();
            shared.outbox().want_room();
            match publish() {
                Err(PublishError::Full) => room.await,
                done => return done,
            }
        }
    }
}
