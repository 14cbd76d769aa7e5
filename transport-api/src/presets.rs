//! Deadlines and buffer sizes to start from.

use std::time::Duration;

/// How long whoever drives a conn waits for a peer. Transports have no such clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For an open conn.
    pub dial: Duration,
    /// For the next message, where one is due.
    pub read: Duration,
    /// For the carrier to accept a batch.
    pub write: Duration,
}

impl Timeouts {
    /// One data centre: dial 3 s, read 5 s, write 5 s. This is the default.
    pub const fn lan() -> Self {
        Self::seconds(3, 5, 5)
    }

    /// Across the Internet: dial 10 s, read 15 s, write 15 s.
    pub const fn wan() -> Self {
        Self::seconds(10, 15, 15)
    }

    /// Round trips of more than half a second: dial 20 s, read 30 s, write 30 s.
    pub const fn satellite() -> Self {
        Self::seconds(20, 30, 30)
    }

    const fn seconds(dial: u64, read: u64, write: u64) -> Self {
        Self {
            dial: Duration::from_secs(dial),
            read: Duration::from_secs(read),
            write: Duration::from_secs(write),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::lan()
    }
}

/// How much a conn reads or gathers at a time, in bytes, where its transport has a choice.
///
/// A conn that is busy holds about this much in each direction; an idle one holds next to nothing.
pub struct Buffers;

impl Buffers {
    /// For small messages, and for many conns: 32 KiB.
    pub const SMALL: usize = 32 << 10;
    /// For large values, and for few conns: 256 KiB.
    pub const LARGE: usize = 256 << 10;
}
