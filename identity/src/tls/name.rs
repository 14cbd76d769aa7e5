//! The name under which our own verifier and the store of sessions know a peer.
//!
//! TLS libraries know a peer by its name alone. So what a dial expects, and where, becomes one; it
//! is never sent.

use std::net::{IpAddr, SocketAddr};

use rumormill_transport_api::NodeId;

/// The name of whoever answers at `remote`, and must be `node` if that is given.
pub(super) fn of(node: Option<NodeId>, remote: SocketAddr) -> String {
    let ip = match remote.ip() {
        IpAddr::V4(ip) => format!("{:08x}", ip.to_bits()),
        IpAddr::V6(ip) => format!("{:032x}", ip.to_bits()),
    };
    let place = format!("{ip}-{:04x}.{SUFFIX}", remote.port());
    match node {
        Some(node) => format!("{node}.{place}"),
        None => format!("{ANYBODY}.{place}"),
    }
}

/// The node that must answer under `name`; `Some(None)` if anybody may, `None` if the name is not
/// one of ours.
pub(super) fn expected(name: &str) -> Option<Option<NodeId>> {
    match name.strip_suffix(SUFFIX)?.split_once('.')? {
        (ANYBODY, _) => Some(None),
        (node, _) => node.parse().ok().map(Some),
    }
}

const ANYBODY: &str = "anybody";
/// A domain that nobody can own (RFC 6761, section 6.4).
const SUFFIX: &str = "rumormill.invalid";

#[cfg(test)]
mod tests {
    use rustls::pki_types::DnsName;

    use super::*;

    #[test]
    fn what_is_expected_survives_as_a_name() {
        for remote in ["10.0.0.1:80", "[2001:db8::1]:65535"] {
            let remote = remote.parse().unwrap();
            for node in [None, Some(NodeId([7; 32]))] {
                let name = of(node, remote);
                assert!(DnsName::try_from(name.as_str()).is_ok(), "{name}");
                assert_eq!(expected(&name), Some(node));
            }
        }
    }

    #[test]
    fn peers_at_different_places_have_different_names() {
        let name = |text: &str| of(None, text.parse().unwrap());
        let names =
            [name("10.0.0.1:80"), name("10.0.0.1:81"), name("10.0.0.2:80"), name("[::1]:80")];
        assert!(names.iter().all(|a| names.iter().filter(|b| a == *b).count() == 1), "{names:?}");
    }

    #[test]
    fn other_names_expect_nobody() {
        assert_eq!(expected("example.org"), None);
        assert_eq!(expected("nobody.0a000001-0050.rumormill.invalid"), None);
    }
}
