//! Messages arrive as they were sent, or not at all.

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_transport_api::{Batch, Delivery, Error, MAX_RECV, Reader, Writer};

use crate::{
    Fixture,
    pair::{
        Pair, difference, exchange, exchange_last, message, poll_once, recv_count, recv_some, send,
        soon,
    },
    run::Asked,
};

/// What is not asked of carriers that lose and reorder.
pub(super) const NO_STREAM: Asked = Asked::No("datagrams may get lost and overtake each other");

pub(crate) async fn many_small_messages_stay_apart(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let delivery = dialer.info.caps.delivery;
    let count = if delivery == Delivery::Stream { 10_000 } else { 60 };
    let sent: Vec<Bytes> = (0..count).map(|n| message(n, n as usize % 61)).collect();
    exchange(delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
    exchange(delivery, &mut accepted.writer, &mut dialer.reader, &sent).await;
    Asked::Yes
}

pub(crate) async fn sizes_from_nothing_to_the_limit(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let caps = dialer.info.caps;
    let most = caps.max_message.min(LARGEST);
    let lens =
        [0, 1, 2, 3, 4, 5, 8, 127, 128, 1200, 4095, 4096, 4097, 16_384, 16_385, most - 1, most];
    let sent: Vec<Bytes> =
        lens.iter().zip(1..).map(|(len, n)| message(n, (*len).min(most))).collect();
    exchange(caps.delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
    Asked::Yes
}

pub(crate) async fn too_large_ends_nothing(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let caps = dialer.info.caps;
    if LARGEST <= caps.max_message {
        return Asked::No("its limit is beyond what a test can allocate");
    }
    let too_long = Bytes::from(vec![7; caps.max_message + 1]);
    let mut batch: Batch =
        [Bytes::from("before"), too_long, Bytes::from("after")].into_iter().collect();
    match soon("refusing", dialer.writer.send(&mut batch)).await {
        Err(Error::TooLarge { len, max }) => {
            assert_eq!((len, max), (caps.max_message + 1, caps.max_message))
        }
        other => panic!("a message beyond the limit gave {other:?} instead of TooLarge"),
    }
    assert_eq!(batch.len(), 3, "the refused batch was touched");
    let sent = [Bytes::from("afterwards")];
    exchange(caps.delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
    Asked::Yes
}

pub(crate) async fn messages_may_have_parts(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let delivery = dialer.info.caps.delivery;
    let most = dialer.info.caps.max_message.min(50_000);
    let mut sent: Vec<Bytes> = Vec::new();
    for lens in [&[][..], &[0], &[0, 0], &[3, 5], &[0, 9, 0, 1], &[4, most - 8, 4]] {
        let parts: Vec<Bytes> = lens.iter().zip(1..).map(|(len, n)| message(n, *len)).collect();
        sent.push(parts.concat().into());
        let mut batch = Batch::default();
        batch.push_parts(parts);
        soon("sending parts", dialer.writer.send(&mut batch)).await.expect("sending parts");
        match delivery {
            Delivery::Stream => {
                let arrived = recv_count(&mut accepted.reader, 1).await;
                let whole = &sent[sent.len() - 1..];
                assert!(arrived == whole, "parts {lens:?}: {}", difference(&arrived, whole));
            }
            // Where it got lost, the whole follows; copies of earlier ones may still arrive.
            Delivery::Datagram => {
                exchange_last(delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
            }
        }
    }
    Asked::Yes
}

pub(crate) async fn order_is_kept(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        return NO_STREAM;
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let mut rng = StdRng::seed_from_u64(1);
    let sent: Vec<Bytes> = (0..10_000).map(|n| message(n, rng.random_range(8..2000))).collect();
    let sending = async {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rng.random_range(1..200).min(rest.len()));
            send(&mut dialer.writer, now.iter().cloned()).await;
            rest = later;
        }
    };
    let ((), arrived) = tokio::join!(sending, recv_count(&mut accepted.reader, sent.len()));
    assert!(arrived == sent, "{}", difference(&arrived, &sent));
    Asked::Yes
}

pub(crate) async fn batches_exceed_the_carriers_buffers(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let caps = dialer.info.caps;
    let (count, len) = match caps.delivery {
        Delivery::Stream => (96, caps.max_message.min(256 << 10)),
        Delivery::Datagram => (400, caps.packet.min(1000)),
    };
    let sent: Vec<Bytes> = (0..count).map(|n| message(n, len)).collect();
    match caps.delivery {
        Delivery::Stream => {
            exchange(caps.delivery, &mut dialer.writer, &mut accepted.reader, &sent).await
        }
        // Most of it may get lost; what is asked is that the conn survives it.
        Delivery::Datagram => {
            send(&mut dialer.writer, sent.iter().cloned()).await;
            let mut expected = sent;
            expected.push("the last".into());
            exchange_last(caps.delivery, &mut dialer.writer, &mut accepted.reader, &expected).await;
        }
    }
    Asked::Yes
}

pub(crate) async fn recv_is_bounded(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        return NO_STREAM;
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let sent = vec![Bytes::from_static(b"x"); 5 * MAX_RECV];
    let receiving = async {
        let mut count = 0;
        while count < sent.len() {
            let arrived = recv_some(&mut accepted.reader).await.len();
            assert!(
                arrived <= MAX_RECV,
                "one recv brought {arrived} messages, more than {MAX_RECV}"
            );
            count += arrived;
        }
    };
    tokio::join!(send(&mut dialer.writer, sent.iter().cloned()), receiving);
    Asked::Yes
}

pub(crate) async fn send_flushes(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let delivery = dialer.info.caps.delivery;
    let all: Vec<Bytes> = [1, 777, 20_011].map(|len| message(1, len)).into();
    for count in 1..=all.len() {
        // Nothing is sent behind it that could push it out.
        exchange_last(delivery, &mut dialer.writer, &mut accepted.reader, &all[..count]).await;
    }
    let mut none = Vec::new();
    let more = poll_once(accepted.reader.recv(&mut none)).await;
    assert!(more.is_none() || !fixture.is_stream(), "something arrived that was not sent");
    Asked::Yes
}

/// What a check allocates at most for one message.
const LARGEST: usize = 64 << 20;
