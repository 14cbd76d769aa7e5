//! Messages over TCP: scheme `tcp`, addresses `tcp://host:port`.
//!
//! The wire is the framing of `rumormill-transport-api`: four bytes of big-endian length, then the
//! payload, nothing before it and nothing between. There is no handshake above TCP's own, nothing
//! is encrypted, and nobody is proven; [`Target::expect`] other than anybody is refused.
//!
//! - **Dialling** resolves a name at each dial and tries its addresses in the order and with the
//!   stagger of Happy Eyeballs (RFC 8305): families take turns, the next address is tried when
//!   250 ms have passed or the one before has failed, and the first that answers wins.
//! - **Listening** on `tcp://[::]:port` takes IPv6 only, whatever the system's default, so that
//!   `tcp://0.0.0.0:port` can be listened on beside it. Port 0 lets the system choose. The address
//!   is free again as soon as the listener is dropped.
//! - **The end**: each direction ends by itself ([`End::Half`](rumormill_transport_api::End)). TCP
//!   cannot tell a dropped writer from a closed one, so both read as the end, unless the drop
//!   leaves half a message behind. Dropping a reader with unread input makes the kernel reset the
//!   conn once the writer is gone too.
//!
//! The feature `tls` adds the scheme `tls`, which encrypts and proves who is there; see the module
//! `tls`. Without it nothing of TLS is compiled.
//!
//! Settings and their defaults are the fields of [`Settings`]; the same names are options in
//! addresses and configuration.

mod conn;
mod dial;
mod listen;
mod settings;

#[cfg(feature = "tls")]
pub mod tls;

pub use listen::TcpPort;
pub use settings::Settings;

use std::sync::Arc;

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Counters, Factory, FrameReader, FrameWriter, Result, Target,
    Transport, inventory,
};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The half of a TCP conn that receives.
pub type TcpReader = FrameReader<OwnedReadHalf>;
/// The half of a TCP conn that sends.
pub type TcpWriter = FrameWriter<OwnedWriteHalf>;
/// A TCP conn.
pub type TcpConn = Conn<TcpReader, TcpWriter>;

/// Registers this crate under the scheme `tcp`.
pub const FACTORY: Factory = Factory {
    scheme: "tcp",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: Caps::STREAM,
    options: Settings::OPTIONS,
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Tcp { settings, counters: context.counters.clone() }))
    },
};

inventory::submit! { FACTORY }

/// The TCP transport.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    settings: Settings,
    counters: Arc<Counters>,
}

impl Tcp {
    /// A transport with these settings, which an address's options override.
    pub fn new(settings: Settings) -> Self {
        Self { settings, counters: Arc::default() }
    }
}

impl Transport for Tcp {
    type Reader = TcpReader;
    type Writer = TcpWriter;
    type Listener = TcpPort;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<TcpConn> {
        target.refuse_expectation()?;
        target.refuse_from()?;
        let settings = self.settings.with(target.addr.options())?;
        conn::conn(dial::dial(&target.addr, settings).await?, &settings)
    }

    async fn listen(&self, addr: &Addr) -> Result<TcpPort> {
        TcpPort::bind(addr, self.settings.with(addr.options())?, self.counters.clone()).await
    }
}
