//! What one system call brought.

use std::{
    array,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

/// Memory for the datagrams of one system call, and where in it they are.
pub(crate) struct Arrivals {
    memory: Vec<u8>,
    met: [RecvMeta; SLOTS],
    count: usize,
}

/// Messages of one peer that arrived together.
pub(crate) struct Run<'a> {
    pub(crate) from: SocketAddr,
    /// The address of this machine that they came to, if the system tells.
    pub(crate) here: Option<IpAddr>,
    bytes: &'a [u8],
    /// The length of each, but for the last, which may be shorter.
    stride: usize,
}

/// Messages of the same length, one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Equals<'a> {
    bytes: &'a [u8],
    pub(crate) len: usize,
}

impl Arrivals {
    pub(crate) fn new() -> Self {
        let met = array::from_fn(|_| RecvMeta::default());
        // Pages of it that are never written to take no memory.
        Self { memory: vec![0; SLOTS * SLOT], met, count: 0 }
    }

    /// Forgets what was received.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Receives what has arrived, in place of what was received before.
    pub(crate) fn receive(
        &mut self,
        state: &UdpSocketState,
        socket: UdpSockRef<'_>,
    ) -> io::Result<()> {
        self.clear();
        let mut slots = self.memory.chunks_mut(SLOT);
        let mut slots: [IoSliceMut<'_>; SLOTS] =
            array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        self.count = state.recv(socket, &mut slots, &mut self.met)?;
        Ok(())
    }

    /// Whether nothing was received.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether there may be more that did not fit.
    pub(crate) fn is_full(&self) -> bool {
        self.count == SLOTS
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let met = self.met.iter().take(self.count);
        met.zip(self.memory.chunks(SLOT)).map(|(met, slot)| Run {
            from: met.addr,
            here: met.dst_ip,
            bytes: slot.get(..met.len).unwrap_or(slot),
            stride: met.stride,
        })
    }
}

impl<'a> Run<'a> {
    /// Its messages: those that are equally long, then the one that is not.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Equals<'a>> {
        let rest = self.bytes.len().checked_rem(self.stride).unwrap_or(0);
        let (equals, last) = self.bytes.split_at(self.bytes.len() - rest);
        let equals = Equals::cut(equals, if self.stride == 0 { equals.len() } else { self.stride });
        let last = (!last.is_empty()).then_some(Equals::one(last));
        let is_short = equals.bytes.is_empty() && last.is_some();
        (!is_short).then_some(equals).into_iter().chain(last)
    }
}

impl<'a> Equals<'a> {
    /// One message.
    pub(crate) fn one(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len() }
    }

    /// Messages of `len` bytes each, which `bytes` consists of.
    pub(crate) fn cut(bytes: &'a [u8], len: usize) -> Self {
        Self { bytes, len: len.min(bytes.len()) }
    }

    /// How many they are; an empty one is alone.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len().checked_div(self.len).unwrap_or(1)
    }

    /// The bytes of the first `count`.
    pub(crate) fn first(&self, count: usize) -> &'a [u8] {
        self.bytes.get(..count * self.len).unwrap_or(self.bytes)
    }
}

/// Datagrams, or runs of them that the system has put together, in one call. More would bring more
/// messages at once than a conn has room for.
const SLOTS: usize = 8;
/// More than the longest datagram or run, in bytes, so none is ever truncated.
const SLOT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cut_into_messages() {
        let check = |len: usize, stride: usize, expected: &[(usize, usize)]| {
            let bytes = vec![0; len];
            let from = SocketAddr::from(([127, 0, 0, 1], 1));
            let run = Run { from, here: None, bytes: &bytes, stride };
            let groups: Vec<_> = run.groups().map(|group| (group.count(), group.len)).collect();
            assert_eq!(groups, expected, "{len} by {stride}");
        };
        check(0, 0, &[(1, 0)]);
        check(7, 7, &[(1, 7)]);
        check(7, 0, &[(1, 7)]);
        check(7, 9, &[(1, 7)]);
        check(21, 7, &[(3, 7)]);
        check(22, 7, &[(3, 7), (1, 1)]);
    }
}
