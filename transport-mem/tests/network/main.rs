//! What conns over a network do, with its faults and without.

#![expect(clippy::unwrap_used, reason = "what fails outside of a test function fails its test too")]

mod ends;

mod datagrams;
mod events;
mod faults;
mod listeners;
mod options;
mod partitions;
mod streams;
