//! Topics over any transport: publishers and subscribers who need not know each other.
//!
//! A broker routes what is published to a topic to its subscribers: each message to all of them
//! ([`Routing::Fanout`]), or to one ([`Routing::Queue`]). It serves any listeners of a registry at once.

pub mod wire;

mod config;
mod name;
mod proof;

pub use config::{Access, Config, Limits, Policy, Principal, Routing, Topic};
pub use name::{NameError, TopicName};
pub use proof::{Side, proof};
