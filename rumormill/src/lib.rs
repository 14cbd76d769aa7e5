//! A multi-transport gossip networking framework: what users depend on.
//!
//! Messages travel over transports, which are chosen by the schemes of addresses at run time. Each
//! cargo feature of this crate brings one of them, and a crate from elsewhere that a program names
//! in its code (`use my_transport as _;`) brings another.
//!
//! | feature and scheme | carrier |
//! |---|---|
//! | `mem` | channels within the process |
//! | `tcp` | TCP |
//! | `udp` | UDP, a message in a datagram |
//! | `unix` | Unix sockets, on this machine |
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

mod transports;

pub use rumormill_registry::{Error as RegistryError, Registry};
/// The contract between transports and their users, whole.
pub use rumormill_transport_api as transport;
pub use rumormill_transport_api::{Addr, Batch, Listener, Reader, Target, Transport, Writer};

/// The transports of this program: those of the cargo features that are on, and all others that it
/// links.
///
/// # Errors
/// [`RegistryError::Duplicate`] and [`RegistryError::Malformed`], which no transport of this crate
/// causes by itself.
pub fn registry() -> Result<Registry, RegistryError> {
    Ok(Registry::linked()?.with_hints(transports::FEATURES))
}
