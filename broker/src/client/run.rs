//! The tasks of a client: one reads, one writes, and one sees to it that there is a conn.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::{AnyReader, AnyWriter, Batch, Error as CarrierError, Reader, Writer};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    fate::{Outcomes, Receipt},
    greet::{Greeted, first_of},
    handle::{FIRST, Shared},
    inbox::{Arrived, Inbox},
    outbox::Next,
    report::ClientEvent,
    subscription::Gap,
};
use crate::wire::{Answer, Malformed, RefusedWhy};

/// Why a conn was lost.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The carrier broke, or the broker ended the conn.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// The client was closed, and everything was said.
    #[error("the client is closed")]
    Closed,
    /// The broker said something that is no frame of this protocol.
    #[error("the broker breaks the protocol: {0}")]
    Malformed(Malformed),
    /// The broker sent more than a subscription's window.
    #[error("the broker sends more than a subscription takes")]
    Overrun,
    /// A task of the client died.
    #[error("a task of the client died")]
    Panicked,
    /// The broker took nothing for too long.
    #[error("the broker took nothing for {0:?}")]
    Stalled(Duration),
    /// The broker said nothing for too long.
    #[error("the broker said nothing for {0:?}")]
    Silent(Duration),
    /// The broker said something at the wrong moment.
    #[error("the broker says something at the wrong moment")]
    Unexpected,
}

/// Keeps a conn to a broker until the client is closed. Dropping it drops the conn.
pub(super) async fn keep_connected(shared: Arc<Shared>, first: Greeted) {
    let (mut conn, mut attempt) = (FIRST, 0);
    let mut greeted = first;
    loop {
        let since = Instant::now();
        let why = serve(&shared, greeted).await;
        shared.lost(why);
        attempt = if since.elapsed() < SHORT_LIVED { attempt + 1 } else { 1 };
        let Some(next) = reconnect(&shared, &mut attempt).await else { return };
        conn += 1;
        greeted = next;
        shared.opened(&greeted, conn);
    }
}

/// The next broker that answers; `None` if none is needed any more.
async fn reconnect(shared: &Shared, attempt: &mut u32) -> Option<Greeted> {
    loop {
        if shared.outbox().is_done() {
            return None;
        }
        let wait = shared.config.retry.wait(*attempt, &mut rand::rng());
        timeout(wait, shared.closing.notified()).await.ok();
        if shared.outbox().is_done() {
            return None;
        }
        match first_of(&shared.registry, &shared.addrs, &shared.config).await {
            Ok(greeted) => return Some(greeted),
            Err(error) => shared.tell(ClientEvent::Failed { why: Arc::new(error) }),
        }
        *attempt = attempt.saturating_add(1);
    }
}

/// Reads and writes until the conn is lost, or closed. Dropping it ends both.
async fn serve(shared: &Arc<Shared>, greeted: Greeted) -> Lost {
    let Greeted { reader, writer, idle, .. } = greeted;
    let mut halves = JoinSet::new();
    let (reading, writing) =
        (read(Arc::clone(shared), reader, idle), write(Arc::clone(shared), writer));
    halves.spawn(async { (Half::Reader, reading.await) });
    halves.spawn(async { (Half::Writer, writing.await) });
    let Some(Ok((half, why))) = halves.join_next().await else { return Lost::Panicked };
    if half == Half::Writer {
        // What the broker has said counts, also if it reads no more. And to drop unread input would
        // destroy what is still on its way to it.
        let is_closed = matches!(why, Lost::Closed);
        let patience = if is_closed { shared.config.timeouts.read } else { GRACE };
        timeout(patience, halves.join_next()).await.ok();
    }
    halves.shutdown().await;
    why
}

async fn write(shared: Arc<Shared>, mut writer: AnyWriter) -> Lost {
    let (mut batch, patience) = (Batch::default(), shared.config.timeouts.write);
    let linger = shared.config.linger;
    loop {
        let next = gather(&shared, &mut batch);
        let sent = match next {
            Next::Wait(due) => {
                let is_woken = timeout_at(due, shared.wake.notified()).await.is_ok();
                if is_woken && !linger.is_zero() {
                    sleep_until(Instant::now() + linger).await;
                }
                continue;
            }
            Next::Send => timeout(patience, writer.send(&mut batch)).await,
            Next::Close => timeout(patience, writer.close()).await,
        };
        match sent {
            Ok(Ok(())) if next == Next::Close => return Lost::Closed,
            Ok(Ok(())) => (),
            Ok(Err(error)) => return Lost::Carrier(error),
            Err(_) => return Lost::Stalled(patience),
        }
    }
}

