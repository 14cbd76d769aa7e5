//! Waiting until a time, or until somebody says that something changed.

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Something to be had now, or what to wait for.
#[derive(Debug)]
pub(crate) enum Due<T> {
    Now(T),
    /// Until this time at the latest, and until a change.
    Later(Option<Instant>),
}

/// Cancel-safe: a change that nobody waits for is kept by `changed` for the next call.
pub(crate) async fn wait(changed: &Notify, until: Option<Instant>) {
    match until {
        Some(until) => tokio::select! {
            biased;
            () = changed.notified() => (),
            () = sleep_until(until) => (),
        },
        None => changed.notified().await,
    }
}
