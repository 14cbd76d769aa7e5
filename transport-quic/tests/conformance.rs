//! The whole contract, asked of QUIC.

mod support;

use rumormill_transport_conformance::{Fixture, suite};

use support::{RawDialer, quic};

suite!(Fixture::new(quic(), "quic://127.0.0.1:0").raw({
    let dialer = RawDialer::default();
    move |addr| dialer.clone().dial(addr)
}));
