//! Topics over any transport: publishers and subscribers who need not know each other.
//!
//! A broker routes what is published to a topic to its subscribers: each message to all of them
//! ([`Routing::Fanout`]), or to one ([`Routing::Queue`]). It serves any listeners of a registry at once.

pub mod wire;

#[cfg_attr(not(test), expect(dead_code, reason = "the driver uses it"))]
mod memory;
#[expect(dead_code, reason = "the driver uses it")]
mod topic;

mod config;
mod name;
mod proof;
mod stats;

pub use config::{Access, Config, Limits, Policy, Principal, Routing, Topic};
pub use name::{NameError, TopicName};
pub use proof::{Side, proof};
pub use stats::{ConnId, Dropped, Left, LeftState, TopicStats, Traffic};
