//! Who takes part, by which transports, and who does what.

use std::time::Duration;

use super::chaos::Chaos;

/// Who takes part, by which transports, and who does what.
#[derive(Debug)]
pub(super) struct Plan {
    /// The nodes, the [hub](HUB) first.
    pub(super) cast: Vec<Part>,
    /// The transports that they have together.
    pub(super) schemes: Vec<&'static str>,
    /// What their messages suffer.
    pub(super) chaos: Chaos,
    /// How long they broadcast.
    pub(super) telling: Duration,
}

/// A node that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What people call it; no other begins with its letter.
    pub(super) name: &'static str,
    /// By which transports it can be reached.
    pub(super) schemes: Vec<&'static str>,
}

impl Plan {
    /// So many nodes: one with all transports, and the others with one each, in turn.
    pub(super) fn new(
        nodes: usize,
        schemes: Vec<&'static str>,
        chaos: Chaos,
        seconds: u64,
    ) -> Self {
        let singles = schemes.iter().cycle().map(|scheme| vec![*scheme]);
        let all = [schemes.clone()].into_iter().chain(singles);
        let cast = NAMES.iter().zip(all).take(nodes);
        let cast = cast.map(|(name, schemes)| Part { name, schemes }).collect();
        let telling = Duration::from_secs(seconds.saturating_sub(REST));
        Self { cast, schemes, chaos, telling }
    }

    /// Who says goodbye.
    pub(super) fn leaver(&self) -> usize {
        self.cast.len() - 1
    }

    /// How many each node broadcasts.
    pub(super) fn rounds(&self) -> usize {
        let room = MOST_BROADCASTS / self.cast.len();
        (ROUNDS_PER_SECOND * self.telling.as_secs() as usize).clamp(2, room)
    }
}

/// Who has all transports, is joined by the others, and loses a transport.
pub(super) const HUB: usize = 0;
/// Who asks the hub while that happens.
pub(super) const ASKER: usize = 1;
/// Who is killed, and comes back.
pub(super) const VICTIM: usize = 2;
/// So many the play takes.
pub(super) const LEAST_NODES: usize = VICTIM + 1;
/// What everything but the broadcasts takes, about, in seconds.
pub(super) const REST: u64 = 10;
/// The shortest play, in seconds.
pub(super) const LEAST_SECONDS: u64 = REST + 2;

/// A letter each, by which tables name them.
pub(super) const NAMES: [&str; 26] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim",
    "leo", "mia", "nina", "oscar", "peggy", "quinn", "rupert", "sybil", "trent", "uma", "victor",
    "wendy", "xena", "yves", "zoe",
];
const ROUNDS_PER_SECOND: usize = 4;
/// Of all nodes together: each arrives everywhere else, and is noted there.
const MOST_BROADCASTS: usize = 2000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(nodes: usize, seconds: u64) -> Plan {
        Plan::new(nodes, vec!["quic", "tcp", "udp"], Chaos::default(), seconds)
    }

    #[test]
    fn the_first_has_all_transports_and_the_others_one_in_turn() {
        let all: Vec<_> = plan(6, 20).cast.into_iter().map(|part| part.schemes).collect();
        let [quic, tcp, udp] = [["quic"], ["tcp"], ["udp"]].map(Vec::from);
        let expected = [vec!["quic", "tcp", "udp"], quic.clone(), tcp.clone(), udp, quic, tcp];
        assert_eq!(all, expected);
    }

    #[test]
    fn every_name_has_a_letter_of_its_own() {
        let letters: BTreeSet<_> = NAMES.iter().filter_map(|name| name.chars().next()).collect();
        assert_eq!(letters.len(), NAMES.len());
        assert!(NAMES.iter().all(|name| name.len() <= 7), "tables have room for them");
    }

    #[test]
    fn longer_plays_have_more_broadcasts_up_to_a_bound() {
        let rounds = |nodes, seconds| plan(nodes, seconds).rounds();
        assert!(2 <= rounds(3, LEAST_SECONDS));
        assert!(rounds(6, 20) < rounds(6, 40));
        assert!(26 * rounds(26, 3600) <= MOST_BROADCASTS);
    }
}
