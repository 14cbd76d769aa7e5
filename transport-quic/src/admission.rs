//! Which newcomers a listener lets in, pure but for the time that it is given.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tokio::time::Instant;

use crate::Settings;

/// Who has a handshake under way at a listener, and who is connected.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    /// Oldest first.
    pending: VecDeque<Pending>,
    next: u64,
    connected: HashMap<Source, usize>,
    connections: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Handshakes beyond which an address has to be proven.
    retry: usize,
    handshakes: usize,
    source_handshakes: usize,
    /// The age at which a handshake is thought to stall, rather than to wait for this side, which
    /// many honest newcomers at once keep busy.
    stalled: Duration,
    connections: usize,
    source_connections: usize,
}

/// Where somebody comes from, as coarse as somebody may have many addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

/// Whether the address of a newcomer is known to be its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Claimed,
    Proven,
}

/// What to do with a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Shake hands, under this ticket, and give up the handshake of the other, if there is one.
    Admit { ticket: Ticket, instead_of: Option<Ticket> },
    /// Say nothing: it tries again by itself, and what it costs is little.
    Ignore,
    /// Let it prove that its address is its own, and forget it meanwhile.
    Prove,
    /// Tell it that there is no room.
    Refuse,
}

/// A handshake under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
struct Pending {
    ticket: Ticket,
    source: Source,
    since: Instant,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pending: VecDeque::new(),
            next: 0,
            connected: HashMap::new(),
            connections: 0,
        }
    }

    /// Decides about somebody who wants to shake hands.
    pub(crate) fn judge(&mut self, source: Source, address: Address, now: Instant) -> Verdict {
        if !self.has_room(source) {
            return Verdict::Refuse;
        }
        if address == Address::Claimed && self.limits.retry <= self.pending.len() {
            return Verdict::Prove;
        }
        let of_source = self.pending.iter().filter(|pending| pending.source == source).count();
        let payer = match (self.limits.source_handshakes <= of_source, self.is_full()) {
            (true, _) => Some(source),
            (false, true) => self.busiest(),
            (false, false) => None,
        };
        let Some(payer) = payer else { return self.admit(source, None, now) };
        match self.stalled(payer, now) {
            Some(ticket) => self.admit(source, Some(ticket), now),
            None => Verdict::Ignore,
        }
    }

    /// A handshake failed.
    pub(crate) fn failed(&mut self, ticket: Ticket) {
        self.forget(ticket);
    }

    /// A handshake succeeded; tells whether there is room for the connection, and counts it then.
    pub(crate) fn connected(&mut self, ticket: Ticket) -> Option<Source> {
        let source = self.forget(ticket)?;
        if !self.has_room(source) {
            return None;
        }
        *self.connected.entry(source).or_default() += 1;
        self.connections += 1;
        Some(source)
    }

    /// A connection that was counted has ended.
    pub(crate) fn ended(&mut self, source: Source) {
        let Some(count) = self.connected.get_mut(&source) else { return };
        *count -= 1;
        if *count == 0 {
            self.connected.remove(&source);
        }
        self.connections -= 1;
    }

    fn has_room(&self, source: Source) -> bool {
        let of_source = self.connected.get(&source).copied().unwrap_or_default();
        self.connections < self.limits.connections && of_source < self.limits.source_connections
    }

    fn is_full(&self) -> bool {
        self.limits.handshakes <= self.pending.len()
    }

    fn admit(&mut self, source: Source, instead_of: Option<Ticket>, now: Instant) -> Verdict {
        if let Some(ticket) = instead_of {
            self.forget(ticket);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.pending.push_back(Pending { ticket, source, since: now });
        Verdict::Admit { ticket, instead_of }
    }

    fn forget(&mut self, ticket: Ticket) -> Option<Source> {
        let at = self.pending.binary_search_by_key(&ticket, |pending| pending.ticket).ok()?;
        Some(self.pending.remove(at)?.source)
    }

    fn busiest(&self) -> Option<Source> {
        let mut counts: HashMap<Source, usize> = HashMap::new();
        self.pending.iter().for_each(|pending| *counts.entry(pending.source).or_default() += 1);
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(source, _)| source)
    }

    /// The oldest handshake of `source`, if it does not get on.
    fn stalled(&self, source: Source, now: Instant) -> Option<Ticket> {
        let oldest = self.pending.iter().find(|pending| pending.source == source)?;
        let age = now.saturating_duration_since(oldest.since);
        (self.limits.stalled <= age).then_some(oldest.ticket)
    }
}

