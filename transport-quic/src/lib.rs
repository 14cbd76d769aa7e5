//! Messages over QUIC: scheme `quic`, addresses `quic://host:port`.
//!
//! Everything is encrypted by TLS 1.3, and both sides prove who they are. A conn is one
//! bidirectional stream, with the framing of `rumormill-transport-api` in both directions: four
//! bytes of big-endian length, then the payload. The name of the protocol (ALPN) is `rumormill/1`;
//! version 1 of QUIC (RFC 9000) is spoken, without 0-RTT, datagrams and unidirectional streams.
//!
//! - **Conns share a connection**: all dials out of one socket, to one address, with one expectation
//!   ([`Target::expect`]). The first pays for a handshake, which takes one round trip, or two where
//!   the listener is busy; further ones cost nothing. What was dialled without an expectation never
//!   serves one, and what was accepted is not dialled over. Dials at the same time share one
//!   handshake, which is given up with the last of them. A connection that has died is replaced by
//!   the next dial; what died with it is [`Cut`](rumormill_transport_api::Error::Cut).
//! - **The dialer speaks first**: its conn is invisible to the listener until its first message.
//! - **Sockets**: a listener has one. [`Target::from`] names a listener to dial out of; otherwise all
//!   dials of an instance share one socket of its own per family of addresses, opened by the first.
//! - **The end**: each direction ends by itself ([`End::Half`](rumormill_transport_api::End)), and
//!   a dropped writer is told from a closed one. `close` waits until the peer's carrier has
//!   everything, whatever the peer's program does. With the last half of all conns on a dialled
//!   connection goes the connection.
//! - **A dropped listener** cuts off who has not been accepted; its conns go on, and keep its
//!   address taken. Further conns on their connections are cut off at once. When the last half is
//!   dropped, the address is free three times the time later that the peer takes to acknowledge,
//!   about a tenth of a second: so long the farewell is repeated to a peer that has missed it.
//! - **The peer may move**: when its address changes, the conns go on. [`Info::remote`](rumormill_transport_api::Info) still tells
//!   where it was.
//! - **Listening** on `quic://[::]:port` takes IPv6 only, whatever the system's default. A name that
//!   is dialled is tried as TCP tries it, by Happy Eyeballs (RFC 8305).
//! - **Nobody there** is silence. A dial takes [`Settings::handshake`], 5 s, to find out.
//!
//! # Who is believed
//!
//! A node's key proves it, or with authorities a name: see the crate `rumormill-identity`. Somebody
//! else at the dialled address is [`Unproven`](rumormill_transport_api::Error::Unproven), and nothing was opened. A listener
//! that refuses *us* can say so only after `dial` has resolved, so that
//! [`Refused`](rumormill_transport_api::Error::Refused) may be what the first `recv` or `send` returns. Sessions are resumed,
//! which spares a peer that is dialled again some of the work; who it is was proven when they began.
//!
//! Who has seen a program die and start again under the same key and address learns of it with the
//! next packet that it sends: its conns are cut and can be dialled again at once.
//!
//! # When there is too much
//!
//! Anyone can send packets, under any address. So everything is bounded, by [`Settings`], and
//! counted in [`Counters`]:
//!
//! | what is full | what happens | counted as |
//! |---|---|---|
//! | `retry` handshakes under way | a dialer has to prove that its address is its own; until then it costs nothing | |
//! | `handshakes`, or half of it by one source | a newcomer takes the place of one of the busiest source, or its own, that has had half of its time; else it is ignored, and sends again | `conns_evicted`, `conns_refused` |
//! | `handshake` | the handshake is given up | `conns_vanished` |
//! | `connections`, `source_connections` | a newcomer is refused; its dial is [`Busy`](rumormill_transport_api::Error::Busy) | `conns_refused` |
//! | `conns` | the peer's dial is `Busy` | |
//! | `backlog` | conns wait in their connections | |
//! | `conn_window`, `peer_window`, `send_window` | writers wait | |
//!
//! A handshake that fails is counted in `conns_vanished`. A connection that has no conn for
//! [`Settings::idle`] is closed, whatever its peer sends to keep it.
//!
//! # Memory
//!
//! A peer without conns takes about 75 KiB at the side that accepted it, most of it for `conns`, and
//! less at the other. Beyond that it can make this side hold at most `peer_window` bytes that no
//! reader has taken (64 MiB), which all conns of the connection share, and `send_window` bytes that
//! it does not acknowledge (8 MiB), and what the framing holds for each conn. A conn whose reader
//! has stopped takes up to `conn_window` (1 MiB) of `peer_window`: 64 of them stop the others of
//! the same connection. Readers that read make all of this small. All peers together are bounded by
//! `connections` times that, so that a program which serves strangers should lower `peer_window`,
//! `connections`, or both. A socket has a buffer of 3 MiB, of which the system gives what is used.
//!
//! # Beneath
//!
//! The crate `quinn` speaks QUIC. It runs tasks of its own in the runtime in which a transport is
//! used, for each socket and connection, and they end with it. A conn whose runtime was shut down
//! is of no use in another.

