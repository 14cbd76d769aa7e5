//! What stands above every transport and is the same for all of them: signed messages between nodes.
//!
//! An [`Endpoint`] is a node's identity, its cluster, any number of transports and listeners, and a
//! table of peers. [`send`](Endpoint::send) takes a message for a peer and never waits; conns are
//! dialled, kept and dialled again behind it. What arrives comes out of an [`Inbox`] for each
//! [`Class`], with the id of the node that has verifiably sent it.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use rumormill_endpoint::{Admission, Class, Config, Endpoint};
//! use rumormill_identity::SecretKey;
//! use rumormill_registry::Registry;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = || Registry::of([rumormill_transport_tcp::FACTORY]).map(Arc::new);
//! let config = || Config::new("docs", Admission::Open);
//! let (a, _) = Endpoint::start(registry()?, SecretKey::generate(), config())?;
//! let (b, mut arriving) = Endpoint::start(registry()?, SecretKey::generate(), config())?;
//!
//! let addr = b.listen(&"tcp://127.0.0.1:0".parse()?).await?;
//! a.learn(b.node(), vec![addr])?;
//! a.send(b.node(), Class::Gossip, "a rumor")?;
//!
//! let message = arriving.gossip.recv().await.ok_or("closed")?;
//! assert_eq!((message.from, &*message.bytes), (a.node(), &b"a rumor"[..]));
//! a.close(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **Who:** a message is from the node that it says. Every frame is signed, and the signature
//!   covers the cluster and both nodes' ids and sessions. Replayed, altered, redirected, or from
//!   before a restart, it is refused and counted ([`Rejected`]).
//! - **Whether:** at most once, and over a stream in order within a class as long as the conn
//!   lives; what is urgent and too long for packets may come later than what is not. What was taken
//!   and did not leave is counted by reason ([`Dropped`]); what a carrier took and died with is
//!   *uncertain*. A [`request`](Endpoint::request) is the acknowledged form.
//! - **How much:** every queue and table is bounded by [`Config`], and its overflow counted.
//!
//! Signing is not encryption: [`Config::confidential`] keeps to carriers that encrypt.

mod endpoint;

mod admission;
mod config;
mod error;

mod hub;
mod peer;
mod reach;

mod crowd;
mod dial;
mod door;
mod ear;
mod greet;
mod handle;
mod link;
mod orphans;
mod pump;
mod read;
mod request;
mod route;
mod track;
mod trail;
mod turn;

mod inbox;
mod outbox;

mod budget;
pub mod pool;

mod carriers;
mod clock;
mod ledger;
mod retry;

pub mod echo;
pub mod frame;
pub mod hello;
pub mod seal;
mod window;

pub use admission::{Admission, Denied, MAX_NAME, MAX_REVOKED, Revocations, Ticket, Tickets};
pub use carriers::{Broken, CarrierSnapshot, Unopened};
pub use clock::{Clock, SystemClock};
pub use config::{Config, Signing};
pub use endpoint::{Endpoint, Inboxes, PeerInfo, Report};
pub use error::{Error, RequestError, SendError};
pub use frame::Class;
pub use hub::Event;
pub use inbox::{Inbox, Message};
pub use ledger::{ClassSnapshot, Dropped, LinksSnapshot, Rejected, Snapshot};
pub use outbox::Limits;
pub use pool::{Lease, Pool};
pub use reach::{IpNetwork, NetworkError, Reach, Unallowed};
pub use retry::{Jitter, Retry, RetryBudget};
