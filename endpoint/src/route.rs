//! The ways to a peer, and which of them to try.

use std::time::Duration;

use rand::Rng;
use rumormill_transport_api::{Addr, Caps, Delivery};
use tokio::time::Instant;

use crate::retry::Retry;

/// A way to a peer.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) addr: Addr,
    /// What its transport can do; `None` if this node cannot use it.
    caps: Option<Caps>,
    /// Whether only a record tells of it.
    is_hearsay: bool,
    misses: u32,
    down: Option<Instant>,
}

/// The ways to a peer, the best first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes(Vec<Route>);

impl Route {
    pub(crate) fn new(addr: Addr, caps: Option<Caps>) -> Self {
        Self { addr, caps, is_hearsay: false, misses: 0, down: None }
    }

    fn is(&self, delivery: Delivery) -> bool {
        self.caps.is_some_and(|caps| caps.delivery == delivery)
    }

    fn is_local(&self) -> bool {
        self.caps.is_some_and(|caps| caps.local_only)
    }

    fn is_up(&self, now: Instant) -> bool {
        self.down.is_none_or(|until| until <= now)
    }
}

impl Routes {
    /// Orders them: what stays on this machine comes first, then what was named first. What is
    /// known of those that were known before is kept.
    pub(crate) fn replaced_by(&self, mut routes: Vec<Route>) -> Self {
        for route in &mut routes {
            if let Some(known) = self.0.iter().find(|known| known.addr == route.addr) {
                (route.misses, route.down) = (known.misses, known.down);
                route.caps = route.caps.and(known.caps);
            }
        }
        routes.sort_by_key(|route| !route.is_local());
        Self(routes)
    }

    /// What a record tells, behind what this node was told before by somebody it trusts.
    pub(crate) fn with_hearsay(&self, heard: Vec<Route>) -> Self {
        let mut routes: Vec<Route> =
            self.0.iter().filter(|route| !route.is_hearsay).cloned().collect();
        for route in heard {
            if routes.iter().all(|known| known.addr != route.addr) {
                routes.push(Route { is_hearsay: true, ..route });
            }
        }
        self.replaced_by(routes)
    }

    pub(crate) fn addrs(&self) -> Vec<Addr> {
        self.0.iter().map(|route| route.addr.clone()).collect()
    }

    /// Those with this delivery, the best first; only those that are up, if there are any.
    pub(crate) fn to_try(&self, delivery: Delivery, now: Instant) -> Vec<Addr> {
        let up = self.up(delivery, now);
        match up.is_empty() {
            true => self.of(delivery).map(|route| route.addr.clone()).collect(),
            false => up,
        }
    }

    /// Those with this delivery that are up, the best first; those behind them that lead nowhere
    /// when they were tried last, so that nobody waits for them but who looks for better ways.
    pub(crate) fn up(&self, delivery: Delivery, now: Instant) -> Vec<Addr> {
        let mut up: Vec<&Route> = self.of(delivery).filter(|route| route.is_up(now)).collect();
        up.sort_by_key(|route| 0 < route.misses);
        up.into_iter().map(|route| route.addr.clone()).collect()
    }

    /// Those with this delivery that are better than `current`; all, if there is none.
    pub(crate) fn better_than(&self, current: Option<&Addr>, delivery: Delivery) -> Vec<Addr> {
        let better = self.of(delivery).take_while(|route| Some(&route.addr) != current);
        better.map(|route| route.addr.clone()).collect()
    }

    /// Those with this delivery that do not leave this machine.
    pub(crate) fn local(&self, delivery: Delivery) -> Vec<Addr> {
        let local = self.of(delivery).filter(|route| route.is_local());
        local.map(|route| route.addr.clone()).collect()
    }

    pub(crate) fn has(&self, delivery: Delivery) -> bool {
        self.of(delivery).next().is_some()
    }

    /// Bytes of the longest frame that any of them carries; `None` if none is known.
    pub(crate) fn longest(&self) -> Option<usize> {
        self.0.iter().filter_map(|route| route.caps).map(|caps| caps.max_message).max()
    }

    /// Notes that one leads there, by a conn that can do this.
    pub(crate) fn reached(&mut self, addr: &Addr, caps: Caps) {
        if let Some(route) = self.0.iter_mut().find(|route| route.addr == *addr) {
            (route.misses, route.down, route.caps) = (0, None, Some(caps));
        }
    }

    /// Notes that one leads nowhere: others come first, for a while.
    pub(crate) fn missed(&mut self, addr: &Addr, now: Instant, rng: &mut impl Rng) {
        if let Some(route) = self.0.iter_mut().find(|route| route.addr == *addr) {
            route.misses = route.misses.saturating_add(1);
            route.down = Some(now + again(route.misses, rng));
        }
    }

    /// Has all count as good again.
    pub(crate) fn forgive(&mut self) {
        self.0.iter_mut().for_each(|route| route.down = None);
    }

    fn of(&self, delivery: Delivery) -> impl Iterator<Item = &Route> {
        self.0.iter().filter(move |route| route.is(delivery))
    }
}