fn gather(shared: &Shared, batch: &mut Batch) -> Next {
    let now = Instant::now();
    let mut outcomes = Outcomes::new();
    let (next, has_room) = {
        let mut outbox = shared.outbox();
        (outbox.gather(now, batch, &mut outcomes), outbox.has_room_for_those_who_wait())
    };
    super::fate::settle_all(&mut outcomes);
    if has_room {
        shared.room.notify_waiters();
    }
    next
}

async fn read(shared: Arc<Shared>, mut reader: AnyReader, idle: Duration) -> Lost {
    let mut frames = Vec::new();
    let mut woken = Vec::new();
    loop {
        let Ok(received) = timeout(idle, reader.recv(&mut frames)).await else {
            return Lost::Silent(idle);
        };
        let heard = frames.drain(..).try_for_each(|frame| hear(&shared, &frame, &mut woken));
        woken.drain(..).for_each(|inbox: Arc<Inbox>| inbox.news.notify_one());
        if let Err(lost) = heard {
            return lost;
        }
        if let Err(error) = received {
            return Lost::Carrier(error);
        }
    }
}

/// Does what a frame says; `woken` are those for whom something has arrived.
fn hear(shared: &Shared, frame: &Bytes, woken: &mut Vec<Arc<Inbox>>) -> Result<(), Lost> {
    match Answer::decode(frame)? {
        Answer::Welcome(_) => return Err(Lost::Unexpected),
        Answer::Deliver(deliver) => {
            let inbox = shared.subscriptions().of(deliver.topic).cloned();
            let Some(inbox) = inbox else { return Ok(()) };
            shared.received.fetch_add(deliver.block.count().into(), Relaxed);
            let (first, redelivered, block) = (deliver.first, deliver.redelivered, deliver.block);
            let arrived = Arrived { first, redelivered, block, conn: 0 };
            inbox.deliver(arrived).map_err(|_| Lost::Overrun)?;
            wake(inbox, woken);
        }
        Answer::Receipt { receipt, first, subscribers, .. } => {
            let first = Receipt { seq: first, subscribers };
            shared.with_outbox(|outbox, outcomes| outbox.receipt(receipt, first, outcomes));
        }
        Answer::Refused { why, topic, receipt, messages, text } => {
            refused(shared, why, topic, receipt, messages, text);
        }
        Answer::Gap { topic, from, to, reason } => {
            let inbox = shared.subscriptions().of(topic).cloned();
            if let Some(inbox) = inbox {
                inbox.gap(Gap { from, to, reason });
                wake(inbox, woken);
            }
        }
        Answer::Subscribed(subscribed) => {
            let inbox = shared.subscriptions().of(subscribed.topic).cloned();
            if let Some(inbox) = inbox {
                inbox.subscribed(&subscribed);
            }
        }
        Answer::Ended { topic, reason } => shared.subscriptions().ended(topic, reason),
        Answer::Credit { topic, through } => {
            shared.with_outbox(|outbox, _| outbox.credit(topic, through));
        }
        Answer::Pong { token } => shared.with_outbox(|outbox, _| outbox.pong(token)),
    }
    Ok(())
}

/// Once for each batch, as far as its frames are of one topic.
fn wake(inbox: Arc<Inbox>, woken: &mut Vec<Arc<Inbox>>) {
    if woken.last().is_none_or(|last| !Arc::ptr_eq(last, &inbox)) {
        woken.push(inbox);
    }
}

fn refused(
    shared: &Shared,
    why: RefusedWhy,
    topic: &str,
    receipt: Option<u64>,
    messages: u32,
    text: Box<str>,
) {
    match messages {
        0 if receipt.is_none() => shared.subscriptions().refused(topic, why),
        _ => shared.with_outbox(|outbox, outcomes| {
            outbox.refused(why, topic, receipt, messages, Instant::now(), outcomes);
        }),
    }
    let topic = topic.parse().ok();
    shared.tell(ClientEvent::Refused { why, topic, messages, text });
}

/// Which half of a conn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Reader,
    Writer,
}

/// How long a conn is read on that cannot be written to.
const GRACE: Duration = Duration::from_millis(100);
/// A conn that lasts no longer counts as a failed attempt.
const SHORT_LIVED: Duration = Duration::from_secs(1);
