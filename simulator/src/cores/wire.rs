//! One step: a message arrives or a timer ends, and what the core makes of it is carried on.

use std::{cmp::Reverse, time::Duration};

use bytes::Bytes;
use rumormill_gossip::{Event, Output, Standing, Time, Via};
use rumormill_transport_api::NodeId;

use crate::cores::{
    host::Host,
    keys::{id, place},
    link::{Wall, happens},
    net::{Net, Noted},
    traffic::SEAL,
    watch::{Seen, step},
};

/// What is on its way, the first to arrive first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flight {
    arrives: Time,
    /// In which order it left.
    number: u64,
    to: usize,
    from: usize,
    is_packet: bool,
    bytes: Bytes,
}

/// What a socket holds for a process that does not read.
const SOCKET: usize = 2048;
/// Messages that are kept for replays, at most, and how long each may be.
const HEARD: usize = 10_000;
const HEARD_LEN: usize = 4096;
const FAREWELL_HEARD: u8 = 7;

impl Net {
    /// Does what comes next, if it comes before `end`.
    pub(super) fn step(&mut self, end: Time) -> bool {
        let message = self.wire.peek().map(|Reverse(flight)| flight.arrives);
        let timer = self.deadlines.first().map(|(at, _)| *at);
        let Some(next) = message.into_iter().chain(timer).min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if message == Some(next) {
            self.wire.pop().into_iter().for_each(|Reverse(flight)| self.arrive(flight));
        } else if let Some((_, at)) = self.deadlines.first().copied() {
            self.wake(at);
        }
        true
    }

    fn wake(&mut self, at: usize) {
        self.wakes += 1;
        let times = self.hosts[at].wakes(self.now);
        let most = wakes_most(self.hosts.len());
        self.see(Seen::Woken { host: at, times, most });
        self.hosts[at].swim.wake(self.now, &mut self.rng);
        self.drain(at);
    }

    fn arrive(&mut self, flight: Flight) {
        if self.is_stopped(&flight) || !self.hosts[flight.to].is_up {
            self.stray += 1;
            return;
        }
        if flight.is_packet && 0.0 < self.link.held {
            let latest = self.latest.entry((flight.from, flight.to)).or_default();
            self.coverage.overtaken += u64::from(flight.number < *latest);
            *latest = flight.number.max(*latest);
        }
        let Flight { to, from, bytes, .. } = flight;
        match &mut self.hosts[to].paused {
            Some(waiting) if waiting.len() < SOCKET => waiting.push((from, bytes)),
            Some(_) => self.stray += 1,
            None => self.receive(to, from, bytes),
        }
    }

    /// Whether a border stops it.
    fn is_stopped(&mut self, flight: &Flight) -> bool {
        let (from, to) = (self.hosts[flight.from].island, self.hosts[flight.to].island);
        match self.wall {
            _ if from == to => return false,
            Wall::Deaf(island) if flight.is_packet && to != island => return false,
            Wall::Deaf(_) => self.coverage.deafened += 1,
            Wall::Closed => self.coverage.parted += 1,
        }
        true
    }

    /// Takes everything out of a core, and looks at what it has become.
    pub(super) fn drain(&mut self, at: usize) {
        while let Some(output) = self.hosts[at].swim.poll() {
            match output {
                Output::Send { to, via, bytes } => self.send(at, to, via, bytes),
                Output::Event(event) => self.note(at, event),
                Output::Left(report) => {
                    let epoch = self.hosts[at].swim.own().version.epoch;
                    self.see(Seen::Left { host: at, epoch, report });
                    self.coverage.left += u64::from(report.is_success());
                    (self.hosts[at].left, self.hosts[at].is_up) = (Some(report), false);
                }
                Output::Rumor(rumor) => {
                    let before = self.hosts[at].heard.insert(rumor.id(), self.now);
                    assert!(before.is_none(), "{at} has heard {:?} twice", rumor.id());
                }
                Output::Gap(gap) => self.hosts[at].gaps.push(gap),
                Output::Learn { .. } | Output::Forget(_) | Output::Noted(_) => (),
            }
        }
        self.look(at);
        self.reschedule(at);
    }

    /// Looks at what a host says of itself and knows of one other, each in turn.
    fn look(&mut self, at: usize) {
        self.see(self.hosts[at].own(at));
        self.hosts[at].next += 1;
        if self.hosts.len() <= self.hosts[at].next {
            self.hosts[at].next = 0;
            let swim = &self.hosts[at].swim;
            let (members, unsent) = (swim.members().count(), swim.counters().unsent);
            let most = self.config.members_max;
            self.see(Seen::Table { host: at, members, most, unsent });
        }
        let host = &self.hosts[at];
        if let Some(member) = host.sight(id(host.next)) {
            self.see(Seen::Member { host: at, member });
        }
    }

