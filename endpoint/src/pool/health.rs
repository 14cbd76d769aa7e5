//! Whether a conn that nobody uses is fit to be used again.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use rumormill_transport_api::{AnyReader, Error, Reader};
use tokio::task::coop;

/// What a conn is like while nothing is due on it.
pub(super) enum Health {
    /// It is silent.
    Good,
    /// It has ended, for this reason.
    Ended(Error),
    /// The peer has said what nobody had asked for.
    Spoke,
}

/// Asks the reader once, without waiting.
///
/// A reader that has nothing is as it was, by the second rule of the contract: dropping its future
/// loses nothing. What it has is taken, but then the conn is not used again.
pub(super) fn health(reader: &mut AnyReader) -> Health {
    let mut arrived = Vec::new();
    // Without a budget of its own, a task that has done much would find every conn silent.
    let recv = pin!(coop::unconstrained(reader.recv(&mut arrived)));
    match recv.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => Health::Good,
        Poll::Ready(Ok(())) => Health::Spoke,
        Poll::Ready(Err(error)) => Health::Ended(error),
    }
}
