//! The whole contract, asked of UDP.

use rumormill_transport_conformance::{Fixture, suite};
use rumormill_transport_udp::Udp;

suite!(Fixture::new(Udp::default(), "udp://127.0.0.1:0"));

/// And without what makes it fast.
mod without_offload {
    use rumormill_transport_conformance::{Fixture, suite};
    use rumormill_transport_udp::{Settings, Udp};

    suite!(Fixture::new(
        Udp::new(Settings { offload: false, ..Settings::default() }),
        "udp://127.0.0.1:0"
    ));
}
