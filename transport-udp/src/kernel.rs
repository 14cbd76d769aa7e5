//! What systems tell about sockets of datagrams in ways of their own; where one tells nothing, that is
//! what is known.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::net::SocketAddr;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{
    TELLS_EACH_ARRIVAL, answers, interfaces, is_too_long, keep_answers, keep_splitting,
    may_be_answer, mtu, receive_singly, writable,
};
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    TELLS_EACH_ARRIVAL, answers, interfaces, is_too_long, keep_answers, keep_splitting,
    may_be_answer, mtu, receive_singly, writable,
};

/// What the network said about a datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whom the datagram was for.
    pub(crate) to: SocketAddr,
    /// Whether it says that nobody has that port.
    pub(crate) is_refusal: bool,
}
