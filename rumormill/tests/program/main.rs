//! The program, run as its users run it.

mod running;

#[cfg(all(feature = "tcp", feature = "udp"))]
mod bench;
#[cfg(all(feature = "tcp", feature = "udp"))]
mod ping;
#[cfg(all(feature = "tcp", feature = "udp", unix))]
mod serve;
mod transports;
mod usage;
