//! `host:port`, as the addresses of IP transports have it.

use std::net::SocketAddr;

use crate::{Addr, Result};

/// The `host:port` in the rest of an address: a literal IP address or a name to resolve.
///
/// IPv6 literals stand in brackets: `[::1]:7946`, with a numeric scope where one is needed
/// (`[fe80::1%2]:7946`, whose `%` an address writes as `%25`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPort {
    /// A name, to be resolved at each dial.
    Name {
        /// ASCII letters, digits, `-`, `_` and `.`; at most 253 bytes.
        host: Box<str>,
        /// The port; 0 lets the system choose when listening.
        port: u16,
    },
    /// A literal address.
    Socket(SocketAddr),
}

impl HostPort {
    /// Reads the rest of `addr`.
    ///
    /// # Errors
    /// [`Error::Address`](crate::Error::Address), which says what to write instead.
    pub fn parse(addr: &Addr) -> Result<Self> {
        let text = addr.rest();
        if let Ok(socket) = text.parse() {
            return Ok(Self::Socket(socket));
        }
        let (host, port) = split(addr)?;
        match port.parse() {
            Ok(port) if port_is_plain(text) => Ok(Self::Name { host: host.into(), port }),
            _ => Err(addr
                .malformed(format!("has the port '{port}', which is no number from 0 to 65535"))),
        }
    }

    /// Reads the rest of `addr` as something to dial, where port 0 makes no sense.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and for port 0.
    pub fn parse_to_dial(addr: &Addr) -> Result<Self> {
        let host_port = Self::parse(addr)?;
        match host_port.port() {
            0 => Err(addr.malformed("has port 0, which can be listened on but not dialled")),
            _ => Ok(host_port),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Name { port, .. } => *port,
            Self::Socket(socket) => socket.port(),
        }
    }
}

fn split(addr: &Addr) -> Result<(&str, &str)> {
    let (scheme, text) = (addr.scheme(), addr.rest());
    if text.is_empty() {
        return Err(addr.malformed(format!("has no host; write {scheme}://host:port")));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(addr.malformed(format!(
            "has no port; write {scheme}://{text}:PORT, where 0 lets the system choose"
        )));
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(addr.malformed(format!(
            "has an IPv6 address without brackets; write {scheme}://[…]:PORT"
        )));
    }
    if host.starts_with('[') {
        return Err(
            addr.malformed("has no IPv6 address between its brackets, or no port behind them")
        );
    }
    check_name(addr, host)?;
    Ok((host, port))
}

fn check_name(addr: &Addr, host: &str) -> Result<()> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if host.is_empty() {
        return Err(addr.malformed("has no host; 0.0.0.0 or [::] listens on all interfaces"));
    }
    if !host.chars().all(valid) {
        return Err(addr.malformed(format!(
            "has the host '{host}'; names consist of letters, digits, '-', '_' and '.'"
        )));
    }
    if host.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(addr.malformed(format!(
            "has the host '{host}', which is neither an IPv4 address nor a name"
        )));
    }
    match MAX_NAME < host.len() {
        true => Err(addr.malformed(format!("has a host name longer than {MAX_NAME} bytes"))),
        false => Ok(()),
    }
}

/// `u16::from_str` accepts a leading `+`.
fn port_is_plain(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit()) && !text.contains('+')
}

/// The longest name that DNS can hold, in its text form (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
