//! What one direction between two hosts does to messages.

use std::{num::NonZeroU64, time::Duration};

/// The faults of one direction between two hosts; the default has none.
///
/// All conns from one host to the other share the link, in both modes. What it does to a message is
/// decided when the message is sent: a link that changes later leaves alone what is on its way.
///
/// | fault | datagrams | streams |
/// |---|---|---|
/// | `latency`, `jitter` | arrive later | arrive later, in order |
/// | `loss` | never arrive | arrive later, each time by a retransmission |
/// | `duplicate` | arrive twice | no effect |
/// | `reorder` | arrive later than the following ones | no effect |
/// | `bandwidth` | wait for their turn, and are lost if that takes long | wait for their turn |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// How long a message is on its way. Timers of tokio tick in milliseconds, so a reader that
    /// waits for a message notices it at the next full millisecond.
    pub latency: Duration,
    /// Up to how much longer it is on its way, evenly spread between nothing and this.
    pub jitter: Duration,
    /// The share of messages that are lost, 0 to 1.
    ///
    /// A stream sends what is lost again, so that it arrives later by twice the latency, at least
    /// 200 ms, for each time that it is lost, but not more than 64 times. A loss of 1 or more holds
    /// up streams as a partition does.
    pub loss: f64,
    /// The share of datagrams that arrive twice, 0 to 1. Each of the two has its own jitter.
    pub duplicate: f64,
    /// The share of datagrams that later ones overtake, 0 to 1: they take another latency, at least
    /// 10 ms.
    pub reorder: f64,
    /// How many bytes of messages pass each second, one message after the other; `None`: any
    /// number. A datagram that would wait longer than 1 s for its turn is lost.
    pub bandwidth: Option<NonZeroU64>,
}
