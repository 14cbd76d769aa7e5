//! Many at once, in both directions, and who waits for whom.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{AnyReader, AnyWriter, Batch, Delivery, Limits, Writer, serve};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    Fixture,
    pair::{Pair, difference, exchange, message, recv_count, send, soon},
    process,
    run::Asked,
};

pub(crate) async fn each_half_lives_in_its_own_task(fixture: Fixture) -> Asked {
    let Pair { dialer, accepted, listener: _listener } = fixture.pair().await;
    let delivery = dialer.info.caps.delivery;
    if delivery == Delivery::Datagram {
        // Loss is repaired by asking again, which takes both halves: a task for each direction.
        let there = tokio::spawn(one_way(delivery, dialer.writer, accepted.reader));
        let back = tokio::spawn(one_way(delivery, accepted.writer, dialer.reader));
        soon("both directions", there).await.expect("one direction");
        soon("both directions", back).await.expect("the other direction");
        return Asked::Yes;
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(sender(dialer.writer));
    tasks.spawn(sender(accepted.writer));
    tasks.spawn(receiver(dialer.reader));
    tasks.spawn(receiver(accepted.reader));
    soon("full duplex", tasks.join_all()).await;
    Asked::Yes
}

async fn one_way(delivery: Delivery, mut writer: AnyWriter, mut reader: AnyReader) {
    let sent: Vec<Bytes> = (0..50).map(|n| message(n, 500)).collect();
    exchange(delivery, &mut writer, &mut reader, &sent).await;
}

fn much() -> Vec<Bytes> {
    (0..400).map(|n| message(n, 20_000)).collect()
}

/// Returns the writer, which dropped here might cut off what is on its way.
async fn sender(mut writer: AnyWriter) -> Option<AnyWriter> {
    for chunk in much().chunks(7) {
        send(&mut writer, chunk.iter().cloned()).await;
    }
    Some(writer)
}

async fn receiver(mut reader: AnyReader) -> Option<AnyWriter> {
    let sent = much();
    let arrived = recv_count(&mut reader, sent.len()).await;
    assert!(arrived == sent, "{}", difference(&arrived, &sent));
    None
}

pub(crate) async fn stopped_readers_stop_writers(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let caps = dialer.info.caps;
    if caps.delivery == Delivery::Datagram {
        let many: Vec<Bytes> = (0..2_000).map(|n| message(n, 1000.min(caps.packet))).collect();
        send(&mut dialer.writer, many.iter().cloned()).await;
        return Asked::Yes;
    }
    let len = caps.max_message.min(64 << 10);
    let (mut sent, mut stalled) = (0, Batch::default());
    while sent * len < MOST_IN_FLIGHT {
        stalled = [message(sent as u64, len)].into_iter().collect();
        sent += 1;
        match timeout(STALL, dialer.writer.send(&mut stalled)).await {
            Ok(accepted) => accepted.expect("sending"),
            Err(_) => break,
        }
    }
    assert!(sent * len < MOST_IN_FLIGHT, "nobody read, and {MOST_IN_FLIGHT} bytes were accepted");
    assert!(stalled.is_empty(), "a stalled send left its message in the batch");
    let resume = send(&mut dialer.writer, None::<Bytes>);
    let ((), arrived) = tokio::join!(resume, recv_count(&mut accepted.reader, sent));
    let expected: Vec<Bytes> = (0..sent as u64).map(|n| message(n, len)).collect();
    assert!(arrived == expected, "{}", difference(&arrived, &expected));
    Asked::Yes
}

pub(crate) async fn a_thousand_conns_echo(fixture: Fixture) -> Asked {
    if process::raise_descriptors() < 2_200 {
        return Asked::No("this system does not allow enough descriptors");
    }
    let limits = Limits { max_conns: 2 * CONNS, ..Limits::default() };
    let server = serve(fixture.listen().await, limits, |_, message| ready(Some(message)));
    let mut clients = JoinSet::new();
    for number in 0..CONNS as u64 {
        let (dialer, to) = (fixture.dialer(), server.addr().clone());
        clients.spawn(async move { (number, dialer.dial(&to).await) });
    }
    let conns = soon("a thousand dials", clients.join_all()).await;
    let mut echoes = JoinSet::new();
    for (number, mut conn) in conns {
        echoes.spawn(async move {
            let delivery = conn.info.caps.delivery;
            let sent: Vec<Bytes> = (0..3).map(|n| message(3 * number + n, 100)).collect();
            exchange(delivery, &mut conn.writer, &mut conn.reader, &sent).await;
            conn
        });
    }
    let conns = soon("a thousand echoes", echoes.join_all()).await;
    assert_eq!(conns.len(), CONNS);
    Asked::Yes
}

const CONNS: usize = 1000;
/// Far more than any carrier should take ahead of a reader that stopped.
const MOST_IN_FLIGHT: usize = 256 << 20;
/// A send that takes so long while nobody reads is waiting.
const STALL: Duration = Duration::from_millis(250);
