//! What has happened, as data: all that checks and drawings know of a run.

use std::time::Duration;

use rumormill_endpoint::Snapshot;
use rumormill_gossip::{Event, Gap, LeaveReport, MemberInfo, RumorId, Standing, Version};
use rumormill_transport_api::NodeId;

use crate::nodes::scenario::{Crash, Slot, Step};

/// One process: a slot between one start and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// Which slot.
    pub slot: Slot,
    /// Its how manieth start, from 0.
    pub start: u16,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, since the beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A step was carried out.
    Done(Step),
    /// A step made no sense any more.
    Skipped(Step),
    /// A process was started.
    Started {
        /// Which.
        life: Life,
        /// With whose key.
        node: NodeId,
        /// In which cluster.
        cluster: Cluster,
    },
    /// A process has ended.
    Ended {
        /// Which.
        life: Life,
        /// How.
        how: End,
    },
    /// A process was told of something.
    Told {
        /// Which.
        life: Life,
        /// Of what.
        event: Event,
    },
    /// A process holds something else of a member than before.
    Seen {
        /// Which.
        life: Life,
        /// Of whom, and what.
        member: Known,
    },
    /// A process knows nothing of a member any more.
    Unseen {
        /// Which.
        life: Life,
        /// Of whom.
        node: NodeId,
    },
    /// An endpoint took a message of an application.
    Sent(Label),
    /// A message came out of an inbox.
    Arrived {
        /// At whom.
        life: Life,
        /// Who has sent it, verifiably.
        from: NodeId,
        /// What it says.
        label: Label,
    },
    /// A process has answered a question: one more message that its endpoint took.
    Replied(Life),
    /// A process asked and has an outcome.
    Answered {
        /// Which.
        life: Life,
        /// Whether it is the answer to what was asked; `None`: there is none.
        is_right: Option<bool>,
    },
    /// A process has said something to all.
    Said {
        /// Which.
        life: Life,
        /// What.
        id: RumorId,
    },
    /// A process has heard what another has said to all.
    Heard {
        /// Which.
        life: Life,
        /// What.
        id: RumorId,
        /// Whether it is what was said.
        is_right: bool,
    },
    /// A process was told that it will not hear something.
    Missed {
        /// Which.
        life: Life,
        /// What.
        gap: Gap,
    },
    /// How much a process holds.
    Measured {
        /// Which.
        life: Life,
        /// How much of what.
        gauge: Gauge,
    },
    /// An endpoint was closed and gave account.
    Closed {
        /// Whose.
        life: Life,
        /// What became of everything.
        ledger: Box<Snapshot>,
    },
    /// How often the one thread found nothing more to do, since the last of these entries.
    Turns(u64),
    /// Nobody looks any more: all that comes now belongs to the end of the run.
    Over,
    /// What is left when all nodes have ended.
    Left {
        /// Tasks.
        tasks: usize,
    },
}

/// Which cluster a process belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cluster {
    /// The one that the scenario is about.
    Ours,
    /// Another one, whose members meet ours by mistake.
    Other,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Without a word.
    Crashed(Crash),
    /// With a goodbye, which came this far; `None` if membership had ended before.
    Departed(Option<LeaveReport>),
    /// Because another process has its key.
    Replaced,
    /// With the run.
    Closed,
}

/// What a process holds of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whom.
    pub node: NodeId,
    /// What it is held for.
    pub standing: Standing,
    /// The version of its record.
    pub version: Version,
    /// A hash of what the record says.
    pub says: u64,
}

/// What a message of an application says: who has sent it to whom, and its number among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Who.
    pub from: Life,
    /// Whom.
    pub to: NodeId,
    /// Its number.
    pub number: u32,
}

/// How much a process holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Members.
    pub members: u64,
    /// Peers of its endpoint.
    pub peers: u64,
    /// Conns.
    pub conns: u64,
    /// Messages that wait to be sent or are on their way.
    pub waiting: u64,
    /// Messages of all classes taken to be sent since the start.
    pub sent: u64,
}

/// Milliseconds since 1970 at the beginning of each run.
pub(crate) const DAWN: u64 = 1_800_000_000_000;

impl Known {
    pub(crate) fn of(info: &MemberInfo) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(info.name.as_bytes());
        info.addresses.iter().for_each(|addr| {
            hasher.update(addr.to_string().as_bytes());
        });
        let says = hasher.finalize().as_bytes().first_chunk().copied().map(u64::from_be_bytes);
        let MemberInfo { node, standing, version, .. } = *info;
        Self { node, standing, version, says: says.unwrap_or_default() }
    }
}

impl Label {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let Self { from: Life { slot, start }, to, number } = self;
        let numbers = [slot.to_be_bytes(), start.to_be_bytes()].concat();
        [&numbers[..], &number.to_be_bytes(), &to.0].concat()
    }

    /// `None` for what no node of a scenario has sent.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (slot, rest) = bytes.split_first_chunk()?;
        let (start, rest) = rest.split_first_chunk()?;
        let (number, to) = rest.split_first_chunk()?;
        let from = Life { slot: u16::from_be_bytes(*slot), start: u16::from_be_bytes(*start) };
        let to = NodeId(to.try_into().ok()?);
        Some(Self { from, to, number: u32::from_be_bytes(*number) })
    }
}
