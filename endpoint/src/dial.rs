//! Getting a conn to a peer for whom something waits, and giving up when there is none to get.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use rumormill_transport_api::{Addr, End, Error as CarrierError, Expect, Target, Transport};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    budget::Full,
    carriers::Latency,
    error::Error,
    frame::Lane,
    greet,
    hub::{Event, Hub},
    ledger::{Dropped, add},
    link::{Met, carry},
    outbox::Mark,
    peer::Peer,
    route,
    track::Track,
};

/// What came of looking for a conn.
enum Found {
    Met(Box<Met>, Addr),
    /// A conn of another kind carries what waits, or will.
    StandIn,
    Nobody,
}

/// Dials for `track` until there is a conn, and carries what waits for the peer over it; or until
/// nothing waits, or no route leads there.
pub(crate) async fn dial(hub: Arc<Hub>, peer: Arc<Peer>, track: Track) {
    let mut attempt = 0;
    hub.leave_alone(&peer).await;
    let mut waiting = peer.outbox.mark();
    while peer.waits_for(track) {
        let Some(pause) = hub.pause(&peer, attempt) else {
            hub.give_up(&peer, track, &waiting);
            break;
        };
        wait(pause).await;
        waiting = peer.outbox.mark();
        match hub.find(&peer, track).await {
            Found::Met(met, addr) => {
                peer.with_tracks(|tracks| tracks.end_dialling(track));
                return hub.carry_dialled(*met, addr, track).await;
            }
            Found::StandIn => break,
            Found::Nobody => attempt += 1,
        }
    }
    peer.with_tracks(|tracks| tracks.end_dialling(track));
    // Somebody may have sent after the last look, and found that somebody dials; or another track has
    // to do it.
    hub.dial_for_all(&peer);
}

