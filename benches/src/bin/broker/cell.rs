//! What is measured: messages of a size, and who gets them.

use std::fmt;

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Bytes of a message.
    pub(crate) size: usize,
    pub(crate) shape: Shape,
}

/// Who gets a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each of so many subscribers.
    Fanout(usize),
    /// One of so many.
    Queue(usize),
}

/// A broker, and the way to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// nats-server over tcp.
    Nats,
    /// rumormill's over tcp.
    Tcp,
    /// rumormill's over Unix sockets.
    Unix,
}

impl Cell {
    pub(crate) fn all() -> Vec<Self> {
        let sizes = [64, 1 << 10, 16 << 10];
        sizes.iter().flat_map(|&size| Shape::ALL.map(|shape| Self { size, shape })).collect()
    }

    /// Messages of a write of the load, which is at least 64 KiB.
    pub(crate) fn chunk(self) -> u64 {
        (CHUNK / self.size) as u64
    }

    /// Messages that the publisher may be ahead of the slowest subscriber.
    pub(crate) fn window(self) -> u64 {
        ((WINDOW / self.size) as u64).min(MOST_AHEAD)
    }
}

impl Shape {
    pub(crate) const ALL: [Self; 4] =
        [Self::Fanout(1), Self::Fanout(8), Self::Fanout(32), Self::Queue(4)];

    pub(crate) fn subscribers(self) -> usize {
        match self {
            Self::Fanout(count) | Self::Queue(count) => count,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            size if size.is_multiple_of(1 << 10) => write!(f, "{}KiB/", size >> 10)?,
            size => write!(f, "{size}B/")?,
        }
        match self.shape {
            Shape::Fanout(count) => write!(f, "1-to-{count}"),
            Shape::Queue(count) => write!(f, "queue-of-{count}"),
        }
    }
}

impl Rival {
    pub(crate) const ALL: [Self; 3] = [Self::Nats, Self::Tcp, Self::Unix];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }
}

/// Bytes that are published before others get their turn.
const CHUNK: usize = 64 << 10;
/// Bytes of payload that the publisher may be ahead.
const WINDOW: usize = 4 << 20;
/// The same in messages.
const MOST_AHEAD: u64 = 32 << 10;
