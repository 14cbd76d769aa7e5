//! UDP with as many datagrams in a system call as it takes: what the kernel gives.

use std::{
    array,
    io::{self, ErrorKind as Kind, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    meter::{Meter, Tally},
    rivals::datagram::{bind, end},
};

pub(crate) fn send(destination: SocketAddr, size: usize, span: Duration) -> io::Result<Tally> {
    let (socket, _) = bind()?;
    let state = UdpSocketState::new((&socket).into())?;
    let count = state.max_gso_segments().min(LONGEST / size);
    let contents = &*vec![0x5a; count * size];
    let transmit =
        Transmit { destination, ecn: None, contents, segment_size: Some(size), src_ip: None };
    let (meter, mut sent) = (Meter::start(), 0);
    while meter.elapsed() < span {
        wait(&socket, PollFlags::OUT, || state.try_send((&socket).into(), &transmit))?;
        sent += count as u64;
    }
    let tally = meter.stop(sent);
    end(&socket, destination)?;
    Ok(tally)
}

/// Counts until an empty datagram says that this was all.
pub(crate) fn receive(socket: &UdpSocket) -> io::Result<Tally> {
    let state = UdpSocketState::new(socket.into())?;
    state.set_recv_buffer_size(socket.into(), RECV_BUFFER)?;
    let (mut memory, mut met) = (vec![0; BATCH_SIZE * SLOT], [RecvMeta::default(); BATCH_SIZE]);
    let (meter, mut count) = (Meter::start(), 0);
    loop {
        let arrived = wait(socket, PollFlags::IN, || {
            let mut slots = memory.chunks_mut(SLOT);
            let mut slots: [IoSliceMut<'_>; BATCH_SIZE] =
                array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
            state.recv(socket.into(), &mut slots, &mut met)
        })?;
        for run in met.iter().take(arrived) {
            if run.len == 0 {
                return Ok(meter.stop(count));
            }
            count += run.len.div_ceil(run.stride) as u64;
        }
    }
}

/// Tries until the socket is ready for it.
fn wait<T>(
    socket: &UdpSocket,
    ready: PollFlags,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == Kind::WouldBlock => {
                poll(&mut [PollFd::new(socket, ready)], None)?;
            }
            done => return done,
        }
    }
}

/// What one system call takes at most, in bytes.
const LONGEST: usize = 65_507;
/// What one datagram, or run of them, takes at most.
const SLOT: usize = 64 << 10;
/// That of our listeners, unless they are told otherwise.
const RECV_BUFFER: usize = 1 << 20;