/// How long to wait before looking for the `attempt`th time whether a better way is back.
pub(crate) fn again(attempt: u32, rng: &mut impl Rng) -> Duration {
    let retry = Retry { base: FIRST, cap: LONGEST, ..Retry::default() };
    retry.wait(attempt.max(1), rng)
}

const FIRST: Duration = Duration::from_millis(500);
/// With what an attempt takes that nobody answers, a way that is back is found within 5 s.
const LONGEST: Duration = Duration::from_millis(2400);

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn routes() -> Routes {
        let route = |addr: &str, caps| Route::new(addr.parse().unwrap(), Some(caps));
        Routes::default().replaced_by(vec![
            route("udp://1", Caps { delivery: Delivery::Datagram, ..Caps::STREAM }),
            route("tcp://1", Caps::STREAM),
            route("quic://1", Caps::STREAM),
            route("unix:///1", Caps { local_only: true, ..Caps::STREAM }),
            Route::new("ws://1".parse().unwrap(), None),
        ])
    }

    fn texts(addrs: Vec<Addr>) -> Vec<String> {
        addrs.iter().map(Addr::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_when_it_was_tried_last_comes_behind_the_rest() {
        let (mut routes, now) = (routes(), Instant::now());
        routes.missed(&"unix:///1".parse().unwrap(), now, &mut StdRng::seed_from_u64(7));
        let late = now + LONGEST;
        assert_eq!(texts(routes.up(Delivery::Stream, late)), ["tcp://1", "quic://1", "unix:///1"]);
        routes.reached(&"unix:///1".parse().unwrap(), Caps::STREAM);
        assert_eq!(texts(routes.up(Delivery::Stream, late))[0], "unix:///1");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_local_comes_first_and_what_is_down_last() {
        let (mut routes, now) = (routes(), Instant::now());
        let mut rng = StdRng::seed_from_u64(7);
        let all = ["unix:///1", "tcp://1", "quic://1"];
        assert_eq!(texts(routes.to_try(Delivery::Stream, now)), all);
        assert_eq!(texts(routes.to_try(Delivery::Datagram, now)), ["udp://1"]);
        routes.missed(&"unix:///1".parse().unwrap(), now, &mut rng);
        assert_eq!(texts(routes.to_try(Delivery::Stream, now)), ["tcp://1", "quic://1"]);
        for addr in ["tcp://1", "quic://1"] {
            routes.missed(&addr.parse().unwrap(), now, &mut rng);
        }
        assert_eq!(texts(routes.to_try(Delivery::Stream, now)), all, "better than nothing");
        assert_eq!(texts(routes.up(Delivery::Stream, now)), [""; 0]);
        assert_eq!(texts(routes.up(Delivery::Stream, now + LONGEST)), all, "it is over");
        routes.reached(&"quic://1".parse().unwrap(), Caps::STREAM);
        assert_eq!(texts(routes.to_try(Delivery::Stream, now)), ["quic://1"]);
        let learnt = routes.replaced_by(routes.0.clone());
        assert_eq!(texts(learnt.to_try(Delivery::Stream, now)), ["quic://1"], "it is kept");
    }

    #[test]
    fn hearsay_replaces_only_hearsay() {
        let heard = |addrs: &[&str]| {
            let route = |addr: &&str| Route::new(addr.parse().unwrap(), Some(Caps::STREAM));
            addrs.iter().map(route).collect::<Vec<_>>()
        };
        let told = Routes::default().replaced_by(heard(&["tcp://told"]));
        let routes = told.with_hearsay(heard(&["tcp://told", "tcp://a"]));
        assert_eq!(texts(routes.addrs()), ["tcp://told", "tcp://a"]);
        let routes = routes.with_hearsay(heard(&["tcp://b"]));
        assert_eq!(texts(routes.addrs()), ["tcp://told", "tcp://b"]);
        assert_eq!(texts(routes.with_hearsay(Vec::new()).addrs()), ["tcp://told"]);
    }

    #[test]
    fn better_are_those_before() {
        let routes = routes();
        let better = |current: &str| {
            texts(routes.better_than(Some(&current.parse().unwrap()), Delivery::Stream))
        };
        assert_eq!(better("unix:///1"), [""; 0]);
        assert_eq!(better("quic://1"), ["unix:///1", "tcp://1"]);
        assert_eq!(texts(routes.better_than(None, Delivery::Datagram)), ["udp://1"]);
        assert_eq!(texts(routes.local(Delivery::Stream)), ["unix:///1"]);
        assert_eq!(texts(routes.local(Delivery::Datagram)), [""; 0]);
    }

    #[test]
    fn waits_are_short_enough_to_be_back_soon() {
        let mut rng = StdRng::seed_from_u64(7);
        for attempt in [0, 1, 2, 3, 9, 1000, u32::MAX] {
            let wait = again(attempt, &mut rng);
            assert!((FIRST..=LONGEST).contains(&wait), "{attempt}: {wait:?}");
        }
    }
}