impl Limits {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            retry: settings.retry,
            handshakes: settings.handshakes,
            source_handshakes: settings.handshakes.div_ceil(2),
            stalled: settings.handshake / 2,
            connections: settings.connections,
            source_connections: settings.source_connections,
        }
    }
}

impl Source {
    /// An IPv4 address, or the network of an IPv6 one, in which one host may have any number.
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into()),
            ip => Self(ip),
        }
    }
}

/// The first 64 bits.
const NETWORK: u128 = !(u64::MAX as u128);

#[cfg(test)]
mod tests {
    use super::*;

    const STALLED: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits {
        retry: 2,
        handshakes: 6,
        source_handshakes: 3,
        stalled: STALLED,
        connections: 4,
        source_connections: 2,
    };

    fn source(n: u8) -> Source {
        Source::of(IpAddr::from([10, 0, 0, n]))
    }

    fn admit(admission: &mut Admission, from: u8, now: Instant) -> Ticket {
        match admission.judge(source(from), Address::Proven, now) {
            Verdict::Admit { ticket, .. } => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn under_load_addresses_have_to_be_proven() {
        let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
        for n in 0..2 {
            let verdict = admission.judge(source(n), Address::Claimed, now);
            assert!(matches!(verdict, Verdict::Admit { instead_of: None, .. }));
        }
        assert_eq!(admission.judge(source(3), Address::Claimed, now), Verdict::Prove);
        admit(&mut admission, 3, now);
    }

    #[test]
    fn a_source_that_stalls_pays_for_itself() {
        let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
        let first = admit(&mut admission, 1, now);
        admit(&mut admission, 1, now);
        admit(&mut admission, 1, now);
        // As long as they get on, nobody is given up for a newcomer, who tries again.
        assert_eq!(admission.judge(source(1), Address::Proven, now), Verdict::Ignore);
        admit(&mut admission, 2, now);
        let verdict = admission.judge(source(1), Address::Proven, now + STALLED);
        assert!(matches!(verdict, Verdict::Admit { instead_of: Some(t), .. } if t == first));
        assert_eq!(admission.pending.len(), 4);
    }

    #[test]
    fn the_busiest_source_pays_for_a_full_table() {
        let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
        for from in [1, 2, 2, 3] {
            admit(&mut admission, from, now);
        }
        let [busy, _] = [2, 4].map(|from| {
            let ticket = admission.pending.iter().find(|p| p.source == source(from));
            ticket.map(|pending| pending.ticket)
        });
        admit(&mut admission, 2, now);
        admit(&mut admission, 1, now);
        assert_eq!(admission.judge(source(4), Address::Proven, now), Verdict::Ignore);
        let verdict = admission.judge(source(4), Address::Proven, now + STALLED);
        assert!(
            matches!(verdict, Verdict::Admit { instead_of, .. } if instead_of == busy),
            "{verdict:?}"
        );
        assert_eq!(admission.pending.len(), LIMITS.handshakes);
    }

    #[test]
    fn connections_are_bounded_by_source_and_together() {
        let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
        let mut connect = |from| {
            let ticket = admit(&mut admission, from, now);
            admission.connected(ticket)
        };
        for from in [1, 1, 2, 3] {
            assert_eq!(connect(from), Some(source(from)));
        }
        assert_eq!(admission.judge(source(1), Address::Proven, now), Verdict::Refuse);
        assert_eq!(admission.judge(source(9), Address::Proven, now), Verdict::Refuse);
        admission.ended(source(2));
        assert_eq!(admission.judge(source(1), Address::Proven, now), Verdict::Refuse);
        // Two shake hands for the one place that is left.
        let tickets = [9, 10].map(|from| admit(&mut admission, from, now));
        assert_eq!(admission.connected(tickets[0]), Some(source(9)));
        assert_eq!(admission.connected(tickets[1]), None);
        assert!(admission.pending.is_empty());
    }

    #[test]
    fn a_handshake_that_was_given_up_is_no_connection() {
        let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
        let ticket = admit(&mut admission, 1, now);
        admission.failed(ticket);
        admission.failed(ticket);
        assert_eq!(admission.connected(ticket), None);
        assert_eq!(admission.connections, 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
        assert_ne!(source("10.0.0.1"), source("10.0.0.2"));
    }
}
