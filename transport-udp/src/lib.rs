//! Messages as UDP datagrams: scheme `udp`, addresses `udp://host:port`.
//!
//! A datagram is a message, and nothing is added to it: there is no header, no handshake, no
//! acknowledgement, no retry and no encryption, and nobody is proven. Messages get lost, doubled
//! and overtaken on the way; a peer that is gone is a peer that is silent. Whatever has to be
//! better than that is built above.
//!
//! - **Conns are virtual**: one socket has a table of the peers that it talks to, and a conn is a
//!   row in it, by the peer's address and port. A dial adds a row and sends nothing. At a listener
//!   the first datagram of a new peer adds one, so the dialer speaks first.
//! - **Sockets**: a listener has one. [`Target::from`] names a listener to dial out of, whose port
//!   the peer then sees; otherwise all dials of an instance share one socket of its own per family
//!   of addresses, opened by the first dial. A socket is closed at the moment when its last user is
//!   dropped, and its address is free then. Its users are its listener and its conns; the socket
//!   for dials is also used by its [`Udp`].
//! - **One conn per socket and peer**: a dial to a peer that the socket has a conn with, whoever
//!   began it, is [`Busy`](rumormill_transport_api::Error::Busy) until both halves of that conn are
//!   dropped, or it was cut off. A conn that is dialled again goes on at the peer where the last one left off: the
//!   peer cannot tell them apart.
//! - **Names** are resolved at each dial, and the first address is taken that the system knows a
//!   way to; whether anybody is there is not asked. Groups and broadcasts are not dialled: the
//!   answers would come from elsewhere.
//! - **Listening** on `udp://[::]:port` takes IPv6 only, whatever the system's default, so that
//!   `udp://0.0.0.0:port` can be listened on beside it; a peer has one address then, not two. A
//!   conn of a listener on all interfaces answers from the address that its first message came to,
//!   which is its `Info::local`, if that is an address of an interface; else, as when it came as a
//!   broadcast, from the one that the system prefers. Dialled, such an address is the loopback's.
//! - **A dropped listener** whose conns live on leaves them its socket, so its address is taken
//!   until the last of them is dropped; newcomers are rejected.
//!
//! # Sizes
//!
//! Messages of 0 to 65,507 bytes fit into a datagram, over IPv6 as well, where the protocol would
//! allow 20 more. One of more than [`Caps::packet`] may be split on its way and is lost with any
//! piece; the first that a conn sends is warned about. What a packet holds depends on the way, so it
//! stands in the [`Caps`] of each conn: on the loopback and to peers that no router is in front of,
//! what the system says of its own link; to all others, and where it says nothing, 1,200 bytes, or
//! less if it says so. The transport's own is only the most that one of them can have. It is asked
//! when the conn begins, and a way that gets narrower later is not noticed.
//!
//! # Many messages at once
//!
//! Messages of one `send` that are equally long and fit into a packet, and a shorter one behind
//! them, go to the system in one piece of up to 64, and it cuts them into datagrams (GSO on Linux,
//! through `quinn-udp`). So they come out of it (GRO), several pieces in a call. What the system does
//! not take in one piece is sent again one by one, and a socket that was told that the network card
//! cannot cut stops asking. What travels are the same datagrams. [`Settings::offload`] switches it
//! off.
//!
//! # When there is too much
//!
//! Anyone can send datagrams, under any address. So everything is bounded, by [`Settings`], and
//! everything that is dropped is counted, in [`Counters`]:
//!
//! | what is full | what happens | counted as |
//! |---|---|---|
//! | `peers` | a newcomer or a dial takes the place of the accepted conn heard from least recently, which is cut off | `conns_evicted` |
//! | `peers`, all dialled | the newcomer is refused; a dial is `Busy` | `conns_refused`, `messages_rejected` |
//! | `backlog` | a newcomer takes the place of whoever has waited longest | `conns_evicted`, `messages_rejected` |
//! | `conn_messages`, `conn_bytes`, `socket_bytes` | the message that does not fit is dropped, as the kernel does it; older ones stay | `messages_overflowed` |
//!
//! Messages beyond `max_message`, for a reader that is dropped, or from a newcomer where nobody
//! listens, are dropped and counted as `messages_rejected`.
//!
//! Conns that were dialled are never given up for others. The kernel's own queue is bounded by
//! `recv_buffer`, and what it drops only the kernel counts.
//!
//! Whatever other conns leave unread, each has room for 4 KiB of its own.
//!
//! # Errors of the network
//!
//! A datagram that the system does not take (no buffer, a firewall, a path too narrow) is counted
//! in `messages_unsent`, and the conn goes on, as if it had been lost further away. When the system
//! has no way to the peer any more, the writer is [`Cut`](rumormill_transport_api::Error::Cut).
//!
//! Linux also tells what the network answers. That nobody has the peer's port ends the conn: both
//! halves are `Cut`, with [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused) for a reason,
//! the reader behind what had arrived. It takes a message to learn that, and the one that was sent
//! too early is lost; to dial again costs nothing. All other answers (a host that is not reached, say)
//! are counted in `messages_unsent`, one for each, and end nothing. Other systems do not tell, and
//! neither do many networks: a peer that is gone is silent there.
//!
//! Nobody signs such answers. Who knows the addresses and ports of both ends can forge one and so end
//! a conn, as with a reset of TCP; who can see the messages can do that anyway.

