//! What moves bytes between conns and topics: the only part of the broker that waits.
//!
//! Each topic is behind a lock of its own. What a topic puts out for conns is put into their outboxes
//! while that lock is held, so that no conn sees it in another order; their writers are woken after
//! it was let go. Locks are taken in this order: topic, table of conns, a conn's outbox or topics.

mod accept;
mod check;
mod conn;
mod errands;
mod greet;
mod hub;
mod outbox;
mod parts;
mod read;
mod reload;
mod session;
mod slot;
mod stop;
mod table;
mod tally;
mod timer;
mod write;

pub(crate) use check::check;
pub(crate) use hub::Hub;
