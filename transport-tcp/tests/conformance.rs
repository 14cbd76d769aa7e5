//! The whole contract, asked of TCP.

use rumormill_transport_conformance::{Fixture, suite};
use rumormill_transport_tcp::Tcp;
use tokio::net::TcpStream;

suite!(
    Fixture::new(Tcp::default(), "tcp://127.0.0.1:0")
        .raw(|addr| TcpStream::connect(addr.rest().to_string()))
);
