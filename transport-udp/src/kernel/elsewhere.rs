//! Nothing is known of ways, and the network's answers are not heard.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use crate::kernel::Answer;

/// Not known.
pub(crate) const TELLS_EACH_ARRIVAL: bool = false;

/// Not known.
pub(crate) fn mtu(_connected: &UdpSocket) -> Option<usize> {
    None
}

/// Not known.
pub(crate) fn interfaces() -> Vec<(IpAddr, IpAddr)> {
    Vec::new()
}

/// Runs `setup`, which may keep long datagrams from being split.
pub(crate) fn keep_splitting<T>(
    _socket: &socket2::Socket,
    _at: SocketAddr,
    setup: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    setup()
}

/// Nothing else happens anyway.
pub(crate) fn receive_singly<S>(_socket: &S) -> io::Result<()> {
    Ok(())
}

/// They are not heard.
pub(crate) fn keep_answers<S>(_socket: &S, _at: SocketAddr) -> io::Result<()> {
    Ok(())
}

/// None.
pub(crate) fn answers<S>(_socket: &S, _most: usize, _into: &mut Vec<Answer>) -> usize {
    0
}

/// Never.
pub(crate) fn may_be_answer(_error: &io::Error) -> bool {
    false
}

/// Not known.
pub(crate) fn is_too_long(_error: &io::Error) -> bool {
    false
}

/// Waits until the system may take more from `socket`.
pub(crate) async fn writable(socket: &tokio::net::UdpSocket) -> io::Result<()> {
    socket.writable().await
}
