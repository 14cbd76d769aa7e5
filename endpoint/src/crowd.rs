//! What each source takes up of what is accepted, so that none can take it all.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rumormill_transport_api::{HostPort, Info};
use tokio::time::Instant;

/// The sources of accepted conns: of a source, at most half of all conns may be open, and a quarter
/// of all waiting for a proof; and one whose proofs are forged is not listened to for a while.
///
/// A source is an IPv4 address, or the upper half of an IPv6 address, since one host has all of the
/// lower half. Other carriers have none, and no such bounds.
#[derive(Debug)]
pub(crate) struct Crowd {
    sources: Mutex<BTreeMap<IpAddr, Source>>,
    open: usize,
    unproven: usize,
}

#[derive(Debug)]
struct Source {
    open: usize,
    unproven: usize,
    patience: Patience,
}

/// A place in the crowd, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    source: Option<IpAddr>,
    is_proven: bool,
}

/// How many faults are borne: some at once, and then so many a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    left: u32,
    burst: u32,
    per_second: u32,
    since: Instant,
}

impl Crowd {
    /// Of the conns that may be accepted at once.
    pub(crate) fn of(accepted: usize) -> Arc<Self> {
        let (open, unproven) = ((accepted / 2).max(LEAST), (accepted / 4).max(LEAST));
        Arc::new(Self { sources: Mutex::default(), open, unproven })
    }

    /// A place for a conn that was accepted; `None` if its source has enough.
    pub(crate) fn enter(self: &Arc<Self>, info: &Info, now: Instant) -> Option<Place> {
        let source = source(info);
        if let Some(ip) = source {
            let mut sources = self.lock();
            if MAX_SOURCES <= sources.len() {
                sources.retain(|_, source| 0 < source.open);
            }
            let source = sources.entry(ip).or_insert_with(|| Source::new(now));
            let is_enough = self.open <= source.open || self.unproven <= source.unproven;
            if is_enough || source.patience.is_over(now) {
                return None;
            }
            source.open += 1;
            source.unproven += 1;
        }
        Some(Place { crowd: self.clone(), source, is_proven: false })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn new(now: Instant) -> Self {
        Self { open: 0, unproven: 0, patience: Patience::new(FORGERIES, FORGERIES_A_SECOND, now) }
    }
}

impl Place {
    /// Whoever has it has proven who it is.
    pub(crate) fn proven(&mut self) {
        if !self.is_proven {
            self.is_proven = true;
            self.with(|source| source.unproven = source.unproven.saturating_sub(1));
        }
    }

    /// Whoever has it made this node verify a signature that is forged. Only for carriers on which
    /// nobody else can have sent it.
    pub(crate) fn has_forged(&self, now: Instant) {
        self.with(|source| source.patience.fault(now));
    }

    fn with(&self, change: impl FnOnce(&mut Source)) {
        if let Some(ip) = self.source
            && let Some(source) = self.crowd.lock().get_mut(&ip)
        {
            change(source);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.proven();
        self.with(|source| source.open = source.open.saturating_sub(1));
    }
}

impl Patience {
    pub(crate) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        Self { left: burst, burst, per_second, since: now }
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, now: Instant) {
        self.recover(now);
        self.left = self.left.saturating_sub(1);
    }

    /// Whether there were too many.
    pub(crate) fn is_over(&mut self, now: Instant) -> bool {
        self.recover(now);
        self.left == 0
    }

    fn recover(&mut self, now: Instant) {
        let each = Duration::from_secs(1) / self.per_second.max(1);
        let passed = now.saturating_duration_since(self.since);
        let more = u32::try_from(passed.as_nanos() / each.as_nanos()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(self.burst);
        match self.left == self.burst {
            true => self.since = now,
            false => self.since += each * more,
        }
    }
}

fn source(info: &Info) -> Option<IpAddr> {
    let Ok(HostPort::Socket(socket)) = HostPort::parse(&info.remote) else { return None };
    Some(match socket.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 => v4,
    })
}

/// Conns that a source may have, however few are accepted.
const LEAST: usize = 8;
/// Forged proofs of a source that are borne at once, and in each second.
const FORGERIES: u32 = 64;
const FORGERIES_A_SECOND: u32 = 16;
/// Sources that are remembered when they have no conns; of more, all of those are forgotten.
const MAX_SOURCES: usize = 4096;

#[cfg(test)]
mod tests {
    use rumormill_transport_api::{Addr, Caps};

    use super::*;

    fn info(remote: &str) -> Info {
        let remote: Addr = remote.parse().unwrap();
        Info::new(remote.clone(), remote, Caps::STREAM)
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_gets_its_share_and_no_more() {
        let (crowd, now) = (Crowd::of(40), Instant::now());
        let enter = |remote: &str| crowd.enter(&info(remote), now);
        let mut held: Vec<_> =
            (1..100).map_while(|n| enter(&format!("tcp://10.0.0.1:{n}"))).collect();
        assert_eq!(held.len(), 10, "unproven");
        held.iter_mut().for_each(Place::proven);
        held.extend((1..100).map_while(|n| enter(&format!("tcp://10.0.0.1:{n}"))));
        assert_eq!(held.len(), 20, "open");
        assert!(enter("tcp://10.0.0.2:1").is_some(), "another source");
        let mapped = "tcp://[::ffff:10.0.0.1]:1";
        assert!(enter(mapped).is_none(), "the same source in another form");
        held.clear();
        assert!(enter("tcp://10.0.0.1:1").is_some());
        let v6: Vec<_> =
            (1..100).map_while(|n| enter(&format!("tcp://[2001:db8::{n}]:1"))).collect();
        assert_eq!(v6.len(), 10, "one host has all of these");
    }

    #[tokio::test(start_paused = true)]
    async fn forgers_are_not_heard_for_a_while() {
        let (crowd, mut now) = (Crowd::of(1000), Instant::now());
        let forger = crowd.enter(&info("tcp://10.0.0.1:1"), now).unwrap();
        (0..FORGERIES).for_each(|_| forger.has_forged(now));
        assert!(crowd.enter(&info("tcp://10.0.0.1:2"), now).is_none());
        assert!(crowd.enter(&info("tcp://10.0.0.2:2"), now).is_some());
        now += Duration::from_secs(1);
        assert!(crowd.enter(&info("tcp://10.0.0.1:2"), now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn sources_without_conns_are_not_kept_for_ever() {
        let (crowd, now) = (Crowd::of(1000), Instant::now());
        for n in 0..3 * MAX_SOURCES as u32 {
            let ip = std::net::Ipv4Addr::from_bits(n);
            assert!(crowd.enter(&info(&format!("tcp://{ip}:1")), now).is_some());
        }
        assert!(crowd.lock().len() <= MAX_SOURCES);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_returns_with_time() {
        let start = Instant::now();
        let mut patience = Patience::new(4, 2, start);
        (0..9).for_each(|_| patience.fault(start));
        assert!(patience.is_over(start + Duration::from_millis(499)));
        assert!(!patience.is_over(start + Duration::from_millis(500)));
        patience.fault(start + Duration::from_millis(700));
        assert!(patience.is_over(start + Duration::from_millis(999)));
        assert!(!patience.is_over(start + Duration::from_millis(1000)), "the rest counts");
        assert!(!patience.is_over(start + Duration::from_secs(1 << 40)));
    }
}
