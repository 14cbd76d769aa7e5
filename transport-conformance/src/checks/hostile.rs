//! What a stranger can write beneath the framing.

use std::future::ready;

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use rumormill_transport_api::{Addr, AnyConn, Error, Limits, Listener, Reader, serve};
use tokio::{io::AsyncWriteExt, task::yield_now};

use crate::{
    Fixture, RawStream,
    fixture::Raw,
    pair::{accept, difference, exchange, is_end, message, poll_once, recv_to_end, soon},
    process,
    run::Asked,
};

/// What is not asked of carriers that have no bytes beneath their messages.
const NO_RAW: Asked = Asked::No("the fixture has no raw dialer");

pub(crate) async fn split_streams_are_joined(fixture: Fixture) -> Asked {
    let Some(raw) = fixture.raw.clone() else { return NO_RAW };
    let mut listener = fixture.listen().await;
    let mut stream = connect(&raw, listener.addr()).await;
    let sent: Vec<Bytes> =
        [0, 1, 5, 3, 0, 17].into_iter().zip(1..).map(|(len, n)| message(n, len)).collect();
    let wire = frames(&sent);
    // The dialer speaks first.
    write(&mut stream, &frames(&sent[..1])).await;
    let mut accepted = accept(&mut listener).await;
    let mut arrived = crate::pair::recv_some(&mut accepted.reader).await;
    arrived.clear();
    for split in 0..=wire.len() {
        for piece in [&wire[..split], &wire[split..]] {
            write(&mut stream, piece).await;
            yield_now().await;
            // Also takes what has arrived so far, by a future that is dropped.
            if let Some(received) = poll_once(accepted.reader.recv(&mut arrived)).await {
                received.unwrap_or_else(|error| panic!("split at {split}: {error:?}"));
            }
        }
    }
    for byte in &wire {
        write(&mut stream, &[*byte]).await;
    }
    let expected: Vec<Bytes> = (0..wire.len() + 2).flat_map(|_| sent.iter().cloned()).collect();
    while arrived.len() < expected.len() {
        arrived.extend(crate::pair::recv_some(&mut accepted.reader).await);
    }
    assert!(arrived == expected, "{}", difference(&arrived, &expected));
    Asked::Yes
}

pub(crate) async fn truncated_messages_are_cuts(fixture: Fixture) -> Asked {
    let Some(raw) = fixture.raw.clone() else { return NO_RAW };
    let mut listener = fixture.listen().await;
    let wire = frames(&[message(1, 10), message(2, 20)]);
    let whole_frames = [4 + 10, wire.len()];
    for len in 1..=wire.len() {
        let mut stream = connect(&raw, listener.addr()).await;
        write(&mut stream, &wire[..len]).await;
        let shut = soon("shutting down", stream.shutdown()).await;
        let mut accepted = accept(&mut listener).await;
        let (arrived, end) = recv_to_end(&mut accepted.reader).await;
        assert!(shut.is_ok(), "shutting down: {shut:?}");
        assert_eq!(arrived.len(), whole_frames.iter().filter(|frame| **frame <= len).count());
        match whole_frames.contains(&len) {
            // A carrier with an end of its own misses it here.
            true if accepted.info.caps.tells_cuts => assert!(is_end(&end), "the end was {end:?}"),
            true => assert!(matches!(end, Error::Closed), "whole messages ended with {end:?}"),
            false => assert!(matches!(end, Error::Cut { .. }), "half a message ended with {end:?}"),
        }
    }
    Asked::Yes
}

pub(crate) async fn hostile_bytes_are_typed_errors(fixture: Fixture) -> Asked {
    let Some(raw) = fixture.raw.clone() else { return NO_RAW };
    let mut listener = fixture.listen().await;
    let (mut dialer, mut accepted) = fixture.connect(&mut listener).await;
    let mut rng = StdRng::seed_from_u64(2);
    for number in 0..STREAMS {
        let mut stream = connect(&raw, listener.addr()).await;
        let mut noise = vec![0; rng.random_range(1..3000)];
        rng.fill_bytes(&mut noise);
        // The listener may have given up on this stream before all of it was written.
        let _ = stream.write_all(&noise).await;
        let _ = stream.shutdown().await;
        let AnyConn { mut reader, .. } = accept(&mut listener).await;
        let (_, error) = recv_to_end(&mut reader).await;
        let typed = matches!(
            error,
            Error::Closed | Error::Cut { .. } | Error::Protocol { .. } | Error::TooLarge { .. }
        );
        assert!(typed, "random bytes gave {error:?}");
        if number % 100 == 0 {
            let sent = [message(number, 100)];
            exchange(dialer.info.caps.delivery, &mut dialer.writer, &mut accepted.reader, &sent)
                .await;
        }
    }
    Asked::Yes
}

pub(crate) async fn hostile_headers_allocate_nothing(fixture: Fixture) -> Asked {
    let Some(raw) = fixture.raw.clone() else { return NO_RAW };
    process::raise_descriptors();
    let server =
        serve(fixture.listen().await, Limits::default(), |_, message| ready(Some(message)));
    let mut good = fixture.dial(server.addr()).await;
    echo(&mut good).await;
    let max = fixture.caps().max_message;
    let before = process::memory();
    let mut held = Vec::new();
    for len in [u32::MAX, u32::try_from(max).unwrap_or(u32::MAX)] {
        for _ in 0..100 {
            let mut stream = connect(&raw, server.addr()).await;
            write(&mut stream, &len.to_be_bytes()).await;
            held.push(stream);
        }
        echo(&mut good).await;
    }
    if let (Some(before), Some(after)) = (before, process::memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < GROWTH, "200 headers without a payload made memory grow by {grown} bytes");
    }
    Asked::Yes
}

async fn echo(conn: &mut AnyConn) {
    let sent = [Bytes::from("unaffected")];
    exchange(conn.info.caps.delivery, &mut conn.writer, &mut conn.reader, &sent).await;
}

async fn connect(raw: &Raw, to: &Addr) -> Box<dyn RawStream> {
    soon("connecting", raw(to.clone())).await.expect("connecting beneath the framing")
}

async fn write(stream: &mut Box<dyn RawStream>, bytes: &[u8]) {
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    soon("writing", written).await.expect("writing beneath the framing");
}

/// The messages as they are on the wire.
fn frames(messages: &[Bytes]) -> Vec<u8> {
    let frame = |m: &Bytes| [&(m.len() as u32).to_be_bytes()[..], m].concat();
    messages.iter().flat_map(frame).collect()
}

/// Streams of random bytes.
const STREAMS: u64 = 1000;
/// What the books of 200 conns may take, and the allocator may round up to, in bytes of address
/// space: an eighth of what 100 buffers of 10 MiB would take.
const GROWTH: usize = 128 << 20;
