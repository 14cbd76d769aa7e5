//! rumormill's endpoint: the same messages, from a node that proves who it is.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_endpoint::{
    Admission, Class, Config, Endpoint, Inboxes, Limits, RequestError, SendError, Signing,
};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, NodeId};
use tokio::{task::yield_now, time::sleep};

use crate::{
    Outcome,
    case::{PING, Rival},
    meter::{Meter, Tally},
    rivals::{ENDS, MORE, PAUSE},
};

/// An endpoint as `rival` has it.
pub(crate) fn start(rival: Rival) -> Outcome<(Endpoint, Inboxes)> {
    let key = SecretKey::generate();
    let registry = Registry::linked()?.with_credentials(key.credentials().into());
    let mut config = Config::new("benches", Admission::Open);
    let messages = if rival == Rival::Single { 1 } else { QUEUE };
    config.outbox = Limits { messages, ..config.outbox };
    if rival == Rival::Trusting {
        config.signing = Signing::UnlessSecure;
    }
    Ok(Endpoint::start(Arc::new(registry), key, config)?)
}

/// Counts messages from the first one on, until a question without content asks whether this is all.
pub(crate) async fn receive(endpoint: Endpoint, mut inboxes: Inboxes) -> Outcome<Tally> {
    let (mut arrived, mut count) = (Vec::new(), 0);
    inboxes.bulk.recv_many(&mut arrived).await.ok_or(CLOSED)?;
    let meter = Meter::start();
    loop {
        for message in arrived.drain(..) {
            match message.question {
                Some(_) if message.bytes.is_empty() => {
                    let tally = meter.stop(count);
                    endpoint.reply(&message, Bytes::new())?;
                    endpoint.close(PATIENCE).await;
                    return Ok(tally);
                }
                Some(_) => endpoint.reply(&message, message.bytes.clone())?,
                None => (),
            }
            count += 1;
        }
        inboxes.bulk.recv_many(&mut arrived).await.ok_or(CLOSED)?;
    }
}

/// Sends whatever the queue takes, and lets the endpoint work when it takes no more.
pub(crate) async fn send(
    endpoint: Endpoint,
    to: &Addr,
    size: usize,
    span: Duration,
) -> Outcome<Tally> {
    let (peer, message) = (endpoint.contact(to).await?, Bytes::from(vec![0x5a; size]));
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        count += fill(&endpoint, peer, &message).await?;
    }
    // What a full queue has taken counts only once it has left.
    while 0 < endpoint.snapshot().class(Class::Bulk).in_flight() {
        yield_now().await;
    }
    let tally = meter.stop(count);
    end(&endpoint, peer).await?;
    endpoint.close(PATIENCE).await;
    Ok(tally)
}

/// Sends until the queue is full, and then lets the endpoint work; tells how many it took.
pub(crate) async fn fill(endpoint: &Endpoint, peer: NodeId, message: &Bytes) -> Outcome<u64> {
    let mut count = 0;
    loop {
        match endpoint.send(peer, Class::Bulk, message.clone()) {
            Ok(()) => count += 1,
            Err(SendError::Full) => break,
            Err(error) => return Err(error.into()),
        }
    }
    give_way(count).await;
    Ok(count)
}

pub(crate) async fn ping(endpoint: Endpoint, to: &Addr, span: Duration) -> Outcome<Tally> {
    let (peer, question) = (endpoint.contact(to).await?, Bytes::from(vec![MORE; PING]));
    endpoint.request(peer, question.clone(), PATIENCE).await?;
    let (meter, mut count) = (Meter::start(), 1);
    while meter.elapsed() < span {
        endpoint.request(peer, question.clone(), PATIENCE).await?;
        count += 1;
    }
    let tally = meter.stop(count);
    end(&endpoint, peer).await?;
    endpoint.close(PATIENCE).await;
    Ok(tally)
}

/// Lets the endpoint work, until the queue has room for more than a few messages.
#[expect(clippy::disallowed_methods, reason = "asking all the time takes what signing needs")]
async fn give_way(sent: u64) {
    match sent {
        0 | 1 => yield_now().await,
        _ => sleep(PAUSE).await,
    }
}

/// Asks whether this was all; again where the question or its answer may get lost.
async fn end(endpoint: &Endpoint, peer: NodeId) -> Outcome<()> {
    for _ in 0..ENDS {
        match endpoint.request(peer, Bytes::new(), PATIENCE / ENDS as u32).await {
            Ok(_) => return Ok(()),
            Err(RequestError::Uncertain) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err("the peer does not say that it has got everything".into())
}

/// Messages that wait: more than leave within a pause.
const QUEUE: usize = 16 << 10;
const CLOSED: &str = "the endpoint was closed";
/// More than an answer takes.
const PATIENCE: Duration = Duration::from_secs(5);
