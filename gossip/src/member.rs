//! One member, as a node sees it.

use blake3::Hasher;

use crate::{
    accusation::Accusation,
    names::{Rank, Right},
    record::{Record, State},
    signer::Grant,
    suspicion::Suspicion,
    time::Time,
};

/// A member as this node sees it.
#[derive(Debug)]
pub struct Member {
    pub(crate) record: Record,
    pub(crate) standing: Standing,
    pub(crate) since: Time,
    /// While it is suspected.
    pub(crate) suspicion: Option<Suspicion>,
    /// Whose word it was, once it has failed.
    pub(crate) failure: Option<Accusation>,
    /// Whether the user has heard of it. Those that had failed or left before this node came are known
    /// silently, so that they are sought, and not taken for new.
    pub(crate) is_announced: bool,
    /// By what it has its name.
    pub(crate) right: Right,
    /// What stands for it in digests and exchanges.
    pub(crate) print: u64,
}

/// What a node holds a member for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is there.
    Alive,
    /// It is there, but somebody has not heard from it, and it has not yet said that it lives.
    Suspected,
    /// It is not there, and did not say goodbye.
    Failed,
    /// It has said goodbye.
    Left,
}

impl Standing {
    /// Whether the member is held to be there.
    #[must_use]
    pub fn is_here(self) -> bool {
        matches!(self, Self::Alive | Self::Suspected)
    }
}

impl Member {
    pub(crate) fn new(record: Record, grant: &Grant, now: Time) -> Self {
        let standing = match record.state {
            State::Alive => Standing::Alive,
            State::Leaving => Standing::Left,
        };
        Self {
            print: print(&record, standing),
            right: Right::to(&record.name, grant),
            record,
            standing,
            since: now,
            suspicion: None,
            failure: None,
            is_announced: standing == Standing::Alive,
        }
    }

    /// What the member has said of itself last.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What this node holds it for.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Since when.
    pub fn since(&self) -> Time {
        self.since
    }

    /// What its claim to its name is worth.
    pub(crate) fn rank(&self) -> Rank {
        let Record { node, version, .. } = &self.record;
        Rank { right: self.right, epoch: version.epoch, node: *node }
    }

    /// Changes what it is held for.
    pub(crate) fn turn(&mut self, standing: Standing, now: Time) {
        (self.standing, self.since) = (standing, now);
        self.print = print(&self.record, standing);
    }
}

/// Eight bytes of a hash of what two nodes should agree on; that a member is suspected is not part of it.
pub(crate) fn print(record: &Record, standing: Standing) -> u64 {
    let class = match standing {
        Standing::Alive | Standing::Suspected => 0,
        Standing::Failed => 1,
        Standing::Left => 2,
    };
    let mut hasher = Hasher::new();
    hasher.update(&record.node.0).update(&record.version.epoch.to_be_bytes());
    hasher.update(&record.version.n.to_be_bytes()).update(&[class]);
    let hash = hasher.finalize();
    u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("invariant: 8 is less than 32"))
}
