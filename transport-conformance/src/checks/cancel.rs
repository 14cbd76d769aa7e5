//! Every future may be dropped, and nothing is lost, repeated or reordered by it.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{
    AnyConn, AnyReader, AnyWriter, Batch, End, Error, Listener, Reader, Result, Target, Transport,
    Writer,
};
use tokio::task::yield_now;

use super::messages::NO_STREAM;
use crate::{
    Fixture,
    pair::{HELLO, Pair, difference, message, pause, poll_once, recv_some, send, soon, until},
    process,
    run::Asked,
};

pub(crate) async fn dropped_sends_lose_nothing(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        return NO_STREAM;
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let (mut sent, mut arrived, mut drops) = (Vec::new(), Vec::new(), 0);
    let (small, large) = (100, dialer.info.caps.max_message.min(50_000));
    let sending = async {
        while drops < DROPS && sent.len() < MOST {
            let next = sent.len() as u64;
            let chunk =
                (next..next + 5).map(|n| message(n, if n % 3 == 0 { small } else { large }));
            let chunk: Vec<Bytes> = chunk.collect();
            sent.extend(chunk.iter().cloned());
            drops +=
                send_in_pieces(&mut dialer.writer, &mut accepted.reader, chunk, &mut arrived).await;
        }
        while arrived.len() < sent.len() {
            arrived.extend(recv_some(&mut accepted.reader).await);
        }
    };
    soon("sending in pieces", sending).await;
    assert!(arrived == sent, "{}", difference(&arrived, &sent));
    Asked::Yes
}

/// Sends one batch by futures that live for one poll each; reads when the writer has to wait.
async fn send_in_pieces(
    writer: &mut AnyWriter,
    reader: &mut AnyReader,
    messages: Vec<Bytes>,
    arrived: &mut Vec<Bytes>,
) -> usize {
    let (mut batch, mut drops): (Batch, _) = (messages.into_iter().collect(), 0);
    loop {
        if let Some(sent) = poll_once(writer.send(&mut batch)).await {
            sent.expect("sending");
            return drops;
        }
        drops += 1;
        assert!(batch.is_empty(), "a dropped send left its messages in the batch");
        // Without it tokio's cooperative budget runs out and nothing is ever ready.
        yield_now().await;
        if drops % 3 == 0 {
            read_a_little(reader, arrived).await;
        }
    }
}

/// One poll of a `recv`, which is dropped. Lets time pass where nothing else makes it pass.
async fn read_a_little(reader: &mut AnyReader, arrived: &mut Vec<Bytes>) -> Option<Result<()>> {
    let received = poll_once(reader.recv(arrived)).await;
    if received.is_none() {
        pause(Duration::from_micros(50)).await;
    }
    received
}

pub(crate) async fn dropped_recvs_lose_nothing(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        return NO_STREAM;
    }
    let Pair { dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let most = dialer.info.caps.max_message.min(30_000);
    let sent: Vec<Bytes> = (0..3_000).map(|n| message(n, [9, 100, most][n as usize % 3])).collect();
    let (mut writer, list) = (dialer.writer, sent.clone());
    let sending = tokio::spawn(async move {
        for chunk in list.chunks(2) {
            send(&mut writer, chunk.iter().cloned()).await;
            yield_now().await;
        }
        writer
    });
    let (mut arrived, mut drops) = (Vec::new(), 0_u64);
    let receiving = async {
        while arrived.len() < sent.len() {
            match poll_once(accepted.reader.recv(&mut arrived)).await {
                Some(received) => received.expect("receiving"),
                None => drops += 1,
            }
            match drops % 64 {
                0 => pause(Duration::from_micros(50)).await,
                _ => yield_now().await,
            }
        }
    };
    soon("receiving in pieces", receiving).await;
    soon("the sender", sending).await.expect("the sender");
    assert!(arrived == sent, "{}", difference(&arrived, &sent));
    Asked::Yes
}

