//! The whole contract, asked of TLS, with sessions that are resumed and without.

use std::{io, net::SocketAddr, sync::Arc};

use rumormill_identity::{
    SecretKey,
    tls::{Sessions, Tls as Identity},
};
use rumormill_transport_api::{Addr, Context, Credentials, Target};
use rumormill_transport_conformance::Fixture;
use rumormill_transport_tcp::tls::{Settings, Tls};
use rustls::pki_types::ServerName;
use tokio::{
    io::{DuplexStream, copy_bidirectional, duplex},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

mod resumed {
    use rumormill_transport_conformance::suite;

    suite!(super::fixture(true));
}

mod anew {
    use rumormill_transport_conformance::suite;

    suite!(super::fixture(false));
}

fn fixture(resumption: bool) -> Fixture {
    let credentials = Arc::new(SecretKey::generate().credentials());
    let settings = Settings { resumption, ..Settings::default() };
    let tls = Tls::new(settings, credentials.clone()).expect("a transport");
    let stranger = Arc::new(stranger(credentials));
    Fixture::new(tls, "tls://127.0.0.1:0")
        .raw(move |addr| beneath_the_framing(stranger.clone(), addr))
        .silent(|addr| TcpStream::connect(addr.rest().to_string()))
}

fn stranger(credentials: Arc<Credentials>) -> Identity {
    let context = Context { credentials: Some(credentials), ..Context::default() };
    Identity::new(&context, b"rumormill/1", Sessions::Resumed).expect("the side of a stranger")
}

/// A stream that can be written to while hands are still being shaken, which takes somebody who
/// accepts.
async fn beneath_the_framing(stranger: Arc<Identity>, addr: Addr) -> io::Result<DuplexStream> {
    let to: SocketAddr = addr.rest().parse().map_err(io::Error::other)?;
    let name = stranger.server_name(&Target::new(addr), "", to).map_err(io::Error::other)?;
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let stream = TcpStream::connect(to).await?;
    let (near, mut far) = duplex(1 << 20);
    tokio::spawn(async move {
        let connector = TlsConnector::from(stranger.client().clone());
        let mut tls = connector.connect(name, stream).await?;
        copy_bidirectional(&mut far, &mut tls).await
    });
    Ok(near)
}
