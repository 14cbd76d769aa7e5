//! The whole contract, asked of links in memory: both modes, and both kinds of time.

use rumormill_transport_api::Delivery;
use rumormill_transport_conformance::Fixture;
use rumormill_transport_mem::{Mem, Network, Settings};

fn mem(delivery: Delivery) -> Fixture {
    let settings = Settings { delivery, ..Settings::default() };
    Fixture::new(Mem::new(Network::new(1), settings), "mem://host:0")
}

mod stream {
    use super::{Delivery::Stream, mem};

    rumormill_transport_conformance::suite!(mem(Stream).paused());
}

mod stream_in_real_time {
    use super::{Delivery::Stream, mem};

    rumormill_transport_conformance::suite!(mem(Stream));
}

mod datagram {
    use super::{Delivery::Datagram, mem};

    rumormill_transport_conformance::suite!(mem(Datagram).paused());
}

/// Datagrams over a link that does everything that a network may do to them.
mod faulty_link {
    use std::time::Duration;

    use super::{Delivery::Datagram, Fixture};
    use rumormill_transport_mem::{Link, Mem, Network, Settings};

    fn faulty() -> Fixture {
        let network = Network::new(2);
        network.set_default_link(Link {
            latency: Duration::from_millis(3),
            jitter: Duration::from_millis(2),
            loss: 0.1,
            duplicate: 0.1,
            reorder: 0.1,
            ..Link::default()
        });
        let settings = Settings { delivery: Datagram, ..Settings::default() };
        Fixture::new(Mem::new(network, settings), "mem://host:0").paused()
    }

    rumormill_transport_conformance::suite!(faulty());
}
