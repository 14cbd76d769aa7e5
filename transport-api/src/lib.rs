//! The contract between rumormill and its transports, and what every transport shares.
//!
//! A transport carries whole messages between two ends. It implements four small traits, exports a
//! [`Factory`], and is then chosen by name at run time; nothing else needs to know that it exists.
//!
//! | trait | verbs |
//! |---|---|
//! | [`Transport`] | `dial`, `listen` (and what it can do: `caps`) |
//! | [`Listener`] | `accept` (and its `addr`) |
//! | [`Reader`] | `recv` |
//! | [`Writer`] | `send`, `close` |
//!
//! # Three rules
//!
//! 1. **An error ends a half.** A [`Reader`] or [`Writer`] that returned an error is finished, and
//!    returns [`Error::Closed`] from then on. The other half is not touched. A transport never
//!    ends; a listener ends only with [`Error::Finished`]. One error ends nothing:
//!    [`Error::TooLarge`] from `send`, which is returned before anything is taken.
//! 2. **Every future may be dropped**, at any await, and nothing is lost, repeated or reordered by
//!    it. Readers keep partial messages in themselves; writers move the batch into themselves
//!    before their first await. Dropping a future may also stop its work: the next call on that
//!    half resumes it. Only dropping the half itself loses what is pending.
//! 3. **No policy clocks.** Deadlines belong to the caller, who wraps any future in a timeout and
//!    loses nothing by rule 2. The only timers inside transports are the carrier's own: a protocol's
//!    retransmission, the stagger between several addresses, a listener's deadline for handshakes,
//!    and simulated time.
//!
//! Everything else stands at the item that it concerns. What a caller may rely on is in the traits'
//! docs; that a transport keeps to it is tested by the crate `rumormill-transport-conformance`,
//! whose one macro runs the whole contract against any transport.
//!
//! # Writing a transport
//!
//! The crates `bytes` and `inventory` are re-exported, so that a plug-in has the versions meant here.
//!
//! 1. Where the carrier is a stream of bytes, return [`FrameReader`] and [`FrameWriter`] around its
//!    halves: framing, batching, limits and rule 2 are done.
//!    Else implement [`Reader`] and [`Writer`]. A carrier that is driven by completions instead of
//!    readiness runs in a task of its own behind bounded channels, which keeps rule 2 for it.
//! 2. Implement [`Transport`] and [`Listener`] with `async fn`s. Read the address with
//!    [`HostPort`] or by yourself, refuse in `dial` what cannot be honoured
//!    ([`Target::refuse_expectation`], [`Target::refuse_from`]), and turn [`Options`] into a struct
//!    of settings once.
//! 3. Export a [`Factory`] as a `const`, and submit it.
//! 4. Put one line into `tests/conformance.rs`.
//!
//! ```
//! use rumormill_transport_api::{
//!     Addr, AnyTransport, Caps, Conn, Error, Factory, FrameReader, FrameWriter, Framing, HostPort,
//!     Info, Listener, Result, Target, Transport,
//! };
//! # mod carrier {
//! #     use std::{io, net::SocketAddr};
//! #     use tokio::io::DuplexStream;
//! #     pub struct Port;
//! #     pub async fn connect(_: &rumormill_transport_api::HostPort) -> io::Result<(DuplexStream, DuplexStream)> {
//! #         Err(io::ErrorKind::ConnectionRefused.into())
//! #     }
//! #     pub async fn bind(_: &rumormill_transport_api::HostPort) -> io::Result<(Port, SocketAddr)> {
//! #         Ok((Port, SocketAddr::from(([127, 0, 0, 1], 1))))
//! #     }
//! #     impl Port {
//! #         pub async fn accept(&mut self) -> io::Result<(DuplexStream, DuplexStream, SocketAddr)> {
//! #             Err(io::ErrorKind::Other.into())
//! #         }
//! #     }
//! # }
//! # use tokio::io::DuplexStream as Half;
//!
//! /// How this crate is found by name.
//! pub const FACTORY: Factory = Factory {
//!     scheme: "carrier",
//!     provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
//!     caps: Caps::STREAM,
//!     options: &[],
//!     build: |context| {
//!         context.options.check(FACTORY.options)?;
//!         Ok(AnyTransport::new(Carrier))
//!     },
//! };
//! rumormill_transport_api::inventory::submit! { FACTORY }
//!
//! struct Carrier;
//!
//! impl Transport for Carrier {
//!     type Reader = FrameReader<Half>;
//!     type Writer = FrameWriter<Half>;
//!     type Listener = Port;
//!
//!     fn caps(&self) -> Caps {
//!         FACTORY.caps
//!     }
//!
//!     async fn dial(&self, target: &Target) -> Result<Conn<Self::Reader, Self::Writer>> {
//!         target.refuse_expectation()?;
//!         target.refuse_from()?;
//!         target.addr.options().check(FACTORY.options)?;
//!         let to = HostPort::parse_to_dial(&target.addr)?;
//!         let halves = carrier::connect(&to).await.map_err(|source| Error::Unreachable {
//!             addr: target.addr.clone(),
//!             source,
//!         })?;
//!         Ok(conn(halves, Addr::new("carrier", "")?, target.addr.clone()))
//!     }
//!
//!     async fn listen(&self, addr: &Addr) -> Result<Port> {
//!         addr.options().check(FACTORY.options)?;
//!         let bound = carrier::bind(&HostPort::parse(addr)?).await;
//!         let (port, local) = bound.map_err(|e| Error::io(format!("binding {addr}"), e))?;
//!         Ok(Port { port, addr: Addr::new("carrier", &local.to_string())? })
//!     }
//! }
//!
//! struct Port {
//!     port: carrier::Port,
//!     addr: Addr,
//! }
//!
//! impl Listener for Port {
//!     type Reader = FrameReader<Half>;
//!     type Writer = FrameWriter<Half>;
//!
//!     fn addr(&self) -> &Addr {
//!         &self.addr
//!     }
//!
//!     async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
//!         let (read, write, from) = self.port.accept().await.map_err(|e| Error::io("accepting", e))?;
//!         Ok(conn((read, write), self.addr.clone(), Addr::new("carrier", &from.to_string())?))
//!     }
//! }
//!
//! fn conn((read, write): (Half, Half), local: Addr, remote: Addr) -> Conn<FrameReader<Half>, FrameWriter<Half>> {
//!     Conn {
//!         info: Info::new(local, remote, FACTORY.caps),
//!         reader: FrameReader::new(read, Framing::default()),
//!         writer: FrameWriter::new(write, Framing::default()),
//!     }
//! }
//! ```

mod transport;

mod addr;
mod batch;
mod caps;
mod conn;
mod error;

mod counters;
mod factory;
mod histogram;
mod host;
mod node_id;
mod options;
mod presets;
pub mod race;
mod suggest;

mod erased;
mod frame;
mod handshakes;
mod serve;

pub use bytes;
pub use inventory;

pub use addr::Addr;
pub use batch::{Batch, Message};
pub use caps::{Caps, Delivery, End};
pub use conn::{Conn, Expect, Info, Proof, Target};
pub use counters::{Counter, Counters};
pub use erased::{AnyConn, AnyListener, AnyReader, AnyTransport, AnyWriter};
pub use error::{Error, Result, excerpt, with_causes};
pub use factory::{Context, Credentials, Extensions, Factory};
pub use frame::{FrameReader, FrameWriter, Framing};
pub use handshakes::Handshakes;
pub use histogram::Histogram;
pub use host::{HostPort, here_if_anywhere};
pub use node_id::NodeId;
pub use options::{OptionSpec, Options};
pub use presets::{Buffers, Timeouts};
pub use serve::{Backoff, Limits, Served, Server, accept_next, serve};
pub use suggest::nearest;
pub use transport::{Listener, MAX_RECV, Reader, Transport, Writer};
