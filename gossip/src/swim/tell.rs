//! Sending: every message leaves here, and takes updates along where there is room.

use bytes::{Bytes, BytesMut};
use rand::{Rng, RngExt};
use rumormill_transport_api::NodeId;

use crate::{
    accusation::Verdict,
    exchange::{self, View},
    message::{Body, begin, of_accusation, of_record},
    output::{Output, Via},
    signer::Signer,
    spread::Key,
    swim::{MAX_OUTPUTS, Swim},
    time::Time,
};

/// What sealing adds to a message that travels alone: docs/wire.md, "sealed frames".
const SEAL: usize = 51 + 13 + 64;
/// Bytes of the shortest packet that is of any use.
const SHORTEST: usize = 960;
/// Bytes that one kind has to make good for, at most: some packets.
const MAX_LEAD: i64 = 4096;

impl<S: Signer> Swim<S> {
    /// A message that has room for updates, and takes them along.
    pub(super) fn send(&mut self, to: NodeId, via: Via, body: &Body) {
        self.send_with(to, via, begin(body), None);
    }

    /// A ping. If its target is suspected, it learns of that before anything else (Lifeguard's buddy
    /// system).
    pub(super) fn ping(&mut self, to: NodeId, via: Via, number: u32) {
        let (mut into, mut first) = (begin(&Body::Ping { number, via }), None);
        if self.config.lifeguard.buddy && self.is_suspected(to) {
            first = self.spread.against(to);
            let accusation = match first {
                Some(_) => None,
                None => self.accusation(Verdict::Suspect, to),
            };
            into.extend(accusation.iter().flat_map(of_accusation));
        }
        self.send_with(to, via, into, first);
    }

    /// The answer to a ping. One who was taken for failed learns of that.
    pub(super) fn acknowledge(&mut self, to: NodeId, via: Via, number: u32) {
        let mut into = begin(&Body::Ack { number, digest: self.digest() });
        let failure = self.table.get(to).and_then(|member| member.failure.as_ref());
        into.extend(failure.into_iter().flat_map(of_accusation));
        self.send_with(to, via, into, None);
    }

    fn send_with(&mut self, to: NodeId, via: Via, mut into: BytesMut, first: Option<Key>) {
        self.fill(&mut into, first);
        self.push(to, via, into.freeze());
    }

    /// Takes along what is to be spread, `first` before everything. What got less of the packets before goes
    /// before the other kind, so that each gets half, however long single ones are.
    fn fill(&mut self, into: &mut BytesMut, first: Option<Key>) {
        let share = (self.room(), self.config.retransmits(self.size()));
        let Self { spread, mill, lead, .. } = self;
        let is_contended = !spread.is_empty() && !mill.spread.is_empty();
        let (news, rumors) = match first.is_none() && *lead < 0 {
            true => {
                let (rumors, news) = mill.spread.fill(spread, into, share, None);
                (news, rumors)
            }
            false => spread.fill(&mut mill.spread, into, share, first),
        };
        if is_contended {
            *lead = (*lead + rumors as i64 - news as i64).clamp(-MAX_LEAD, MAX_LEAD);
        }
    }

    pub(super) fn room(&self) -> usize {
        self.config.packet.max(SHORTEST) - SEAL
    }

    /// Updates for some random members, and for those that failed a short while ago.
    pub(super) fn gossip(&mut self, now: Time, rng: &mut impl Rng) {
        let mut targets = self.prober.some(self.config.gossip_fanout, self.node(), rng);
        targets.extend(self.lately_failed(now, rng));
        for to in targets {
            let (mut into, empty) = (begin(&Body::Gossip), begin(&Body::Gossip).len());
            self.fill(&mut into, None);
            if empty < into.len() {
                self.push(to, Via::Packet, into.freeze());
            }
        }
    }

    /// One of them, with the chance that it would have among all.
    fn lately_failed(&self, now: Time, rng: &mut impl Rng) -> Option<NodeId> {
        let is_late = |node: &&NodeId| {
            let member = self.table.get(**node);
            member.is_some_and(|member| now.since(member.since) < self.config.gossip_to_failed)
        };
        let late: Vec<NodeId> = self.table.failed().iter().filter(is_late).copied().collect();
        let all = (late.len() + self.table.here()).div_ceil(self.config.gossip_fanout.max(1));
        late.get(rng.random_range(0..all.max(1))).copied()
    }

    /// Shows a node all that is known, so that it tells what differs.
    pub(super) fn ask(&mut self, to: NodeId, via: Via) {
        let asks = exchange::asks(self.view());
        self.push_all(to, via, asks);
    }

    /// Tells a node what this one has to say of itself.
    pub(super) fn show_own(&mut self, to: NodeId, via: Via, body: &Body) {
        let mut into = begin(body);
        into.extend_from_slice(&of_record(&self.own));
        self.push(to, via, into.freeze());
    }

    pub(super) fn push_all(&mut self, to: NodeId, via: Via, pages: Vec<Bytes>) {
        pages.into_iter().for_each(|bytes| self.push(to, via, bytes));
    }

    pub(super) fn push(&mut self, to: NodeId, via: Via, bytes: Bytes) {
        match self.outputs.len() < MAX_OUTPUTS {
            true => self.outputs.push_back(Output::Send { to, via, bytes }),
            false => self.counters.unsent += 1,
        }
    }

    fn is_suspected(&self, node: NodeId) -> bool {
        self.table.get(node).is_some_and(|member| member.suspicion.is_some())
    }

    pub(super) fn view(&self) -> View<'_> {
        View { own: &self.own, table: &self.table }
    }

    pub(super) fn digest(&self) -> u64 {
        exchange::digest(self.view())
    }
}