    fn note(&mut self, at: usize, event: Event) {
        if let Some((node, _, after)) = step(&event) {
            self.coverage.suspected += u64::from(after == Standing::Suspected);
            self.coverage.failed += u64::from(after == Standing::Failed);
            let is_there = place(node).is_some_and(|of| self.is_there(of));
            let (member, is_calm) = (self.hosts[at].sight(node), self.is_calm && is_there);
            self.see(Seen::Event { host: at, event: event.clone(), member, is_calm });
        }
        self.log.push(Noted { time: self.now, host: at, event });
    }

    fn is_there(&self, at: usize) -> bool {
        self.hosts.get(at).is_some_and(Host::is_running)
    }

    fn send(&mut self, from: usize, to: NodeId, via: Via, bytes: Bytes) {
        self.traffic.add(&bytes);
        self.see(Seen::Sent { host: from, via, len: bytes.len() + SEAL, most: self.config.packet });
        self.confirm(from, to, &bytes);
        let Some(to) = place(to).filter(|at| *at < self.hosts.len()) else {
            self.stray += 1;
            return;
        };
        let is_packet = via == Via::Packet;
        if is_packet && happens(self.link.loss, &mut self.rng) {
            self.stray += 1;
            self.coverage.lost += 1;
            return;
        }
        if self.heard.len() < HEARD && bytes.len() <= HEARD_LEN {
            self.heard.push((from, bytes.clone()));
        }
        if is_packet && happens(self.link.doubled, &mut self.rng) {
            self.coverage.doubled += 1;
            self.launch(from, to, is_packet, bytes.clone());
        }
        self.launch(from, to, is_packet, bytes);
    }

    fn launch(&mut self, from: usize, to: usize, is_packet: bool, bytes: Bytes) {
        let held = if is_packet { self.link.hold(&mut self.rng) } else { Duration::ZERO };
        let arrives = self.now + self.link.time(&mut self.rng) + held;
        self.sends += 1;
        let number = self.sends;
        self.wire.push(Reverse(Flight { arrives, number, to, from, is_packet, bytes }));
    }

    /// Shows the watch who confirms that somebody leaves.
    fn confirm(&mut self, host: usize, leaver: NodeId, bytes: &[u8]) {
        let Some((&[_, FAREWELL_HEARD], rest)) = bytes.split_first_chunk() else { return };
        let epoch = rest.first_chunk().map_or(0, |epoch| u64::from_be_bytes(*epoch));
        let member = self.hosts[host].swim.member(leaver);
        let knows = member.is_some_and(|member| {
            member.standing() == Standing::Left && member.record().version.epoch == epoch
        });
        self.see(Seen::Confirmed { host, leaver, epoch, knows });
    }

    /// Notes when a core wants to be woken.
    pub(super) fn reschedule(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        if let Some(deadline) = host.deadline.take() {
            self.deadlines.remove(&(deadline, at));
        }
        host.deadline = host.swim.deadline().filter(|_| host.is_running());
        self.deadlines.extend(host.deadline.map(|deadline| (deadline, at)));
    }
}

/// How often a core may want to be woken in a second, where the shortest interval is a tenth of one: for
/// its own rhythms, and for what each other may ask of it or be suspected of.
fn wakes_most(hosts: usize) -> u64 {
    64 + 4 * hosts as u64
}

#[cfg(test)]
mod tests {
    use rumormill_gossip::Config;

    use super::*;

    #[test]
    fn borders_let_through_what_they_say() {
        let check = |wall, expected: [bool; 2]| {
            let mut net = Net::settled(1, 2, Config::lan());
            (net.hosts[1].island, net.wall) = (1, wall);
            let flight = |from, to, is_packet| {
                let (arrives, bytes) = (Time::default(), Bytes::new());
                Flight { arrives, number: 0, to, from, is_packet, bytes }
            };
            let stopped = [(1, 0, true), (0, 1, true)]
                .map(|(from, to, is_packet)| net.is_stopped(&flight(from, to, is_packet)));
            assert_eq!(stopped, expected, "{wall:?}");
            assert!(net.is_stopped(&flight(0, 1, false)) && net.is_stopped(&flight(1, 0, false)));
            assert!(!net.is_stopped(&flight(1, 1, true)));
        };
        check(Wall::Closed, [true, true]);
        check(Wall::Deaf(1), [false, true]);
    }
}
