//! Addresses as bytes: an IP address and its port take 6 or 18, not their text.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_transport_api::Addr;

use crate::rest::{Malformed, Rest};

/// Bytes of one address, at most.
pub const MAX_ADDRESS: usize = 128;

const TEXT: u8 = 0;
const V4: u8 = 4;
const V6: u8 = 6;

/// An address as a record carries it, without options, which are its reader's to choose; `None` if it
/// takes more than [`MAX_ADDRESS`].
pub fn pack(addr: &Addr) -> Option<Bytes> {
    let mut into = BytesMut::with_capacity(32);
    into.put_u8(u8::try_from(addr.scheme().len()).ok()?);
    into.put_slice(addr.scheme().as_bytes());
    match plain_socket(addr.rest()) {
        Some(SocketAddr::V4(at)) => {
            into.put_u8(V4);
            into.put_slice(&at.ip().octets());
            into.put_u16(at.port());
        }
        Some(SocketAddr::V6(at)) => {
            into.put_u8(V6);
            into.put_slice(&at.ip().octets());
            into.put_u16(at.port());
        }
        None => {
            into.put_u8(TEXT);
            into.put_slice(addr.rest().as_bytes());
        }
    }
    (into.len() <= MAX_ADDRESS).then(|| into.freeze())
}

/// An address and port that is written in no other way, so that nothing is lost with the text.
fn plain_socket(rest: &str) -> Option<SocketAddr> {
    rest.parse().ok().filter(|at: &SocketAddr| at.to_string() == rest && !has_scope(at))
}

fn has_scope(at: &SocketAddr) -> bool {
    matches!(at, SocketAddr::V6(at) if at.scope_id() != 0 || at.flowinfo() != 0)
}

/// The address that a record carries.
///
/// # Errors
/// [`Malformed`], also for kinds that this version does not know: the others of the record may still
/// be good.
pub fn unpack(bytes: &[u8]) -> Result<Addr, Malformed> {
    let mut rest = Rest(bytes);
    let scheme = text(rest.short_slice(Addr::MAX_SCHEME)?)?;
    let socket = |ip: std::net::IpAddr, port| SocketAddr::new(ip, port).to_string();
    let written = match rest.byte()? {
        TEXT => text(std::mem::take(&mut rest.0))?.to_owned(),
        V4 => socket(rest.chunk::<4>()?.into(), rest.u16()?),
        V6 => socket(rest.chunk::<16>()?.into(), rest.u16()?),
        _ => return Err(Malformed::Unknown),
    };
    rest.end()?;
    Addr::new(scheme, &written).map_err(|_| Malformed::Unknown)
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::hostile;

    fn check(text: &str, len: usize) {
        let addr: Addr = text.parse().unwrap();
        let packed = pack(&addr).unwrap();
        assert_eq!(packed.len(), len, "{text}");
        assert_eq!(unpack(&packed).unwrap(), addr);
        hostile(&packed, |bytes| drop(unpack(bytes)));
    }

    #[test]
    fn addresses_come_back_as_they_were() {
        check("tcp://127.0.0.1:7946", 4 + 1 + 6);
        check("quic://[::1]:7946", 5 + 1 + 18);
        check("tcp://node.example:7946", 4 + 1 + 17);
        check("unix:///run/a.sock", 5 + 1 + 11);
        check("mem://a", 4 + 1 + 1);
    }

    #[test]
    fn unusual_texts_stay_texts() {
        for text in ["tcp://[::0001]:1", "tcp://[fe80::1%252]:80", "tcp://127.0.0.1:007"] {
            let addr: Addr = text.parse().unwrap();
            assert_eq!(unpack(&pack(&addr).unwrap()).unwrap(), addr, "{text}");
        }
        assert_eq!(pack(&Addr::new("unix", &"/a".repeat(100)).unwrap()), None);
    }
}
