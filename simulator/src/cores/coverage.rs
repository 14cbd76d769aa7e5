//! What has really happened in a story.

use std::ops::AddAssign;

/// How often each kind of fault has hit something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Packets that were lost.
    pub lost: u64,
    /// Packets that arrived twice.
    pub doubled: u64,
    /// Packets that arrived before an earlier one between the same two.
    pub overtaken: u64,
    /// Messages that a border stopped which lets nothing through.
    pub parted: u64,
    /// Messages that did not reach an island that hears nothing.
    pub deafened: u64,
    /// Messages that waited for a process that did not run.
    pub queued: u64,
    /// Hosts that crashed.
    pub crashed: u64,
    /// Hosts that started again.
    pub restarted: u64,
    /// Hosts that were told to leave.
    pub leaving: u64,
    /// Leaves that enough others confirmed.
    pub left: u64,
    /// Hosts that came new.
    pub joined: u64,
    /// Hosts that had something new to say of themselves.
    pub changed: u64,
    /// Members that were suspected, as each host reported it.
    pub suspected: u64,
    /// Members that were taken for failed, as each host reported it.
    pub failed: u64,
}

impl Coverage {
    /// All counts by name.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 14] {
        [
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("overtaken", self.overtaken),
            ("parted", self.parted),
            ("deafened", self.deafened),
            ("queued", self.queued),
            ("crashed", self.crashed),
            ("restarted", self.restarted),
            ("leaving", self.leaving),
            ("left", self.left),
            ("joined", self.joined),
            ("changed", self.changed),
            ("suspected", self.suspected),
            ("failed", self.failed),
        ]
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.overtaken += other.overtaken;
        self.parted += other.parted;
        self.deafened += other.deafened;
        self.queued += other.queued;
        self.crashed += other.crashed;
        self.restarted += other.restarted;
        self.leaving += other.leaving;
        self.left += other.left;
        self.joined += other.joined;
        self.changed += other.changed;
        self.suspected += other.suspected;
        self.failed += other.failed;
    }
}