mod listener;

mod conn;
mod settings;

mod path;
mod resolve;
mod sockets;

mod segments;
mod socket;

mod arrivals;
mod inbox;
mod switch;
mod table;

mod kernel;
mod port;

pub use conn::{UdpReader, UdpWriter};
pub use listener::UdpListener;
pub use settings::Settings;

use std::{fmt, io, net::SocketAddr, sync::Arc};

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Counters, Factory, Result, Target, Transport, inventory,
};

use crate::{socket::Socket, sockets::Sockets, switch::Door};

/// Registers this crate under the scheme `udp`.
pub const FACTORY: Factory = Factory {
    scheme: "udp",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: Caps { packet: settings::LONGEST, ..Caps::DATAGRAM },
    options: Settings::OPTIONS,
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Udp::counted(settings, context.counters.clone())))
    },
};

inventory::submit! { FACTORY }

/// The UDP transport.
///
/// ```
/// use rumormill_transport_api::{Listener, Reader, Transport, Writer};
/// use rumormill_transport_udp::Udp;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> rumormill_transport_api::Result<()> {
/// let udp = Udp::default();
/// let mut listener = udp.listen(&"udp://127.0.0.1:0".parse()?).await?;
/// let mut there = udp.dial(&listener.addr().clone().into()).await?;
/// there.writer.send(&mut ["hello"].into_iter().collect()).await?;
///
/// let mut here = listener.accept().await?;
/// let mut messages = Vec::new();
/// here.reader.recv(&mut messages).await?;
/// assert_eq!(messages, ["hello"]);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Udp {
    settings: Settings,
    counters: Arc<Counters>,
    sockets: Sockets,
}

impl Udp {
    /// A transport with these settings, which an address's options override.
    pub fn new(settings: Settings) -> Self {
        Self::counted(settings, Arc::default())
    }

    /// The same, counting in `counters` what it drops.
    pub fn counted(settings: Settings, counters: Arc<Counters>) -> Self {
        Self { settings: settings.in_range(), counters, sockets: Sockets::default() }
    }

    fn open_to_dial(&self, at: SocketAddr) -> io::Result<Arc<Socket>> {
        Socket::open(at, self.settings, self.counters.clone(), Door::Shut)
    }
}

impl Transport for Udp {
    type Reader = UdpReader;
    type Writer = UdpWriter;
    type Listener = UdpListener;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<Conn<UdpReader, UdpWriter>> {
        target.refuse_expectation()?;
        settings::check_dialled(target.addr.options())?;
        let settings = self.settings.with(target.addr.options())?;
        let remotes = resolve::to_dial(&target.addr).await?;
        // Nothing is awaited from here on, so a dropped future has opened nothing.
        let route = self.sockets.route(target, &remotes, |at| self.open_to_dial(at))?;
        conn::open(route.socket.dial(route.remote, route.path, settings)?)
    }

    async fn listen(&self, addr: &Addr) -> Result<UdpListener> {
        let settings = self.settings.with(addr.options())?;
        let listener = UdpListener::bind(addr, settings, &self.counters).await?;
        self.sockets.add_listener(listener.socket());
        Ok(listener)
    }
}

impl fmt::Debug for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Udp").field("settings", &self.settings).finish_non_exhaustive()
    }
}