pub(crate) async fn dropped_closes_lose_nothing(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        return NO_STREAM;
    }
    if fixture.caps().end == End::None {
        return Asked::No("the carrier does not tell the end of a conn");
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let len = dialer.info.caps.max_message.min(60_000);
    let sent: Vec<Bytes> = (0..400).map(|n| message(n, len)).collect();
    let mut batch: Batch = sent.iter().cloned().collect();
    let started = poll_once(dialer.writer.send(&mut batch)).await;
    assert!(started.is_none_or(|sent| sent.is_ok()), "sending failed");
    let mut arrived = Vec::new();
    let closing = async {
        loop {
            if let Some(closed) = poll_once(dialer.writer.close()).await {
                return closed.expect("closing");
            }
            let mut late: Batch = ["late"].into_iter().collect();
            let sent = soon("sending on a closing writer", dialer.writer.send(&mut late)).await;
            assert!(matches!(sent, Err(Error::Closed)), "send during close gave {sent:?}");
            assert_eq!(late.len(), 1, "a closing writer took a message");
            yield_now().await;
            if let Some(received) = read_a_little(&mut accepted.reader, &mut arrived).await {
                received.expect("receiving before the close is done");
            }
        }
    };
    soon("closing in pieces", closing).await;
    let (rest, end) = crate::pair::recv_to_end(&mut accepted.reader).await;
    arrived.extend(rest);
    assert!(arrived == sent, "{}", difference(&arrived, &sent));
    assert!(matches!(end, Error::Closed), "the close was read as {end:?}");
    Asked::Yes
}

pub(crate) async fn dropped_accepts_lose_no_conn(fixture: Fixture) -> Asked {
    let mut listener = fixture.listen().await;
    let mut dials = fixture.spawn_dials(DIALERS, &listener.addr().clone());
    let (mut dialers, mut accepted) = (Vec::new(), Vec::<AnyConn>::new());
    let accepting = async {
        while accepted.len() < DIALERS {
            match poll_once(listener.accept()).await {
                Some(conn) => accepted.push(conn.expect("accepting")),
                None => pause(Duration::from_millis(1)).await,
            }
            while let Some(dialer) = dials.try_join_next() {
                dialers.push(dialer.expect("a dialer ends well"));
            }
            if !fixture.is_stream() {
                greet_again(&mut dialers, &accepted).await;
            }
        }
    };
    soon("accepting in pieces", accepting).await;
    Asked::Yes
}

/// Repeats what may have been lost of those that have not been accepted.
async fn greet_again(dialers: &mut [AnyConn], accepted: &[AnyConn]) {
    let arrived = |addr| accepted.iter().any(|conn| conn.info.remote == addr);
    for dialer in dialers {
        if !arrived(dialer.info.local.clone()) {
            send(&mut dialer.writer, [HELLO]).await;
        }
    }
}

pub(crate) async fn dropped_dials_and_listens_leave_nothing(fixture: Fixture) -> Asked {
    let mut listener = fixture.listen().await;
    let target = Target::new(listener.addr().clone());
    // The first dial may open what all dials share.
    drop(fixture.connect(&mut listener).await);
    let (before, tasks) = (process::descriptors(), alive_tasks());
    for _ in 0..200 {
        let _ = poll_once(fixture.transport.dial(&target)).await;
        let _ = poll_once(fixture.transport.listen(&fixture.listen)).await;
    }
    // What was dialled waits at the listener; it goes when that goes.
    let addr = listener.addr().clone();
    drop(listener);
    let least = before.map(|before| before.saturating_sub(1));
    until("dropped dials and listens to close what they opened", || {
        alive_tasks() <= tasks && process::descriptors() <= before.max(least)
    })
    .await;
    let again = soon("listening", fixture.transport.listen(&addr)).await;
    again.unwrap_or_else(|error| panic!("listening again at {addr}: {error:?}"));
    Asked::Yes
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// How many futures are dropped at least.
const DROPS: usize = 3_000;
/// Messages to a carrier that never makes a writer wait, which is not this check's business.
const MOST: usize = 2_000;
const DIALERS: usize = 50;
