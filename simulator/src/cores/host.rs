//! One host: a core, and how its process fares.

use std::collections::BTreeMap;

use bytes::Bytes;
use rumormill_gossip::{Gap, LeaveReport, RumorId, Signer, Standing, Swim, Time};
use rumormill_transport_api::NodeId;

use crate::cores::{
    keys::id,
    watch::{Seen, Sight},
};

/// One node, or what is left of it.
pub struct Host {
    /// Its core.
    pub swim: Swim<Box<dyn Signer>>,
    /// Whether there is a process.
    pub is_up: bool,
    /// Hosts reach each other if they are on the same island.
    pub island: u8,
    /// How its leaving went.
    pub left: Option<LeaveReport>,
    /// What it has heard of rumors, and when.
    pub heard: BTreeMap<RumorId, Time>,
    /// What it was told that it will not hear.
    pub gaps: Vec<Gap>,
    /// Whether it was told to leave.
    pub is_leaving: bool,
    /// What waits while it does not run.
    pub(super) paused: Option<Vec<(usize, Bytes)>>,
    pub(super) deadline: Option<Time>,
    /// In which second it was woken last, and how often in that one.
    pub(super) woken: (u64, u64),
    /// Which member is looked at next.
    pub(super) next: usize,
}

impl Host {
    pub(super) fn new(swim: Swim<Box<dyn Signer>>) -> Self {
        Self {
            swim,
            is_up: true,
            island: 0,
            left: None,
            heard: BTreeMap::new(),
            gaps: Vec::new(),
            is_leaving: false,
            paused: None,
            deadline: None,
            woken: (0, 0),
            next: 0,
        }
    }

    /// Whether there is a process, and it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_up && self.paused.is_none()
    }

    /// Whether it has no doubts about a host.
    #[must_use]
    pub fn trusts(&self, at: usize) -> bool {
        let member = self.swim.member(id(at));
        member.is_none_or(|member| member.standing() == Standing::Alive)
    }

    /// Whether it takes a node for a member that is there.
    #[must_use]
    pub fn holds(&self, node: NodeId) -> bool {
        self.swim.member(node).is_some_and(|member| member.standing().is_here())
    }

    pub(super) fn sight(&self, node: NodeId) -> Option<Sight> {
        let member = self.swim.member(node)?;
        let record = member.record();
        let (standing, version) = (member.standing(), record.version);
        Some(Sight { node, standing, version, bytes: record.whole().clone() })
    }

    /// What it says of itself.
    pub(super) fn own(&self, host: usize) -> Seen {
        let (version, state) = (self.swim.own().version, self.swim.own().state);
        Seen::Own { host, version, state, is_leaving: self.is_leaving }
    }

    /// Notes that its core was woken; how often in this second.
    pub(super) fn wakes(&mut self, now: Time) -> u64 {
        if self.woken.0 != now.seconds() {
            self.woken = (now.seconds(), 0);
        }
        self.woken.1 += 1;
        self.woken.1
    }
}
