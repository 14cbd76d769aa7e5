//! Topics over any transport: publishers and subscribers who need not know each other.
//!
//! A broker routes what is published to a topic to its subscribers: each message to all of them
//! ([`Routing::Fanout`]), or to one ([`Routing::Queue`]). It serves any listeners of a registry at once.

mod broker;
mod client;

pub mod wire;

mod config;
mod error;
mod name;
mod proof;
mod report;
mod stats;

mod driver;
mod memory;
mod topic;

pub use broker::Broker;
pub use client::{
    Client, ClientConfig, ClientEvent, ClientReport, ClientStats, ConnectError, Delivery, Ended,
    Gap, GreetError, Incoming, Lost, PublishError, Publisher, Receipt, Settle, Submitted,
    SubscribeError, SubscribeOptions, Subscription,
};
pub use config::{Access, Config, Limits, Policy, Principal, Routing, Topic};
pub use error::{ConfigError, ConfigFault, ListenError, ServeError};
pub use name::{NameError, TopicName};
pub use proof::{Side, proof};
pub use report::{Changes, ConnStats, CutReason, Remainder, Stats, StopReport};
pub use stats::{ConnId, Dropped, Left, LeftState, TopicStats, Traffic};
