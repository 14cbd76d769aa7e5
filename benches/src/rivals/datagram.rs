//! UDP with one system call for each datagram.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use crate::{
    case::PING,
    meter::{Meter, Tally},
    rivals::{ENDS, PAUSE},
};

pub(crate) fn bind() -> io::Result<(UdpSocket, String)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let addr = socket.local_addr()?.to_string();
    Ok((socket, addr))
}

pub(crate) fn send(to: SocketAddr, size: usize, span: Duration) -> io::Result<Tally> {
    let ((socket, _), message) = (bind()?, vec![0x5a; size]);
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        socket.send_to(&message, to)?;
        count += 1;
    }
    let tally = meter.stop(count);
    end(&socket, to)?;
    Ok(tally)
}

/// Counts until an empty datagram says that this was all.
pub(crate) fn receive(socket: &UdpSocket) -> io::Result<Tally> {
    let (mut buffer, meter, mut count) = (vec![0; 64 << 10], Meter::start(), 0);
    while socket.recv_from(&mut buffer)?.0 != 0 {
        count += 1;
    }
    Ok(meter.stop(count))
}

pub(crate) fn ping(to: SocketAddr, span: Duration) -> io::Result<Tally> {
    let ((socket, _), mut message) = (bind()?, [0; PING]);
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        socket.send_to(&message, to)?;
        socket.recv_from(&mut message)?;
        count += 1;
    }
    let tally = meter.stop(count);
    end(&socket, to)?;
    Ok(tally)
}

pub(crate) fn echo(socket: &UdpSocket) -> io::Result<Tally> {
    let (mut message, meter, mut count) = ([0; PING], Meter::start(), 0);
    loop {
        let (len, from) = socket.recv_from(&mut message)?;
        if len == 0 {
            return Ok(meter.stop(count));
        }
        socket.send_to(&message, from)?;
        count += 1;
    }
}

pub(crate) fn end(socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
    for _ in 0..ENDS {
        thread::sleep(PAUSE);
        socket.send_to(&[], to)?;
    }
    Ok(())
}
