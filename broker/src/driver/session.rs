//! The life of a conn.

use std::time::Duration;

use rumormill_transport_api::{AnyReader, AnyWriter, Batch, Error, Info, Reader, Writer};
use tokio::{task::JoinSet, time::timeout};

use super::{
    accept::Seat,
    errands::Errands,
    greet::{Guest, Unwelcome, greet},
    read::Reading,
    write::Writing,
};
use crate::{
    CutReason,
    wire::{Answer, RefusedWhy},
};

/// How a conn comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The peer has closed, or it was asked to.
    Closed,
    /// What waits for it is written still.
    Told(CutReason),
    /// Nothing is written any more.
    Cut(CutReason),
}

/// Serves a conn to its end.
pub(crate) async fn run(seat: Seat, info: Info, reader: AnyReader, writer: AnyWriter) {
    match live(&seat, info, reader, writer).await {
        Ending::Closed => seat.hub.tally.closed.add(1),
        Ending::Told(reason) | Ending::Cut(reason) => seat.hub.tally.cut(reason),
    }
}

async fn live(seat: &Seat, info: Info, mut reader: AnyReader, mut writer: AnyWriter) -> Ending {
    let Seat { hub, conn } = seat;
    let mut stopping = hub.stopping.subscribe();
    let deadline = hub.limits().handshake;
    let greeted = tokio::select! {
        biased;
        _ = stopping.wait_for(|is_stopping| *is_stopping) => {
            Ok(Err(Unwelcome::Refused(RefusedWhy::Stopping, "")))
        }
        greeted = timeout(deadline, greet(hub, &info, &mut reader, &mut writer)) => greeted,
    };
    let guest = match greeted {
        Ok(Ok(guest)) => guest,
        Ok(Err(Unwelcome::Refused(why, text))) => {
            drop(timeout(LINGER, refuse(why, text, reader, writer)).await);
            return ending_of(why);
        }
        Ok(Err(Unwelcome::Gone)) => return Ending::Cut(CutReason::Broken),
        Err(_) => return Ending::Cut(CutReason::Handshake),
    };
    let Guest { proofs, idle, arrived } = guest;
    conn.greeted(proofs);
    tracing::debug!(conn = %conn.label(), "a conn has been let in");
    let mut tasks = JoinSet::new();
    tasks.spawn(Writing::new(hub, conn, &info, idle).run(writer));
    let mut reading = Reading::new(hub, conn, &info, idle);
    let ending = tokio::select! {
        biased;
        Some(ended) = tasks.join_next() => ended.unwrap_or(Ending::Cut(CutReason::Panicked)),
        ending = reading.run(&mut reader, arrived) => ending,
    };
    drop(reading);
    // A client that has closed does not wait until there is room for what it published.
    if ending == Ending::Closed && !tasks.is_empty() {
        drop(timeout(idle, seat.outlive()).await);
    }
    seat.vacate();
    tracing::debug!(conn = %conn.label(), ?ending, "a conn ends");
    if !matches!(ending, Ending::Cut(_)) {
        part(seat, tasks, reader).await;
    }
    ending
}

/// Lets the writer finish, and reads on meanwhile: on several carriers, unread input destroys what is
/// on its way to the peer.
async fn part(seat: &Seat, mut tasks: JoinSet<Ending>, mut reader: AnyReader) {
    Errands::of(&seat.hub).close(&seat.conn, Ending::Closed);
    let finish = async {
        tokio::join!(read_to_end(&mut reader), async { drop(tasks.join_next().await) });
    };
    drop(timeout(LINGER, finish).await);
}

/// Tells a peer why it is not served, and closes. The caller has a deadline.
pub(crate) async fn refuse(
    why: RefusedWhy,
    text: &str,
    mut reader: AnyReader,
    mut writer: AnyWriter,
) {
    let refused = Answer::Refused { why, topic: "", receipt: None, messages: 0, text: text.into() };
    let tell = async {
        writer.send(&mut Batch::from_iter([refused.encode()])).await?;
        writer.close().await
    };
    if tell.await.is_ok() {
        read_to_end(&mut reader).await;
    }
}

async fn read_to_end(reader: &mut AnyReader) {
    let mut ignored = Vec::new();
    while reader.recv(&mut ignored).await.is_ok() {
        ignored.clear();
        tokio::task::yield_now().await;
    }
}

/// What it is counted as that a conn was refused.
pub(crate) fn ending_of(why: RefusedWhy) -> Ending {
    match why {
        RefusedWhy::Malformed => Ending::Told(CutReason::Malformed),
        RefusedWhy::Unexpected => Ending::Told(CutReason::Unexpected),
        RefusedWhy::Unproven => Ending::Told(CutReason::Unproven),
        _ => Ending::Closed,
    }
}

/// What it is counted as that a carrier ended.
pub(crate) fn ending_after(error: &Error) -> Ending {
    match error {
        Error::Closed => Ending::Closed,
        _ => Ending::Cut(CutReason::Broken),
    }
}

/// How long a conn that ends has to take what waits for it, and to end too.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
