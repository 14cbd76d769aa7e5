//! What is to happen, as data.

use std::time::Duration;

use rumormill_gossip::Config;
use rumormill_transport_mem::Link;

/// A course of events for a cluster of whole nodes. With its seed it determines the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: Box<str>,
    /// Where all chance comes from.
    pub seed: u64,
    /// Nodes at the start, from 1: slots 0 and up.
    pub nodes: Slot,
    /// What they are reached by.
    pub delivery: Delivery,
    /// How membership behaves.
    pub preset: Preset,
    /// All links, at first.
    pub link: Link,
    /// What happens when, in order of time. What makes no sense when its time has come, to crash a node
    /// that is down, say, is skipped.
    pub steps: Vec<(Duration, Step)>,
}

/// The place of a node in the cast: a key, or a copy of one. A node that starts again keeps it.
pub type Slot = u16;

/// What nodes are reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Streams alone.
    Stream,
    /// Datagrams alone.
    Datagram,
    /// Each node by both.
    Both,
}

/// Which of gossip's presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// [`Config::local`].
    Local,
    /// [`Config::lan`].
    Lan,
    /// [`Config::wan`].
    Wan,
}

/// Something that happens to the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These are parted from all others, both ways.
    Part(Vec<Slot>),
    /// Nothing passes from one to the other; the way back stays open.
    Silence {
        /// Who is not heard.
        from: Slot,
        /// By whom.
        to: Slot,
    },
    /// All partitions and silences end.
    Heal,
    /// A node is not run for a while, as far as others can see: nothing passes to or from it. A task
    /// cannot be stopped from outside, so its own timers go on.
    Pause(Slot),
    /// A paused node is there again.
    Resume(Slot),
    /// A node ends without a word.
    Crash(Slot, Crash),
    /// A node that has ended starts again, with its key.
    Restart(Slot, Place),
    /// A node says goodbye and ends.
    Leave(Slot),
    /// A new node joins; its slot is the next that is free.
    Join,
    /// A node says something new of itself.
    Change(Slot),
    /// One takes the name of the other.
    Rename {
        /// Who takes it.
        rival: Slot,
        /// Who has it.
        holder: Slot,
    },
    /// Another process starts with the key of a node that runs; it takes the next free slot.
    Clone(Slot),
    /// A node of another cluster starts at the address of one that has ended; it takes the next free slot,
    /// and tries to join this cluster.
    Stranger(Slot),
    /// A node sends messages to another.
    Send {
        /// Who.
        from: Slot,
        /// Whom.
        to: Slot,
        /// How many.
        count: u8,
    },
    /// A node asks another.
    Ask {
        /// Who.
        from: Slot,
        /// Whom.
        to: Slot,
    },
    /// A node says things to all.
    Broadcast {
        /// Who.
        from: Slot,
        /// How many.
        count: u8,
        /// How long each is, in bytes.
        len: u16,
    },
    /// All links are like this from now on.
    Links(Link),
}

/// How a node ends that says no goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// Its process ends: its conns are cut, and dials to it are refused.
    Process,
    /// Its machine does: nobody is told anything.
    Machine,
}

/// Where a node starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Where it was.
    Same,
    /// At an address that nobody has had.
    New,
}

impl Preset {
    /// The settings that it stands for.
    #[must_use]
    pub fn config(self) -> Config {
        match self {
            Self::Local => Config::local(),
            Self::Lan => Config::lan(),
            Self::Wan => Config::wan(),
        }
    }
}

impl Scenario {
    /// When the last step is due.
    #[must_use]
    pub fn last_step(&self) -> Duration {
        self.steps.iter().map(|(at, _)| *at).max().unwrap_or_default()
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Adds a step at so many milliseconds.
    #[must_use]
    pub fn then(mut self, at_ms: u64, step: Step) -> Self {
        self.steps.push((Duration::from_millis(at_ms), step));
        self
    }
}
