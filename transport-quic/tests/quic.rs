//! What is QUIC's own: shared connections, proofs, paths that change, and bounds.

#[path = "support/mod.rs"]
mod support;

#[path = "quic/proxy.rs"]
mod proxy;
#[path = "quic/talk.rs"]
mod talk;

#[path = "quic/bounds.rs"]
mod bounds;
#[path = "quic/crowd.rs"]
mod crowd;
#[path = "quic/ends.rs"]
mod ends;
#[path = "quic/flood.rs"]
mod flood;
#[path = "quic/foreign.rs"]
mod foreign;
#[path = "quic/names.rs"]
mod names;
#[path = "quic/paths.rs"]
mod paths;
#[path = "quic/proofs.rs"]
mod proofs;
#[path = "quic/sharing.rs"]
mod sharing;
