//! From a target to a conn with whom it expects.

use std::{io, net::Ipv4Addr};

use rumormill_identity::tls::failed;
use rumormill_transport_api::{Addr, Error, HostPort, Result, Target};
use rustls::pki_types::ServerName;

use super::{FACTORY, PROTOCOL, Settings, TlsConn, sessions::Side, stream::conn};
use crate::{conn::Connected, dial};

pub(super) async fn dial(target: &Target, side: &Side, settings: Settings) -> Result<TlsConn> {
    let host = host(&target.addr)?;
    // What cannot be expected is refused before anything is opened.
    server_name(side.tls.server_name(target, &host, (Ipv4Addr::UNSPECIFIED, 0).into())?)?;
    let connected = dial::dial(&target.addr, settings.tcp).await?;
    shake_hands(target, &host, side, connected, &settings).await
}

async fn shake_hands(
    target: &Target,
    host: &str,
    side: &Side,
    connected: Connected,
    settings: &Settings,
) -> Result<TlsConn> {
    let mut info = connected.info(FACTORY.scheme, settings.caps())?;
    let expected = side.tls.server_name(target, host, connected.peer)?;
    let name = server_name(expected.clone())?;
    let shaken = side.connector.connect(name, connected.stream).await;
    let tls = shaken.map_err(|error| failure(&target.addr, error))?;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() != Some(PROTOCOL) {
        return Err(Error::protocol("it speaks TLS, but not for rumormill (ALPN)"));
    }
    let shown = session.peer_certificates().unwrap_or_default();
    info.proof = Some(side.tls.proof_of_listener(target, &expected, shown)?);
    Ok(conn(tls, info, settings))
}

/// The host in an address as it stands in certificates.
fn host(addr: &Addr) -> Result<Box<str>> {
    Ok(match HostPort::parse_to_dial(addr)? {
        HostPort::Name { host, .. } => host.strip_suffix('.').unwrap_or(&host).into(),
        HostPort::Socket(socket) => socket.ip().to_string().into(),
    })
}

fn server_name(name: String) -> Result<ServerName<'static>> {
    let invalid = |_| Error::unsupported("dialling by such a name", "use one that TLS can hold");
    ServerName::try_from(name).map_err(invalid)
}

fn failure(addr: &Addr, error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => failed(addr, error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => hung_up(addr),
        None => Error::Unreachable { addr: addr.clone(), source: error },
    }
}

/// A listener that is overloaded or stops does so, and one that speaks no TLS.
fn hung_up(addr: &Addr) -> Error {
    let problem = "it hung up during the TLS handshake, and may not speak TLS";
    let source = io::Error::new(io::ErrorKind::UnexpectedEof, problem);
    Error::Unreachable { addr: addr.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stands_in_certificates_without_port_brackets_and_root() {
        for (addr, wanted) in [
            ("tls://node.example:1", "node.example"),
            ("tls://node.example.:1", "node.example"),
            ("tls://127.0.0.1:1", "127.0.0.1"),
            ("tls://[::1]:1", "::1"),
        ] {
            let host = host(&addr.parse().unwrap()).unwrap();
            assert_eq!(&*host, wanted);
            assert!(server_name(host.into()).is_ok());
        }
    }
}
