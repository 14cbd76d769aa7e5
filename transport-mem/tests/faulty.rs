//! The whole contract, asked of links in memory behind programmed faults.

use std::time::Duration;

use rumormill_transport_api::Delivery;
use rumormill_transport_conformance::{Faults, Faulty, Fixture};
use rumormill_transport_mem::{Mem, Network, Settings};

fn behind(faults: Faults, delivery: Delivery) -> Fixture {
    let mem = Mem::new(Network::new(3), Settings { delivery, ..Settings::default() });
    Fixture::new(Faulty::new(mem, faults), "mem://host:0").paused()
}

mod lossy_datagrams {
    use super::{Delivery, Duration, Faults, behind};

    const FAULTS: Faults = Faults {
        seed: 1,
        drop: 0.1,
        duplicate: 0.1,
        reorder: 0.1,
        delay: Duration::from_millis(2),
        jitter: Duration::from_millis(3),
        cut: 0.0,
        cut_after: None,
    };

    rumormill_transport_conformance::suite!(behind(FAULTS, Delivery::Datagram));
}

/// A stream that only is slow stays a stream.
mod slow_stream {
    use super::{Delivery, Duration, Faults, behind};

    const FAULTS: Faults = Faults {
        seed: 2,
        drop: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(5),
        cut: 0.0,
        cut_after: None,
    };

    rumormill_transport_conformance::suite!(behind(FAULTS, Delivery::Stream));
}
