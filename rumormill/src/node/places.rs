//! Where a node says that it can be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use bytes::Bytes;
use rumormill_gossip::pack;
use rumormill_transport_api::{Addr, HostPort};

use super::error::StartError;

/// What a record says: what was configured, or else where the node listens.
///
/// # Errors
/// [`StartError::Nowhere`].
pub(super) fn advertised(configured: &[Addr], bound: &[Addr]) -> Result<Vec<Bytes>, StartError> {
    if !configured.is_empty() {
        return Ok(configured.iter().filter_map(pack).collect());
    }
    let mut places = Vec::with_capacity(bound.len());
    for addr in bound {
        places.extend(pack(&reachable(addr, outward)?));
    }
    Ok(places)
}

/// Whether nobody on another machine can mean this one by it.
pub(super) fn is_loopback(addr: &Addr) -> bool {
    matches!(HostPort::parse(addr), Ok(HostPort::Socket(socket)) if socket.ip().is_loopback())
}

/// A place instead of any: where this machine's other traffic comes from.
fn reachable(addr: &Addr, outward: fn(IpAddr) -> Option<IpAddr>) -> Result<Addr, StartError> {
    match HostPort::parse(addr) {
        Ok(HostPort::Socket(socket)) if socket.ip().is_unspecified() => {
            let nowhere = || StartError::Nowhere { addr: addr.clone() };
            let ip = outward(socket.ip()).ok_or_else(nowhere)?;
            let place = SocketAddr::new(ip, socket.port()).to_string();
            Addr::new(addr.scheme(), &place).map_err(|_| nowhere())
        }
        _ => Ok(addr.clone()),
    }
}

/// The address that the system chooses for what goes out by the default route. Nothing is sent.
fn outward(any: IpAddr) -> Option<IpAddr> {
    let v4 = || source(Ipv4Addr::UNSPECIFIED.into(), OUTSIDE_4.into());
    match any {
        IpAddr::V4(_) => v4(),
        // A socket there hears both families.
        IpAddr::V6(any) => source(any.into(), OUTSIDE_6.into()).or_else(v4),
    }
}

fn source(any: IpAddr, outside: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((outside, DISCARD)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

/// Addresses that nobody has: of the blocks for documentation (RFC 5737, RFC 3849).
const OUTSIDE_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OUTSIDE_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_becomes_one() {
        let check = |addr: &str, expected: Option<&str>| {
            let outward = |any: IpAddr| any.is_ipv4().then(|| Ipv4Addr::new(10, 0, 0, 7).into());
            let told = reachable(&addr.parse().unwrap(), outward).ok();
            assert_eq!(told.map(|addr| addr.to_string()).as_deref(), expected, "{addr}");
        };
        check("tcp://0.0.0.0:7946", Some("tcp://10.0.0.7:7946"));
        check("tcp://127.0.0.1:7946", Some("tcp://127.0.0.1:7946"));
        check("unix:///run/a.sock", Some("unix:///run/a.sock"));
        check("tcp://[::]:7946", None);
    }

    #[test]
    fn what_is_configured_counts_alone() {
        let [one, other] = ["tcp://192.0.2.1:1", "tcp://0.0.0.0:2"].map(|it| it.parse().unwrap());
        assert_eq!(advertised(&[one], &[other]).unwrap().len(), 1);
    }
}
