//! From an address to a connected stream.

use std::{io, os::unix::net};

use rumormill_socket_file::{is_of_another_type, socket};
use rumormill_transport_api::{Addr, Error, Expect, Proof, Result, Target};
use socket2::SockAddr;
use tokio::net::UnixStream;

use crate::{
    Settings, UnixConn,
    conn::{conn, nameless, peer, prepare},
    path,
};

/// Waits for nobody: the kernel connects at once, or says why not.
pub(crate) fn dial(target: &Target, settings: &Settings) -> Result<UnixConn> {
    let (addr, expected) = (&target.addr, expected(target)?);
    let to = SockAddr::unix(path::parse(addr)?).map_err(|source| failure(addr, source))?;
    let (stream, proof) = connect(&to, settings).map_err(|source| failure(addr, source))?;
    check(addr, expected, &proof)?;
    Ok(conn(stream, nameless()?, addr.clone().without_options(), proof, settings))
}

/// The user who must answer, if it matters.
fn expected(target: &Target) -> Result<Option<u32>> {
    match target.expect {
        Expect::Any => Ok(None),
        Expect::Uid(uid) => Ok(Some(uid)),
        _ => Err(Error::unsupported(
            "proving a name or a key at unix://",
            "expect a user (Uid), which the kernel proves, or anybody",
        )),
    }
}

fn connect(to: &SockAddr, settings: &Settings) -> io::Result<(UnixStream, Proof)> {
    let socket = socket()?;
    socket.connect(to)?;
    let stream = UnixStream::from_std(net::UnixStream::from(socket))?;
    prepare(&stream, settings)?;
    let proof = peer(&stream)?;
    Ok((stream, proof))
}

fn check(addr: &Addr, expected: Option<u32>, proof: &Proof) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    let problem = match proof {
        Proof::Process { uid, .. } if *uid == expected => return Ok(()),
        Proof::Process { uid, .. } => format!("user {uid} listens there, not user {expected}"),
        _ => "the kernel did not say who listens there".into(),
    };
    Err(Error::Unproven { addr: addr.clone(), problem: problem.into() })
}

fn failure(addr: &Addr, source: io::Error) -> Error {
    use io::ErrorKind as Kind;
    match source.kind() {
        Kind::ConnectionRefused | Kind::NotFound => {
            Error::Unreachable { addr: addr.clone(), source }
        }
        Kind::WouldBlock => Error::Busy { what: format!("the listener at {addr}").into() },
        _ if is_of_another_type(&source) => {
            addr.malformed("is a socket for datagrams or packets; dial one that is a stream")
        }
        _ => Error::io(format!("dialling {addr}"), source),
    }
}
