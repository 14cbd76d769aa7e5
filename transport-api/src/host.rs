//! `host:port`, as the addresses of IP transports have it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{Addr, Result, addr::looks_like_ipv6, excerpt};

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
        // `u16::from_str` accepts a leading `+`.
        match port.parse() {
            Ok(port) if !text.contains('+') => Ok(Self::Name { host: host.into(), port }),
            _ => {
                let port = excerpt(port);
                Err(addr.malformed(format!(
                    "has the port '{port}', which is no number from 0 to 65535"
                )))
            }
        }
    }

    /// Reads the rest of `addr` as something to dial, where port 0 makes no sense.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and for port 0.
    pub fn parse_to_dial(addr: &Addr) -> Result<Self> {
        let host_port = Self::parse(addr)?;
        match host_port.port() {
            0 => Err(addr.malformed("has port 0, which can only be listened on; write the port that the peer listens on")),
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

/// Where a peer is that listens at no address in particular (`0.0.0.0`, `[::]`): what is sent there the
/// system sends to itself, and answers come from the loopback's address.
pub fn here_if_anywhere(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => (),
    }
    addr
}

fn split(addr: &Addr) -> Result<(&str, &str)> {
    let (scheme, text) = (addr.scheme(), addr.rest());
    if text.is_empty() {
        return Err(addr.malformed(format!("has no host; write {scheme}://host:port")));
    }
    if let Some(inside) = text.strip_prefix('[') {
        return Err(addr.malformed(in_brackets(scheme, inside)));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let text = excerpt(text);
        return Err(addr.malformed(format!(
            "has no port; write {scheme}://{text}:PORT, where 0 lets the system choose"
        )));
    };
    if looks_like_ipv6(text) {
        return Err(addr.malformed(format!(
            "has an IPv6 address without brackets; write {scheme}://[…]:PORT"
        )));
    }
    if host.contains(':') {
        return Err(addr.malformed(format!("has more than one ':'; write {scheme}://host:port")));
    }
    match what_is_wrong_with(host) {
        Some(problem) => Err(addr.malformed(problem)),
        None => Ok((host, port)),
    }
}

/// What is wrong with `[inside`, which did not parse as an IPv6 address and a port.
fn in_brackets(scheme: &str, inside: &str) -> String {
    let Some((ip, port)) = inside.split_once(']') else {
        return format!("has no closing bracket; write {scheme}://[…]:PORT");
    };
    let (unscoped, scope) = ip.split_once('%').unwrap_or((ip, "0"));
    if unscoped.parse::<Ipv6Addr>().is_err() {
        return "has no IPv6 address in its brackets; brackets are for IPv6 only".into();
    }
    if scope.parse::<u32>().is_err() {
        return "has a scope that is no number; write the interface's index, as in [fe80::1%252]"
            .into();
    }
    match port.strip_prefix(':') {
        Some(port) => {
            format!("has the port '{}', which is no number from 0 to 65535", excerpt(port))
        }
        None => format!("has no ':PORT' behind its bracket; write {scheme}://[{ip}]:PORT"),
    }
}

fn what_is_wrong_with(host: &str) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let numeric =
        |label: &str| label.starts_with("0x") || label.chars().all(|c| c.is_ascii_digit());
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    // A name may end with the dot of the root.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let shown = excerpt(host);
    if host.is_empty() || host == "*" {
        return Some("has no host; 0.0.0.0 or [::] listens on all interfaces".into());
    }
    if host.starts_with('/') {
        return Some("has one slash too many; write scheme://host:port".into());
    }
    if !host.chars().all(valid) {
        return Some(format!(
            "has the host '{shown}'; names consist of ASCII letters, digits, '-', '_' and '.' \
             (international names in their xn-- form)"
        ));
    }
    if !labels.split('.').all(label) || labels.rsplit('.').next().is_some_and(numeric) {
        return Some(format!(
            "has the host '{shown}', which is neither an IPv4 address nor a name"
        ));
    }
    (MAX_NAME < host.len())
        .then(|| format!("has a host name of {} bytes; the limit is {MAX_NAME}", host.len()))
}

/// The longest name that DNS can hold, in its text form (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
