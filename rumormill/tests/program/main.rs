//! The program, run as its users run it.

mod running;

#[cfg(all(feature = "tcp", feature = "udp"))]
mod bench;
#[cfg(all(feature = "tcp", feature = "udp"))]
mod ping;
#[cfg(all(feature = "tcp", feature = "udp", unix))]
mod serve;
#[cfg(all(feature = "tcp", feature = "udp", feature = "unix", unix))]
mod sockets;
mod transports;
mod usage;