mod dial;
mod listener;

mod conn;
mod halves;
mod settings;

mod config;
mod failure;
mod resolve;
mod restart;
mod socket;
mod sockets;

mod link;
mod links;

mod admission;
mod keeper;
mod reception;

pub use halves::{ByteReader, ByteWriter};
pub use listener::QuicListener;
pub use settings::Settings;

use std::{fmt, sync::Arc};

use quinn::ClientConfig;
use rumormill_identity::tls::{Sessions, Tls};
use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Context, Counters, Factory, FrameReader, FrameWriter, Result,
    Target, Transport, inventory,
};

use crate::{restart::ResetSecret, sockets::Sockets};

/// The half of a QUIC conn that receives.
pub type QuicReader = FrameReader<ByteReader>;
/// The half of a QUIC conn that sends.
pub type QuicWriter = FrameWriter<ByteWriter>;
/// A QUIC conn.
pub type QuicConn = Conn<QuicReader, QuicWriter>;

/// Registers this crate under the scheme `quic`.
pub const FACTORY: Factory = Factory {
    scheme: "quic",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: settings::CAPS,
    options: Settings::OPTIONS,
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Quic::new(settings, context)?))
    },
};

inventory::submit! { FACTORY }

/// The QUIC transport.
///
/// ```
/// # use std::sync::Arc;
/// use rumormill_identity::SecretKey;
/// use rumormill_transport_api::{Context, Listener, Proof, Reader, Transport, Writer};
/// use rumormill_transport_quic::{Quic, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> rumormill_transport_api::Result<()> {
/// let key = SecretKey::generate();
/// let context =
///     Context { credentials: Some(Arc::new(key.credentials())), ..Context::default() };
/// let quic = Quic::new(Settings::default(), &context)?;
/// let mut listener = quic.listen(&"quic://127.0.0.1:0".parse()?).await?;
/// let mut there = quic.dial(&listener.addr().clone().into()).await?;
/// assert_eq!(there.info.proof, Some(Proof::Node(key.node())));
/// there.writer.send(&mut ["hello"].into_iter().collect()).await?;
///
/// let mut here = listener.accept().await?;
/// let mut messages = Vec::new();
/// here.reader.recv(&mut messages).await?;
/// assert_eq!(messages, ["hello"]);
/// # Ok(())
/// # }
/// ```
pub struct Quic {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    counters: Arc<Counters>,
    tls: Tls,
    client: ClientConfig,
    resets: ResetSecret,
    sockets: Sockets,
}

impl Quic {
    /// A transport with these settings, which an address's options override, for the node whose
    /// credentials are in `context`; its options are not looked at.
    ///
    /// # Errors
    /// [`Error::Unsupported`](rumormill_transport_api::Error::Unsupported) without credentials,
    /// [`Error::Option`](rumormill_transport_api::Error::Option) for credentials that TLS cannot
    /// use.
    pub fn new(settings: Settings, context: &Context) -> Result<Self> {
        let settings = settings.in_range();
        let sessions = if settings.resumption { Sessions::Resumed } else { Sessions::Never };
        let tls = Tls::new(context, config::PROTOCOL, sessions)?;
        let client = config::client(&tls, &settings)?;
        let inner = Inner {
            settings,
            counters: context.counters.clone(),
            tls,
            client,
            resets: ResetSecret::new(context)?,
            sockets: Sockets::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Transport for Quic {
    type Reader = QuicReader;
    type Writer = QuicWriter;
    type Listener = QuicListener;

    fn caps(&self) -> Caps {
        self.inner.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<QuicConn> {
        dial::dial(&self.inner, target).await
    }

    async fn listen(&self, addr: &Addr) -> Result<QuicListener> {
        let settings = self.inner.settings.with(addr.options())?;
        let listener = QuicListener::bind(addr, settings, &self.inner).await?;
        self.inner.sockets.add_listener(listener.socket());
        Ok(listener)
    }
}

impl fmt::Debug for Quic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quic").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
