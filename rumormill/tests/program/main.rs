//! The program, run as its users run it.

mod running;

#[cfg(all(feature = "admin", feature = "tcp", feature = "udp", unix))]
mod admin;
#[cfg(all(feature = "admin", feature = "tcp", feature = "udp", unix))]
mod admin_wire;
#[cfg(any(feature = "quic", feature = "tls"))]
mod authority;
#[cfg(all(feature = "tcp", feature = "udp"))]
mod bench;
#[cfg(all(
    feature = "admin",
    feature = "broker",
    feature = "mem",
    feature = "quic",
    feature = "tcp",
    feature = "tls",
    feature = "udp",
    feature = "unix",
    target_os = "linux"
))]
mod broker;
#[cfg(all(
    feature = "endpoint",
    feature = "quic",
    feature = "tcp",
    feature = "tls",
    feature = "udp"
))]
mod cluster;
#[cfg(all(
    feature = "node",
    feature = "quic",
    feature = "tls",
    feature = "udp",
    feature = "unix",
    feature = "mem",
    unix
))]
mod config;
#[cfg(all(
    feature = "demo",
    feature = "mem",
    feature = "quic",
    feature = "tcp",
    feature = "udp",
    feature = "unix",
    unix
))]
mod demo;
#[cfg(all(feature = "node", feature = "tls", feature = "udp", target_os = "linux"))]
mod deploy;
#[cfg(feature = "identity")]
mod keys;
#[cfg(all(
    feature = "node",
    feature = "mem",
    feature = "quic",
    feature = "tcp",
    feature = "tls",
    feature = "udp",
    feature = "unix",
    target_os = "linux"
))]
mod node;
#[cfg(all(feature = "tcp", feature = "udp"))]
mod ping;
#[cfg(any(feature = "quic", feature = "tls"))]
mod secure;
#[cfg(all(feature = "tcp", feature = "udp", unix))]
mod serve;
#[cfg(all(feature = "tcp", feature = "udp", feature = "unix", unix))]
mod sockets;
#[cfg(all(
    feature = "admin",
    feature = "quic",
    feature = "tcp",
    feature = "udp",
    feature = "unix",
    target_os = "linux"
))]
mod three_nodes;
#[cfg(feature = "node")]
mod ticket;
mod transports;
mod usage;
