//! What became of everything, in numbers.

use rumormill_endpoint::{Endpoint, Snapshot, pool};
use rumormill_gossip::{Counters, Gossip, MemberInfo, Standing};
use rumormill_transport_api::NodeId;

/// The numbers of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whose.
    pub node: NodeId,
    /// Messages, frames, conns and transports.
    pub endpoint: Snapshot,
    /// What membership refused or dropped.
    pub gossip: Counters,
    /// Messages of membership that the endpoint did not take, and that are repeated.
    pub unsent: u64,
    /// Conns that are lent.
    pub pool: pool::Snapshot,
    /// Other members, by what they are held for, each standing once.
    pub members: [(Standing, usize); 4],
}

impl Metrics {
    pub(super) fn of(endpoint: &Endpoint, gossip: &Gossip) -> Self {
        Self {
            node: endpoint.node(),
            endpoint: endpoint.snapshot(),
            gossip: gossip.counters(),
            unsent: gossip.unsent(),
            pool: endpoint.pool().snapshot(),
            members: counted(&gossip.members()),
        }
    }
}

fn counted(members: &[MemberInfo]) -> [(Standing, usize); 4] {
    [Standing::Alive, Standing::Suspected, Standing::Failed, Standing::Left].map(|standing| {
        (standing, members.iter().filter(|member| member.standing == standing).count())
    })
}
