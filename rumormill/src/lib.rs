//! A multi-transport gossip networking framework: what users depend on.
//!
//! Messages travel over transports, which are chosen by the schemes of addresses at run time. Each
//! cargo feature of this crate brings one of them, and a crate from elsewhere that a program names
//! in its code (`use my_transport as _;`) brings another.
//!
//! | feature and scheme | carrier | encrypts, and proves both sides |
//! |---|---|---|
//! | `mem` | channels within the process | no |
//! | `quic` | QUIC, a stream for each conn | yes |
//! | `tcp` | TCP | no |
//! | `tls` | TLS 1.3 over TCP; brings `tcp` too | yes |
//! | `udp` | UDP, a message in a datagram | no |
//! | `unix` | Unix sockets, on this machine | no |
//!
//! ```
//! use rumormill::{
//!     Addr, Batch, Reader, Writer,
//!     transport::{Limits, serve},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = rumormill::registry()?;
//! for addr in ["mem://echo", "tcp://127.0.0.1:0"] {
//!     let addr: Addr = addr.parse()?;
//! #   if !registry.contains(addr.scheme()) { continue }
//!     let listener = registry.listen(&addr).await?;
//!     let server = serve(listener, Limits::default(), async |_, message| Some(message));
//!
//!     let mut conn = registry.dial(&server.addr().clone().into()).await?;
//!     let mut batch = Batch::default();
//!     batch.push("hello");
//!     conn.writer.send(&mut batch).await?;
//!
//!     let mut echoes = Vec::new();
//!     conn.reader.recv(&mut echoes).await?;
//!     assert_eq!(echoes, ["hello"]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Who is there
//!
//! A transport that encrypts proves both sides to each other, so it has to be told who this node
//! is: its key, which [`Registry::with_credentials`] gives to all transports at once. The key *is*
//! the node. Who knows its [`NodeId`](transport::NodeId) can insist on it, and who does not is told
//! who answered, by [`Info::proof`](transport::Info). The module `identity` has keys, their files,
//! and in their place the files of an ordinary authority; its feature has the same name, and comes
//! with `tls`, `quic` and `endpoint`.
//!
//! ```
//! # #[cfg(feature = "identity")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rumormill::{
//!     Addr, Batch, Reader, Target, Writer,
//!     identity::SecretKey,
//!     transport::{Expect, Limits, Proof, serve},
//! };
//!
//! let (alice, bob) = (SecretKey::generate(), SecretKey::generate());
//! let of_alice = rumormill::registry()?.with_credentials(alice.credentials().into());
//! let of_bob = rumormill::registry()?.with_credentials(bob.credentials().into());
//!
//! for addr in ["tls://127.0.0.1:0", "quic://127.0.0.1:0"] {
//!     let addr: Addr = addr.parse()?;
//! #   if !of_alice.contains(addr.scheme()) { continue }
//!     let listener = of_alice.listen(&addr).await?;
//!     let server = serve(listener, Limits::default(), async |peer, _| match &peer.proof {
//!         Some(Proof::Node(node)) => Some(format!("you are {node}").into()),
//!         _ => None,
//!     });
//!
//!     let expect = Expect::Node(alice.node());
//!     let target = Target { expect, ..Target::new(server.addr().clone()) };
//!     let mut conn = of_bob.dial(&target).await?;
//!     let mut batch = Batch::default();
//!     batch.push("who am I?");
//!     conn.writer.send(&mut batch).await?;
//!
//!     let mut answers = Vec::new();
//!     conn.reader.recv(&mut answers).await?;
//!     assert_eq!(answers, [format!("you are {}", bob.node())]);
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "identity"))]
//! # fn main() {}
//! ```
//!
//! # Messages between nodes
//!
//! An `endpoint::Endpoint` stands above all transports, whether they prove anything or not: it signs
//! what it sends, and hands over what verifiably comes from a node of its cluster. It dials, retries
//! and counts what becomes of each message. Its feature is `endpoint`.
//!
//! ```
//! # #[cfg(feature = "endpoint")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//!
//! use rumormill::{
//!     Addr,
//!     endpoint::{Admission, Class, Config, Endpoint},
//!     identity::SecretKey,
//! };
//!
//! let start = |key: SecretKey| {
//!     let registry = rumormill::registry()?.with_credentials(key.credentials().into());
//!     let config = Config::new("a name that no other cluster has", Admission::Open);
//!     Ok::<_, Box<dyn std::error::Error>>(Endpoint::start(Arc::new(registry), key, config)?)
//! };
//! let (alice, _) = start(SecretKey::generate())?;
//!
//! for addr in ["udp://127.0.0.1:0", "quic://127.0.0.1:0"] {
//!     let addr: Addr = addr.parse()?;
//! #   if !rumormill::registry()?.contains(addr.scheme()) { continue }
//!     let (bob, mut arriving) = start(SecretKey::generate())?;
//!     alice.learn(bob.node(), vec![bob.listen(&addr).await?])?;
//!     alice.send(bob.node(), Class::Gossip, "a rumor")?;
//!
//!     let message = arriving.gossip.recv().await.ok_or("closed")?;
//!     assert_eq!((message.from, &*message.bytes), (alice.node(), &b"a rumor"[..]));
//! }
//! alice.close(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "endpoint"))]
//! # fn main() {}
//! ```
//!
//! # Topics
//!
//! A `broker::Broker` routes what is published to a topic to all of its subscribers, or to one of them;
//! `broker::Client` publishes and subscribes, over any transport that delivers a stream. `hub::Hub` is a broker
//! with everything around it, from a configuration, as `rumormill broker` runs it; and a `Node` hosts one if its
//! configuration says so. The feature is `broker`, and for the latter two `node` besides.

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "node")]
pub mod config;
#[cfg(all(feature = "broker", feature = "node"))]
pub mod hub;
#[cfg(feature = "node")]
pub mod node;
mod transports;

#[cfg(feature = "node")]
pub use node::Node;
/// Topics: a broker of messages, and its client.
#[cfg(feature = "broker")]
pub use rumormill_broker as broker;
/// Signed messages between nodes: what stands above the transports and is the same for all of them.
#[cfg(feature = "endpoint")]
pub use rumormill_endpoint as endpoint;
/// Who is there: membership of a cluster, and rumors that reach all of it.
#[cfg(feature = "gossip")]
pub use rumormill_gossip as gossip;
/// Who a node is: keys, their files, and what they prove a node with.
#[cfg(feature = "identity")]
pub use rumormill_identity as identity;
pub use rumormill_registry::{Error as RegistryError, Registry};
/// The contract between transports and their users, whole.
pub use rumormill_transport_api as transport;
pub use rumormill_transport_api::{Addr, Batch, Listener, Reader, Target, Transport, Writer};

/// The transports of this program: those of the cargo features that are on, and all others that it
/// links.
///
/// Those that prove who this node is can be used once it has
/// [credentials](Registry::with_credentials).
///
/// # Errors
/// [`RegistryError::Duplicate`] and [`RegistryError::Malformed`], which no transport of this crate
/// causes by itself.
pub fn registry() -> Result<Registry, RegistryError> {
    Ok(Registry::linked()?.with_hints(transports::FEATURES))
}
