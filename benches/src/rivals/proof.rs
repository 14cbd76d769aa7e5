//! Datagrams with a signature each, and nothing above them: what signing allows at most.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use rumormill_identity::{PublicKey, Purpose, SIGNATURE, SecretKey};

use crate::{
    meter::{Meter, Tally},
    rivals::datagram::{bind, end},
};

pub(crate) fn send(to: SocketAddr, size: usize, span: Duration) -> io::Result<Tally> {
    let ((socket, _), key, mut message) = (bind()?, key(), vec![0x5a; size + SIGNATURE]);
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        let (body, signature) = message.split_at_mut(size);
        signature.copy_from_slice(&key.sign(Purpose::Frame, &digest(body)));
        socket.send_to(&message, to)?;
        count += 1;
    }
    let tally = meter.stop(count);
    end(&socket, to)?;
    Ok(tally)
}

/// Counts what verifies, until an empty datagram says that this was all.
pub(crate) fn receive(socket: &UdpSocket) -> io::Result<Tally> {
    let peer = PublicKey::of(key().node()).ok_or(io::ErrorKind::InvalidInput)?;
    let (mut buffer, meter, mut count) = (vec![0; 64 << 10], Meter::start(), 0);
    loop {
        let (len, _) = socket.recv_from(&mut buffer)?;
        let Some((body, signature)) = buffer[..len].split_last_chunk() else {
            return Ok(meter.stop(count));
        };
        count += u64::from(peer.verifies(Purpose::Frame, &digest(body), signature));
    }
}

fn digest(body: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(&[7; 32], body).as_bytes()
}

/// The same in both processes.
fn key() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}
