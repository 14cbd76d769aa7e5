//! What each key takes, and not beside another.

mod addresses;
mod admission;
mod listening;
mod transports;

use std::{cell::OnceCell, collections::BTreeSet, sync::Arc};

use rumormill_registry::Registry;
use rumormill_transport_api::{Credentials, excerpt};

use super::{
    Admin, draft::Draft, findings::Findings, kind::Kind, place::Place, problem::Fault,
    sources::Places, spot::Spot, value::Value,
};

/// A draft under examination.
pub(super) struct Checks<'a, K> {
    pub(super) draft: K,
    pub(super) places: Places,
    pub(super) broken: BTreeSet<String>,
    pub(super) findings: Findings,
    pub(super) registry: &'a Registry,
    /// The credentials of nobody in particular.
    pub(super) anybody: OnceCell<Arc<Credentials>>,
}

impl Checks<'_, Draft> {
    pub(super) fn run(&mut self) {
        self.check_cluster();
        self.check_admission();
        self.check_gossip();
        self.check_endpoint();
        self.check_admin(&self.draft.admin.clone());
        self.check_addresses();
        self.check_transports();
        self.check_topics();
        #[cfg(feature = "broker")]
        self.check_hosted();
    }

    /// The broker that the node hosts, if it does.
    #[cfg(feature = "broker")]
    fn check_hosted(&mut self) {
        let addrs = self.draft.config.broker.listen.clone();
        self.check_carriers("broker.listen", &addrs);
        self.check_doubles("broker.listen", &addrs);
        self.check_streams("broker.listen", &addrs);
        self.check_largest("broker.publish_window", self.draft.window);
        let memory = self.draft.config.broker.config.limits.memory;
        self.check_largest("broker.memory", Some(memory));
        if !addrs.is_empty() && self.draft.topics.is_empty() && !self.broken.contains("topics") {
            let problem = "but there are no topics; add tables [[topics]]";
            self.against("broker.listen", problem);
        } else if addrs.is_empty() && !self.draft.topics.is_empty() {
            let place = self.place_of("topics[0]");
            let fault = Fault::Missing { remedy: "say where the broker of these topics listens" };
            self.findings.push(&place, "broker.listen", None, fault);
        }
    }

    fn check_cluster(&mut self) {
        if !self.places.contains_key("node.cluster") {
            self.missing("node.cluster", "give the cluster a name that no other has");
        }
    }

    fn check_gossip(&mut self) {
        let gossip = &self.draft.gossip;
        let is_probe_late = gossip.probe_interval <= gossip.probe_timeout;
        let is_signed_late = gossip.record_age_max <= gossip.resign_interval;
        let is_forgotten = gossip.tombstones_kept < gossip.record_age_max;
        if is_probe_late {
            let remedy = "make the timeout shorter than the interval";
            self.clash("gossip.probe_timeout", "gossip.probe_interval", remedy);
        }
        if is_signed_late {
            let remedy = "make the interval shorter than that age, by half or more";
            self.clash("gossip.resign_interval", "gossip.record_age_max", remedy);
        }
        if is_forgotten {
            let remedy = "keep tombstones at least for that age, or the dead return by replay";
            self.clash("gossip.tombstones_kept", "gossip.record_age_max", remedy);
        }
    }

    fn check_endpoint(&mut self) {
        let endpoint = &self.draft.endpoint;
        let longest = endpoint.max_message.saturating_add(COST);
        let is_base_over = endpoint.retry.cap < endpoint.retry.base;
        let boxes = [endpoint.outbox.bytes, endpoint.inbox.bytes].map(|bytes| bytes < longest);
        if is_base_over {
            let remedy = "make the longest wait at least the first";
            self.clash("endpoint.retry.cap", "endpoint.retry.base", remedy);
        }
        for (key, is_small) in BOXES.into_iter().zip(boxes) {
            if is_small {
                let remedy = "make room for one of the longest, and 64 bytes more";
                self.clash(key, "endpoint.max_message", remedy);
            }
        }
    }
}

impl<K: Kind> Checks<'_, K> {
    pub(super) fn check_admin(&mut self, admin: &Admin) {
        let path = admin.socket.as_ref().map(|path| path.as_os_str().len());
        match (admin.tcp.is_some(), admin.token.is_some()) {
            (true, false) => {
                let problem = "where anybody could ask; name the file of a token by admin.token";
                self.against_beside("admin.tcp", "admin.token", problem);
            }
            (false, true) => {
                let problem = "but is asked for nowhere; set admin.tcp, or leave it out";
                self.against_beside("admin.token", "admin.tcp", problem);
            }
            (true, true) | (false, false) => (),
        }
        if path.is_some_and(|length| SOCKET_PATH < length) {
            let problem = "but the system takes 107 bytes for a socket; choose a shorter path";
            self.against("admin.socket", problem);
        }
    }

    pub(super) fn missing(&mut self, key: &'static str, remedy: &'static str) {
        self.findings.push(&Place::nowhere(), key, None, Fault::Missing { remedy });
    }

    /// Two settings that cannot both hold: told where the later of them was set.
    pub(super) fn clash(&mut self, key: &'static str, other: &'static str, remedy: &str) {
        let is_set = |key: &str| self.places.contains_key(key);
        // Which default holds beside it, nobody knows.
        if self.broken.contains("node.preset") && !(is_set(key) && is_set(other)) {
            return;
        }
        let (key, other) = self.by_order(key, other);
        let beside = self.shown(other).unwrap_or_default();
        self.against_beside(key, other, &format!("but {other} is {beside}; {remedy}"));
    }

    /// Two keys, that first which was set later.
    pub(super) fn by_order(
        &self,
        key: &'static str,
        other: &'static str,
    ) -> (&'static str, &'static str) {
        let order = |key: &str| self.places.get(key).map(|placed| placed.place.order);
        if order(key) < order(other) { (other, key) } else { (key, other) }
    }

    pub(super) fn against(&mut self, key: &'static str, problem: &str) {
        self.against_beside(key, key, problem);
    }

    /// A setting that cannot hold beside another one, of whose values none was refused.
    pub(super) fn against_beside(&mut self, key: &'static str, other: &'static str, problem: &str) {
        if self.broken.contains(key) || self.broken.contains(other) {
            return;
        }
        let placed = self.places.get(key).map(|placed| placed.place.clone());
        let place = placed.unwrap_or_else(Place::nowhere);
        let (value, fault) = (self.shown(key), Fault::Contradiction { problem: problem.into() });
        self.findings.push(&place, key, value, fault);
    }

    pub(super) fn shown(&mut self, key: &str) -> Option<Box<str>> {
        let value = Spot::find(key)?.show(&mut self.draft)?;
        Some(match value {
            Value::List(values) if values.is_empty() => "an empty list".into(),
            Value::List(_) => "a list".into(),
            Value::Text(text) => format!("\"{}\"", excerpt(&text)).into(),
            value => value.to_string().into(),
        })
    }
}

const BOXES: [&str; 2] = ["endpoint.outbox.bytes", "endpoint.inbox.bytes"];
/// What the endpoint counts for a message beyond its length.
const COST: usize = 64;
/// Bytes of `sun_path` on Linux, but for the zero at its end.
const SOCKET_PATH: usize = 107;
