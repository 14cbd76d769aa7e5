//! Getting a conn to a peer for whom something waits, and giving up when there is none to get.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use rumormill_transport_api::{Addr, Delivery, Expect, Target, Transport};
use tokio::time::{Instant, timeout};

use crate::{
    carriers::Latency,
    error::Error,
    frame::Lane,
    greet,
    handle::Link,
    hub::{Event, Hub},
    ledger::{Dropped, add},
    link::{Met, carry},
    outbox::Mark,
    peer::Peer,
};

/// Carries what waits for a peer in a lane over conns that it dials, until nothing waits or no
/// route leads there.
pub(crate) async fn dial(hub: Arc<Hub>, peer: Arc<Peer>, lane: Lane) {
    let mut attempt = 0;
    hub.leave_alone(&peer).await;
    let mut waiting = peer.outbox.mark();
    while !peer.has_link(lane) && peer.has_work(lane) {
        let Some(pause) = hub.pause(attempt) else {
            hub.give_up(&peer, lane, &waiting);
            break;
        };
        wait(pause).await;
        waiting = peer.outbox.mark();
        match first_route(&hub, &peer, lane).await {
            Some(met) => {
                attempt = 0;
                let since = Instant::now();
                carry(&hub, &Link::new(met.dialler), lane, met).await;
                // Somebody who greets and then hangs up, again and again, must not be dialled
                // without a pause.
                if since.elapsed() < SETTLED && peer.has_work(lane) {
                    peer.missed();
                    hub.leave_alone(&peer).await;
                }
            }
            None => attempt += 1,
        }
    }
    peer.end_dialling(lane);
    // Somebody may have sent after the last look, and found that somebody dials.
    if peer.has_work(lane) && !peer.has_link(lane) {
        hub.dial_for(&peer, lane);
    }
}

impl Hub {
    /// Opens a conn to `addr` and greets whoever is there, who must be `expected` if that is given.
    pub(crate) async fn meet(
        &self,
        addr: &Addr,
        expected: Option<&Arc<Peer>>,
        lane: Lane,
    ) -> Result<Met, Error> {
        let transport = self.transport(addr)?;
        let caps = transport.caps();
        let mut target = Target::new(addr.clone());
        if let Some(peer) = expected.filter(|_| caps.secure) {
            target.expect = Expect::Node(peer.node);
        }
        if caps.delivery == Delivery::Datagram {
            target.from = self.listener_of(addr.scheme());
        }
        let after = self.config.timeouts.dial;
        let timed_out = || Error::Timeout { addr: addr.clone(), after };
        let (carrier, since) = (self.ledger.carriers.carrier(addr.scheme()), Instant::now());
        let conn = timeout(after, transport.dial(&target)).await.map_err(|_| timed_out())??;
        let dialled = Instant::now();
        carrier.took(Latency::Dial, dialled - since);
        let met = greet::dialled(self, conn, addr, expected, lane).await?;
        carrier.took(Latency::Greeting, dialled.elapsed());
        add(&self.ledger.links.dialled, 1);
        Ok(met)
    }

    /// Waits as long as the peer is to be left alone.
    async fn leave_alone(&self, peer: &Peer) {
        let rest = peer.cool_down(&self.config.retry, &mut *self.rng());
        wait(rest).await;
    }

    /// How long to wait before this attempt; `None` if there shall be no further one.
    fn pause(&self, attempt: u32) -> Option<Duration> {
        let pause = self.config.retry.delay(attempt, &mut *self.rng())?;
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if attempt == 0 {
            budget.earn();
        } else if budget.spend() {
            add(&self.ledger.links.retries, 1);
        } else {
            return None;
        }
        Some(pause)
    }

    /// Drops what waited when the last attempt began. What came later has had none.
    fn give_up(&self, peer: &Peer, lane: Lane, until: &Mark) {
        peer.missed();
        let mut waiting = Vec::new();
        peer.outbox.take_until(lane, until, &mut waiting);
        self.drop_all(peer, &waiting, Dropped::Unreachable);
        self.lose_orphans(peer, lane);
        self.tell(Event::Unreachable(peer.node));
    }
}

async fn first_route(hub: &Hub, peer: &Arc<Peer>, lane: Lane) -> Option<Met> {
    for addr in peer.routes() {
        match hub.meet(&addr, Some(peer), lane).await {
            Ok(met) => return Some(met),
            Err(error) => {
                add(&hub.ledger.links.failed_dials, 1);
                hub.ledger.carriers.carrier(addr.scheme()).failed(&error);
                tracing::debug!(node = %peer.node, %addr, %error, "a route leads nowhere");
            }
        }
    }
    None
}

/// The one place where an endpoint waits for time to pass, and for nothing else.
#[expect(clippy::disallowed_methods, reason = "a retry waits before it tries again")]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// A conn that lasts as long as this is taken for a good one.
const SETTLED: Duration = Duration::from_secs(1);
