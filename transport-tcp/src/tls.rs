//! Messages over TLS 1.3 over TCP: scheme `tls`, addresses `tls://host:port`.
//!
//! Both sides always prove who they are. Without authorities in the node's [`Credentials`], a peer's
//! certificate is signed by itself and its key is the peer's node id
//! ([`Proof::Node`](rumormill_transport_api::Proof)); with authorities, a peer is proven by the name
//! that one of them vouches for ([`Proof::Name`](rumormill_transport_api::Proof)). Nodes with and
//! without do not understand each other. TLS below 1.3 is not spoken, and early data neither. The
//! name of the protocol is `rumormill/1` (ALPN), and a peer that does not say it is refused. Inside,
//! the wire is that of `tcp`.
//!
//! - **Dialling** goes as for `tcp`; only the attempts to connect race each other, and hands are
//!   shaken with the winner. With authorities, the name to be proven is the host in the address
//!   unless the target expects another one.
//! - **The listener has the last word** on a handshake, after `dial` has resolved: what it thinks of
//!   our certificate is read as [`Error::Refused`](rumormill_transport_api::Error) by the first
//!   `recv` or `close`, or by a `send` that comes late enough.
//! - **Listening** shakes hands with many dialers at once, in a
//!   [table](rumormill_transport_api::Handshakes) with a deadline for each.
//! - **The end**: each direction ends by itself ([`End::Half`](rumormill_transport_api::End)), and a
//!   dropped writer is told from a closed one, as is a conn that somebody on the path cut.
//! - **Sessions** are resumed: meeting a peer again costs one signature less, and proves the same.
//! - **`close` of a dialer waits for the listener's session ticket**, a message of TLS that every
//!   listener of ours sends right after the handshake, even if it resumes nothing. Until then the
//!   listener has not agreed to the conn; and a ticket that arrives behind a socket's end makes the
//!   kernel reset the conn, which would destroy what is under way to the listener. It takes a round
//!   trip at most, and none if anything was received before. A listener of another make that sends
//!   no tickets lets `close` wait until it says something or ends.
//! - **Read to the peer's end before you drop a conn**, more than with `tcp`: the peer's farewell is
//!   input, too, and unread or late input makes the kernel reset the conn.
//!
//! Settings and their defaults are the fields of [`Settings`]; the same names are options in
//! addresses and configuration.

mod dial;
mod listen;
mod sessions;
mod settings;
mod stream;

pub use listen::TlsPort;
pub use settings::Settings;
pub use stream::{ReadHalf, WriteHalf};

use std::sync::Arc;

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Context, Counters, Credentials, Factory, FrameReader,
    FrameWriter, Result, Target, Transport, inventory,
};

use self::sessions::Side;

/// The half of a TLS conn that receives.
pub type TlsReader = FrameReader<ReadHalf>;
/// The half of a TLS conn that sends.
pub type TlsWriter = FrameWriter<WriteHalf>;
/// A TLS conn.
pub type TlsConn = Conn<TlsReader, TlsWriter>;

/// Registers this module under the scheme `tls`.
pub const FACTORY: Factory = Factory {
    scheme: "tls",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: Caps { secure: true, tells_cuts: true, ..Caps::STREAM },
    options: Settings::OPTIONS,
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Tls::build(settings, context)?))
    },
};

inventory::submit! { FACTORY }

/// The TLS transport.
#[derive(Clone, Debug)]
pub struct Tls {
    settings: Settings,
    /// With and without sessions.
    sides: [Arc<Side>; 2],
    counters: Arc<Counters>,
}

impl Tls {
    /// A transport of the node with these credentials; an address's options override the settings.
    ///
    /// # Errors
    /// [`Error::Option`](rumormill_transport_api::Error) if TLS cannot use the credentials.
    pub fn new(settings: Settings, credentials: Arc<Credentials>) -> Result<Self> {
        Self::build(settings, &Context { credentials: Some(credentials), ..Context::default() })
    }

    fn build(settings: Settings, context: &Context) -> Result<Self> {
        let sides = [Side::resuming(context)?.into(), Side::forgetful(context)?.into()];
        Ok(Self { settings, sides, counters: context.counters.clone() })
    }

    fn side(&self, settings: &Settings) -> Arc<Side> {
        let [resuming, forgetful] = &self.sides;
        match settings.resumption {
            true => resuming.clone(),
            false => forgetful.clone(),
        }
    }
}

impl Transport for Tls {
    type Reader = TlsReader;
    type Writer = TlsWriter;
    type Listener = TlsPort;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<TlsConn> {
        target.refuse_from()?;
        let settings = self.settings.with(target.addr.options())?;
        dial::dial(target, &self.side(&settings), settings).await
    }

    async fn listen(&self, addr: &Addr) -> Result<TlsPort> {
        let settings = self.settings.with(addr.options())?;
        TlsPort::bind(addr, self.side(&settings), settings, self.counters.clone()).await
    }
}

/// What both sides must agree to speak (ALPN, RFC 7301).
const PROTOCOL: &[u8] = b"rumormill/1";
