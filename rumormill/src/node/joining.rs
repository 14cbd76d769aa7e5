//! What keeps a node joined: it looks for others for as long as it is alone.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt, rng};
use rumormill_gossip::{Gossip, JoinError, MemberInfo};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, HostPort, NodeId};
use tokio::{
    net::lookup_host,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, info, warn};

/// What keeps a node joined.
pub(super) struct Joining {
    pub(super) gossip: Arc<Gossip>,
    pub(super) registry: Arc<Registry>,
    /// Where this very node is.
    pub(super) own: Vec<Addr>,
    /// How long a name may take to be resolved.
    pub(super) within: Duration,
    pub(super) wanted: watch::Receiver<Vec<Addr>>,
    /// Told once somebody was found, or nobody has to be.
    pub(super) joined: watch::Sender<bool>,
}

/// Whom a round has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Member,
    /// Every address is this node's own: the others are yet to come.
    OnlyOurselves,
    Nobody,
}

impl Joining {
    /// Joins, now and whenever this node is alone again. Ends when membership does.
    pub(super) async fn keep(mut self) {
        let mut attempt = 0;
        while !self.gossip.is_over() {
            let addrs = self.wanted.borrow_and_update().clone();
            let is_done = addrs.is_empty() || !is_alone(&self.gossip.members());
            let met = if is_done { Met::Member } else { self.round(&addrs).await };
            if met != Met::Nobody {
                self.joined.send_replace(true);
            }
            match met {
                Met::Member => {
                    attempt = 0;
                    self.alone_or_told(addrs.is_empty()).await;
                }
                Met::OnlyOurselves | Met::Nobody => {
                    let wait = pause(attempt);
                    attempt += 1;
                    if met == Met::Nobody {
                        warn!(?wait, "no member of the cluster was met; trying again");
                    }
                    self.later_or_told(wait).await;
                }
            }
        }
    }

    /// Tries all addresses, so that one is enough, and parts that know nothing of each other become one.
    async fn round(&self, addrs: &[Addr]) -> Met {
        let mut places = Vec::new();
        for addr in addrs {
            places.extend(self.resolved(addr).await);
        }
        places.sort();
        places.dedup();
        let count = places.len();
        places.retain(|place| !self.own.iter().any(|own| is_same(own, place)));
        if places.is_empty() && 0 < count {
            return Met::OnlyOurselves;
        }
        places.truncate(MAX_PLACES);
        match self.meet(places).await {
            true => Met::Member,
            false => Met::Nobody,
        }
    }

    /// Joins by all of `places`, some at a time; tells whether anybody was met.
    async fn meet(&self, places: Vec<Addr>) -> bool {
        let (mut is_met, mut joining) = (false, JoinSet::new());
        let mut places = places.into_iter();
        loop {
            while joining.len() < AT_ONCE
                && let Some(place) = places.next()
            {
                let gossip = self.gossip.clone();
                joining.spawn(async move { (gossip.join(&place).await, place) });
            }
            let Some(joined) = joining.join_next().await else { break };
            // Only a panic or an end of the runtime is an error here.
            let Ok((joined, place)) = joined else { continue };
            tell(&joined, &place);
            if joined.is_ok() {
                is_met = true;
                // Places that do not answer shall not keep it waiting.
                self.joined.send_replace(true);
            }
        }
        is_met
    }

    /// The addresses for which a name stands; what is no name stands for itself.
    async fn resolved(&self, addr: &Addr) -> Vec<Addr> {
        let mut factories = self.registry.factories();
        let is_local = factories
            .find(|factory| factory.scheme == addr.scheme())
            .is_none_or(|factory| factory.caps.local_only);
        let name = match HostPort::parse(addr) {
            Ok(HostPort::Name { host, port }) if !is_local => (host, port),
            _ => return vec![addr.clone()],
        };
        let (host, port) = (&*name.0, name.1);
        let found = timeout(self.within, lookup_host((host, port))).await;
        match found {
            Ok(Ok(sockets)) => sockets.filter_map(|socket| placed(addr, socket)).collect(),
            Ok(Err(error)) => {
                warn!(%addr, %error, "the name cannot be resolved");
                Vec::new()
            }
            Err(_) => {
                warn!(%addr, "the name was not resolved in time");
                Vec::new()
            }
        }
    }

