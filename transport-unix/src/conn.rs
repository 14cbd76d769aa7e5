//! From a connected stream to a conn.

use std::io;

use rumormill_transport_api::{Addr, FrameReader, FrameWriter, Info, Proof, Result};
use socket2::SockRef;
use tokio::net::UnixStream;

use crate::{FACTORY, Settings, UnixConn};

/// Sets up `stream`.
pub(crate) fn prepare(stream: &UnixStream, settings: &Settings) -> io::Result<()> {
    match settings.send_buffer {
        Some(bytes) => SockRef::from(stream).set_send_buffer_size(bytes as usize),
        None => Ok(()),
    }
}

/// The process at the other end, as the kernel knows it: the one that connected, or that began to
/// listen.
pub(crate) fn peer(stream: &UnixStream) -> io::Result<Proof> {
    let peer = stream.peer_cred()?;
    // Linux has 0 for a process in another PID namespace.
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
    Ok(Proof::Process { uid: peer.uid(), gid: peer.gid(), pid })
}

/// The conn over `stream`, between these ends.
pub(crate) fn conn(
    stream: UnixStream,
    local: Addr,
    remote: Addr,
    proof: Proof,
    settings: &Settings,
) -> UnixConn {
    let (reader, writer) = stream.into_split();
    UnixConn {
        info: Info { proof: Some(proof), ..Info::new(local, remote, settings.caps()) },
        reader: FrameReader::new(reader, settings.framing),
        writer: FrameWriter::new(writer, settings.framing),
    }
}

/// The address of an end that dialled.
pub(crate) fn nameless() -> Result<Addr> {
    Addr::new(FACTORY.scheme, "")
}
