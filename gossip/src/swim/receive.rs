//! Messages that arrive: their updates first, then what they want.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rumormill_transport_api::NodeId;

use crate::{
    exchange,
    member::Standing,
    message::{Ask, Body, Message, begin},
    output::{Event, Via},
    probe::Answered,
    record::Version,
    signer::Signer,
    swim::Swim,
    time::Time,
};

/// Pages of state that are sent in a second, and the answer that exceeds it; further questions are
/// dropped, counted, and asked again by whoever needs it. One may ask much in few bytes.
const MAX_SERVED: usize = 512;
/// How long tables have to differ until it takes an exchange to mend that: for two answers in a row, where
/// somebody is probed every second.
const PATIENCE: Duration = Duration::from_millis(900);
/// The time between such exchanges.
const HURRY: Duration = Duration::from_secs(1);
/// When one that was asked for help says that it has no answer: this part of the time-out.
const NACK_AT: f64 = 0.8;

impl<S: Signer> Swim<S> {
    pub(super) fn receive(&mut self, now: Time, from: NodeId, bytes: &[u8], rng: &mut impl Rng) {
        let Ok(Message { body, updates }) = Message::read(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        self.is_misjudged = false;
        match &body {
            Body::State { .. } => self.take_state(from, updates, now, rng),
            _ => self.take_updates(from, updates, now, rng),
        }
        if self.is_over {
            return;
        }
        if self.is_misjudged {
            self.show_own(from, Via::Packet, &Body::Gossip);
        }
        self.obey(now, from, body, rng);
        self.ask_for_rumors(now);
    }

    fn obey(&mut self, now: Time, from: NodeId, body: Body, rng: &mut impl Rng) {
        match body {
            Body::Ping { number, via } => self.acknowledge(from, via, number),
            Body::Ack { number, digest } => self.take_answer(now, from, number, digest),
            Body::PingRequest { number, target } => self.help(now, from, number, target),
            Body::Nack { number } => self.prober.nack(from, number),
            Body::Farewell => self.confirm_farewell(from),
            Body::FarewellHeard { version } => self.farewell_heard(now, from, version),
            Body::Ask(ask) => self.answer(now, from, &ask),
            Body::State { want } => self.tell(now, from, &want),
            Body::AskMetadata { about, hash } => self.describe(now, from, about, &hash),
            Body::Metadata { about, bytes } => self.take_metadata(about, bytes),
            Body::Digest(lines) => {
                let more = self.compare_rumors(now, from, &lines, rng);
                self.tell_more(now, from, &lines, more, rng);
            }
            Body::Heard(lines) => drop(self.compare_rumors(now, from, &lines, rng)),
            Body::Fetch(wants) => self.serve_rumors(now, from, &wants),
            Body::AskMarks => self.tell_marks(now, from),
            Body::Marks { marks, left } => self.take_marks(now, marks, left),
            Body::Gossip | Body::Rumors => (),
        }
    }

    fn take_answer(&mut self, now: Time, from: NodeId, number: u32, digest: u64) {
        match self.prober.answer(from, number) {
            Answered::Own => (),
            Answered::Relayed { asker, number } => {
                let digest = self.digest();
                self.send(asker, Via::Packet, &Body::Ack { number, digest });
            }
            Answered::Nothing => return,
        }
        self.compare(now, from, digest);
    }

    /// Exchanges state with one who knows other members, if that does not pass by itself.
    fn compare(&mut self, now: Time, from: NodeId, digest: u64) {
        if digest == self.digest() {
            self.differs_since = None;
            return;
        }
        let since = *self.differs_since.get_or_insert(now);
        let is_time = PATIENCE <= now.since(since) && self.timers.hurry <= now;
        if is_time && self.config.exchange_interval.is_some() {
            self.timers.hurry = now + HURRY;
            self.ask(from, Via::Stream);
        }
    }

    /// Probes somebody for a member that has got no answer.
    fn help(&mut self, now: Time, from: NodeId, number: u32, target: NodeId) {
        let is_known = self.table.get(from).is_some() && self.table.get(target).is_some();
        let nack = self.config.probe_timeout.mul_f64(NACK_AT);
        let nack = self.config.lifeguard.probe.then_some(nack);
        let times = (nack, self.config.probe_interval);
        let relay = is_known.then(|| self.prober.relay((from, number), target, now, times));
        match relay.flatten() {
            Some(number) => self.ping(target, Via::Packet, number),
            None => self.counters.unserved += 1,
        }
    }

    fn confirm_farewell(&mut self, from: NodeId) {
        let member = self.table.get(from).filter(|member| member.standing == Standing::Left);
        if let Some(version) = member.map(|member| member.record.version) {
            self.send(from, Via::Packet, &Body::FarewellHeard { version });
        }
    }

    fn farewell_heard(&mut self, now: Time, from: NodeId, version: Version) {
        let linger = self.linger();
        if let Some(leave) = self.leave.as_mut().filter(|_| version == self.own.version) {
            leave.confirm(from, now, linger);
        }
    }

    fn tell(&mut self, now: Time, from: NodeId, want: &[u64]) {
        if !want.is_empty() && self.may_serve(now) {
            let pages = exchange::tell(self.view(), want);
            self.serve(from, pages);
        }
    }

    fn answer(&mut self, now: Time, from: NodeId, ask: &Ask) {
        if self.may_serve(now) {
            let pages = exchange::answer(self.view(), ask);
            self.serve(from, pages);
        }
    }

    /// Passes metadata on, if they are those that are asked for.
    fn describe(&mut self, now: Time, to: NodeId, about: NodeId, hash: &[u8; 16]) {
        let bytes = match about == self.node() {
            true => Some(self.profile.metadata.clone()).filter(|_| self.own.metadata == *hash),
            false => self.metadata.of(about, hash),
        };
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty())
            && self.may_serve(now)
        {
            self.served.1 += 1;
            self.push(to, Via::Packet, begin(&Body::Metadata { about, bytes }).freeze());
        }
    }

    fn take_metadata(&mut self, about: NodeId, bytes: Bytes) {
        match self.metadata.take(about, bytes) {
            true => self.event(Event::Described(about)),
            false => self.counters.unwanted += 1,
        }
    }

    pub(super) fn may_serve(&mut self, now: Time) -> bool {
        if Duration::from_secs(1) <= now.since(self.served.0) {
            self.served = (now, 0);
        }
        let may = self.served.1 < MAX_SERVED;
        self.counters.unserved += u64::from(!may);
        may
    }

    pub(super) fn serve(&mut self, to: NodeId, pages: Vec<Bytes>) {
        self.served.1 += pages.len().max(1);
        self.push_all(to, Via::Stream, pages);
    }
}