    /// Waits until this node is alone again, or has other addresses.
    async fn alone_or_told(&mut self, is_content: bool) {
        tokio::select! {
            _ = self.gossip.wait_for(|members| !is_content && is_alone(members)) => (),
            told = self.wanted.changed() => if told.is_err() { std::future::pending().await },
        }
    }

    async fn later_or_told(&mut self, wait: Duration) {
        tokio::select! {
            () = sleep_until(Instant::now() + wait) => (),
            _ = self.gossip.wait_for(|members| !is_alone(members)) => (),
            told = self.wanted.changed() => if told.is_err() { std::future::pending().await },
        }
    }
}

fn tell(joined: &Result<NodeId, JoinError>, place: &Addr) {
    match joined {
        Ok(node) => info!(%place, %node, "met"),
        Err(error) => debug!(%place, %error, "not met"),
    }
}

fn is_alone(members: &[MemberInfo]) -> bool {
    !members.iter().any(|member| member.standing.is_here())
}

/// Whether `place` is where this node listens, by `own`.
fn is_same(own: &Addr, place: &Addr) -> bool {
    let [own_at, at] = [own, place].map(HostPort::parse);
    let is_place = match (own_at, at) {
        (Ok(HostPort::Socket(own)), Ok(HostPort::Socket(at))) if own.ip().is_unspecified() => {
            own.port() == at.port() && is_local(at.ip())
        }
        (Ok(own), Ok(at)) => own == at,
        _ => own.rest() == place.rest(),
    };
    own.scheme() == place.scheme() && is_place
}

/// Whether it is an address of this machine: only there can a socket be bound to it.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// `addr` with a place instead of its name, and the same options.
fn placed(addr: &Addr, socket: SocketAddr) -> Option<Addr> {
    let text = addr.to_string();
    // A question mark that is no separator is encoded.
    let options = text.find('?').and_then(|at| text.get(at..)).unwrap_or_default();
    format!("{}://{socket}{options}", addr.scheme()).parse().ok()
}

/// The wait after this many rounds without success, with jitter: up to half as long again.
fn pause(attempt: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    whole.mul_f64(rng().random_range(1.0..1.5))
}

/// Members that are met at once.
const AT_ONCE: usize = 8;
/// Places that are tried in a round; a name may stand for many.
const MAX_PLACES: usize = 256;
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stay_with_the_place() {
        let addr = "tcp://nodes.example:7946?keepalive=10s".parse().unwrap();
        let place = placed(&addr, "[2001:db8::1]:7946".parse().unwrap()).unwrap();
        assert_eq!(place.to_string(), "tcp://[2001:db8::1]:7946?keepalive=10s");
    }

    #[test]
    fn a_node_knows_its_own_places() {
        let check = |own: &str, place: &str, expected| {
            let same = is_same(&own.parse().unwrap(), &place.parse().unwrap());
            assert_eq!(same, expected, "{own} {place}");
        };
        check("tcp://127.0.0.1:7946", "tcp://127.0.0.1:7946?keepalive=10s", true);
        check("tcp://127.0.0.1:7946", "udp://127.0.0.1:7946", false);
        check("tcp://0.0.0.0:7946", "tcp://127.0.0.1:7946", true);
        check("tcp://0.0.0.0:7946", "tcp://127.0.0.1:7947", false);
        check("tcp://0.0.0.0:7946", "tcp://192.0.2.1:7946", false);
        check("unix:///run/a.sock", "unix:///run/a.sock", true);
        check("unix:///run/a.sock", "unix:///run/b.sock", false);
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert!((0..4).all(|attempt| pause(attempt) < pause(attempt + 1)));
        assert!(pause(u32::MAX) < LONGEST * 2);
    }
}