/// Looks for a better way for `track` than the one that is used, as long as one is.
pub(crate) async fn restore(hub: Arc<Hub>, peer: Arc<Peer>, track: Track) {
    // An endpoint that closes does not wait for it.
    let found = tokio::select! {
        biased;
        () = hub.closed() => None,
        found = hub.find_better(&peer, track) => found,
    };
    peer.with_tracks(|tracks| tracks.end_restoring(track));
    if let Some((met, addr)) = found {
        hub.carry_dialled(*met, addr, track).await;
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
        // Where there are no conns, all that a peer sees of them is the address.
        if caps.end == End::None {
            target.from = self.listener_of(addr.scheme());
        }
        let after = self.config.timeouts.dial;
        let timed_out = || Error::Timeout { addr: addr.clone(), after };
        let (carrier, since) = (self.ledger.carriers.carrier(addr.scheme()), Instant::now());
        let deadline = since + after;
        let full = |Full { limit }| Error::Busy { limit };
        let permit = self.places.enter(deadline).await.map_err(full)?;
        let dialling = async {
            match transport.dial(&target).await {
                // From there a conn leads to it already, or somebody else dials.
                Err(CarrierError::Busy { .. }) if target.from.is_some() => {
                    transport.dial(&Target { from: None, ..target.clone() }).await
                }
                dialled => dialled,
            }
        };
        let conn = timeout_at(deadline, dialling).await.map_err(|_| timed_out())??;
        let dialled = Instant::now();
        carrier.took(Latency::Dial, dialled - since);
        let met = greet::dialled(self, (conn, permit), addr, expected, lane, deadline).await?;
        carrier.took(Latency::Greeting, dialled.elapsed());
        add(&self.ledger.links.dialled, 1);
        Ok(met)
    }

    /// Tries the ways to a peer that are of the kind of `track`. If none is good, and there is
    /// another kind, that stands in.
    async fn find(self: &Arc<Self>, peer: &Arc<Peer>, track: Track) -> Found {
        let now = Instant::now();
        let (own, other) = (track.delivery(), track.other().delivery());
        let (up, has_better) = peer.with_routes(|routes| {
            let is_there = routes.has(other) && !routes.has(own);
            (routes.up(own, now), is_there || !routes.up(other, now).is_empty())
        });
        if up.is_empty() && self.stand_in(peer, track, has_better) {
            return Found::StandIn;
        }
        let routes = match up.is_empty() {
            true => peer.with_routes(|routes| routes.to_try(own, now)),
            false => up,
        };
        let each = self.config.timeouts.dial;
        if let Some((met, addr)) = self.first_of(&routes, peer, track, each).await {
            return Found::Met(Box::new(met), addr);
        }
        // One that was down may be up again: nobody else would look.
        let has_other = peer.with_routes(|routes| routes.has(other));
        match self.stand_in(peer, track, has_other) {
            true => Found::StandIn,
            false => Found::Nobody,
        }
    }

    /// Tries the ways that are better than the one that is used, until one leads there or there are
    /// none.
    async fn find_better(&self, peer: &Arc<Peer>, track: Track) -> Option<(Box<Met>, Addr)> {
        for attempt in 1.. {
            let pause = route::again(attempt, &mut *self.rng());
            wait(pause).await;
            let better = peer.better_routes(track);
            if better.is_empty() {
                break;
            }
            // A better way is worth no other peer's conn.
            if !self.places.has_room() {
                continue;
            }
            // One after the other, so that the best stays; but a look at all takes no longer than at
            // one.
            let each = self.config.timeouts.dial / u32::try_from(better.len()).unwrap_or(u32::MAX);
            if let Some((met, addr)) = self.first_of(&better, peer, track, each).await {
                return Some((Box::new(met), addr));
            }
        }
        None
    }

    /// Has another kind of conn stand in for `track`, if there is one, or it may be dialled.
    fn stand_in(self: &Arc<Self>, peer: &Arc<Peer>, track: Track, may_be_dialled: bool) -> bool {
        let other = track.other();
        let can = peer.with_tracks(|tracks| {
            let may_come = may_be_dialled && !tracks.is_barred(other);
            let has_other = tracks.link(other).is_some() || may_come;
            // Where there is no other, the third may be there.
            let can = has_other || tracks.links().next().is_some();
            if can {
                tracks.bar(track);
            }
            if can && !has_other {
                tracks.bar(other);
            }
            can
        });
        if can {
            self.restore_if_worse(peer, track);
        }
        can
    }

    /// Sees to it that somebody looks for a better way for `track`, if there may be one.
    pub(crate) fn restore_if_worse(self: &Arc<Self>, peer: &Arc<Peer>, track: Track) {
        let is_worse = !peer.better_routes(track).is_empty();
        if is_worse && peer.with_tracks(|tracks| tracks.begin_restoring(track)) {
            self.spawn(restore(self.clone(), peer.clone(), track));
        }
    }

    /// The first of these ways that leads to the peer, where each may take so long.
    async fn first_of(
        &self,
        addrs: &[Addr],
        peer: &Arc<Peer>,
        track: Track,
        each: Duration,
    ) -> Option<(Met, Addr)> {
        for addr in addrs {
            let meeting = timeout(each, self.meet(addr, Some(peer), track.greeting())).await;
            let timed_out = |_| Err(Error::Timeout { addr: addr.clone(), after: each });
            match meeting.unwrap_or_else(timed_out) {
                Ok(met) => {
                    peer.with_routes(|routes| routes.reached(addr, met.info.caps));
                    return Some((met, addr.clone()));
                }
                Err(error) => {
                    add(&self.ledger.links.failed_dials, 1);
                    self.ledger.carriers.carrier(addr.scheme()).failed(&error);
                    tracing::debug!(node = %peer.node, %addr, %error, "a route leads nowhere");
                    // That there is no place for a conn says nothing about the way.
                    if !matches!(error, Error::Busy { .. }) {
                        let mut rng = self.rng();
                        peer.with_routes(|routes| routes.missed(addr, Instant::now(), &mut *rng));
                    }
                }
            }
        }
        None
    }

    /// Carries what waits over a conn that was dialled for `track`.
    async fn carry_dialled(self: &Arc<Self>, met: Met, addr: Addr, track: Track) {
        let (peer, link) = (met.peer.clone(), met.link(Some(addr)));
        // A transport may have conns of both kinds.
        if Track::of_conn(met.info.caps.delivery, track.greeting()) != track {
            peer.with_tracks(|tracks| tracks.bar(track));
        }
        carry(self, &link, track.greeting(), met).await;
    }

    /// Waits as long as the peer is to be left alone.
    async fn leave_alone(&self, peer: &Peer) {
        let rest = peer.cool_down(&self.config.retry, &mut *self.rng());
        wait(rest).await;
    }

    /// How long to wait before this attempt; `None` if there shall be no further one.
    fn pause(&self, peer: &Peer, attempt: u32) -> Option<Duration> {
        let pause = self.config.retry.delay(attempt, &mut *self.rng())?;
        // Where there is nothing to dial, nothing is tried again: a peer that comes by itself and
        // goes must not use up what others need.
        if peer.routes().is_empty() {
            return Some(pause);
        }
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
    fn give_up(&self, peer: &Peer, track: Track, until: &Mark) {
        peer.missed();
        let lanes: Vec<Lane> = peer.with_tracks(|tracks| {
            let lanes = tracks.waiting_for(track).collect();
            tracks.unbar();
            lanes
        });
        for lane in lanes {
            let mut waiting = Vec::new();
            peer.outbox.take_until(lane, until, &mut waiting);
            self.drop_all(peer, &waiting, Dropped::Unreachable);
            self.lose_orphans(peer, lane);
        }
        self.tell(Event::Unreachable(peer.node));
    }
}

/// The one place where an endpoint waits for time to pass, and for nothing else.
#[expect(clippy::disallowed_methods, reason = "a retry waits before it tries again")]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}
