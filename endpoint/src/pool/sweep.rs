//! What a pool does by itself: it looks after what is idle, and says farewell to what is not used.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use rumormill_transport_api::{AnyConn, Writer};
use tokio::{
    task::coop,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    health::{Health, health},
    shelf::{Idle, Turn},
    stock::{Parked, Stock},
    tally::Ended,
};
use crate::budget::Permit;

/// Looks after what is idle until the pool is closed.
pub(super) async fn sweep(stock: Arc<Stock>) {
    tokio::select! {
        biased;
        () = stock.closed() => (),
        () = rounds(&stock) => (),
    }
}

async fn rounds(stock: &Stock) {
    loop {
        match next_round(stock) {
            Some(at) => sleep_until(at).await,
            None => stock.stirred.notified().await,
        }
        for turn in turns(stock) {
            look_after(stock, turn);
            coop::consume_budget().await;
        }
        farewell(stock, expired(stock), Instant::now() + FAREWELL).await;
    }
}

/// When to look again: when the next conn expires, or before; `None` while nothing is idle.
fn next_round(stock: &Stock) -> Option<Instant> {
    let oldest = stock.shelf().oldest()?;
    let round = Instant::now() + ROUND;
    Some(oldest.checked_add(stock.limits.idle_for).map_or(round, |expiry| expiry.min(round)))
}

fn turns(stock: &Stock) -> Vec<Turn> {
    stock.shelf().turns()
}

/// Drops a conn that has ended; a peer that restarts would leave it half-closed until somebody asks
/// for it. On carriers whose own questions are answered by the reader, this answers them.
fn look_after(stock: &Stock, turn: Turn) {
    let Some(mut idle) = stock.shelf().lend(turn) else { return };
    let unwanted = match health(&mut idle.conn.conn.reader) {
        Health::Good => stock.shelf().restore(turn, idle),
        Health::Ended(_) | Health::Spoke => {
            stock.shelf().lost(&idle.origin);
            Some(idle)
        }
    };
    drop(unwanted);
}

/// What was unused for too long, or is too much.
fn expired(stock: &Stock) -> Vec<Idle<Parked>> {
    let (now, mut shelf, mut expired) = (Instant::now(), stock.shelf(), Vec::new());
    while shelf.oldest().is_some_and(|since| stock.limits.idle_for <= now - since) {
        expired.extend(shelf.pop_oldest(Ended::Expired));
    }
    expired.extend(std::iter::from_fn(|| shelf.pop_surplus(stock.keeping(), now)));
    expired
}

/// Closes conns, all at once, and drops those that take too long. One that finds no place in the
/// budget to take its time in is dropped right away.
///
/// Cancel-safe: dropping the future drops what is left.
pub(super) async fn farewell(stock: &Stock, conns: Vec<Idle<Parked>>, deadline: Instant) {
    let mut leaving = Vec::new();
    for Idle { conn: Parked { conn, .. }, .. } in conns {
        if let Some(place) = stock.try_claim() {
            leaving.push(Box::pin(close(conn, place)));
        }
    }
    timeout_at(deadline, all(leaving)).await.ok();
}

async fn close(mut conn: AnyConn, place: Permit) {
    if let Err(error) = conn.writer.close().await {
        tracing::debug!(remote = %conn.info.remote, %error, "an idle conn did not close");
    }
    drop(conn);
    drop(place);
}

/// Waits for all futures; each is dropped as soon as it is done.
async fn all<F: Future<Output = ()>>(mut futures: Vec<Pin<Box<F>>>) {
    poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// How long at most until what is idle is looked after again.
const ROUND: Duration = Duration::from_secs(1);
/// How long the carrier may take to close conns.
const FAREWELL: Duration = Duration::from_secs(1);
