//! What a client of rumormill's broker does.

use std::{sync::Arc, time::Duration};

use rumormill_broker::{
    self as broker, Client, ClientConfig, Incoming, PublishError, SubscribeOptions, Subscription,
    TopicName,
};
use rumormill_registry::Registry;
use rumormill_transport_api::Addr;

use crate::{
    Outcome,
    cell::Cell,
    run::{Taker, put_head},
};

/// Publishes message by message.
pub(crate) struct Publisher {
    client: Client,
    publisher: broker::Publisher,
    message: Box<[u8]>,
}

impl Publisher {
    pub(crate) async fn connect(server: &Addr, topic: TopicName, cell: Cell) -> Outcome<Self> {
        let client = connect(server).await?;
        let publisher = client.publisher(topic);
        Ok(Self { client, publisher, message: vec![b'.'; cell.size].into() })
    }

    /// Publishes `count` messages from number `first` on.
    pub(crate) async fn publish(&mut self, first: u64, count: u64, due: u64) -> Outcome<()> {
        for seq in first..first + count {
            put_head(&mut self.message, seq, due);
            match self.publisher.publish(&self.message) {
                Err(PublishError::Full) => {
                    self.publisher.publish_when_room(&self.message).await?;
                }
                done => done?,
            }
        }
        // It shares its thread with what writes.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Waits until the broker has everything, and hears whether it minds something.
    pub(crate) async fn finish(self) -> Outcome<()> {
        let stats = self.client.stats();
        let report = self.client.close(Duration::from_secs(10)).await;
        match report.unsent == 0 && report.uncertain == 0 && stats.refused.is_empty() {
            true => Ok(()),
            false => Err(format!("the client ends with {report:?}, {stats:?}").into()),
        }
    }
}

/// A subscriber, until it is dropped.
pub(crate) struct Subscriber {
    client: Client,
    subscription: Subscription,
}

impl Subscriber {
    pub(crate) async fn connect(server: &Addr, topic: TopicName) -> Outcome<Self> {
        let client = connect(server).await?;
        let subscription = client.subscribe(topic, SubscribeOptions::default()).await?;
        Ok(Self { client, subscription })
    }

    /// Hands all messages to `taker` until the subscription ends.
    pub(crate) async fn run(&mut self, taker: &mut Taker<'_>) -> Outcome<()> {
        while let Some(incoming) = self.subscription.next().await {
            match incoming {
                Incoming::Message(delivery) => taker.take(&delivery.payload),
                Incoming::Gap(_) => taker.wrong(),
            }
        }
        Ok(())
    }

    /// Says that it is done with everything: what a queue does not hear of, the next taker gets.
    pub(crate) async fn finish(self) {
        self.subscription.unsubscribe().await;
        // It has published nothing of which the report could tell.
        let _ = self.client.close(Duration::from_secs(1)).await;
    }
}

pub(crate) async fn connect(server: &Addr) -> Outcome<Client> {
    connect_as(server, ClientConfig::default()).await
}

pub(crate) async fn connect_as(server: &Addr, config: ClientConfig) -> Outcome<Client> {
    let registry = Arc::new(Registry::linked()?);
    Ok(Client::connect(registry, [server.clone()], config).await?)
}
