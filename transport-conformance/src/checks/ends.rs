//! How conns end.

use bytes::Bytes;
use rumormill_transport_api::{Batch, Delivery, End, Error, Reader, Writer};

use crate::{
    Fixture,
    pair::{
        HELLO, Pair, difference, exchange, is_end, message, recv_to_end, send, send_until_error,
        soon,
    },
    run::Asked,
};

/// What is not asked of carriers that know no end.
const NO_END: Asked = Asked::No("the carrier does not tell the end of a conn");

pub(crate) async fn polite_close_delivers_everything(fixture: Fixture) -> Asked {
    if fixture.caps().end == End::None {
        return NO_END;
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    let caps = dialer.info.caps;
    let sent: Vec<Bytes> = (0..500).map(|n| message(n, 8_000.min(caps.max_message))).collect();
    let sending = async {
        send(&mut dialer.writer, sent.iter().cloned()).await;
        soon("closing", dialer.writer.close()).await.expect("closing");
    };
    let ((), (arrived, end)) = tokio::join!(sending, recv_to_end(&mut accepted.reader));
    match caps.delivery {
        Delivery::Stream => assert!(arrived == sent, "{}", difference(&arrived, &sent)),
        Delivery::Datagram => {
            let strange = arrived.iter().filter(|got| *got != HELLO && !sent.contains(got)).count();
            assert_eq!(strange, 0, "messages arrived that were not sent");
        }
    }
    assert!(matches!(end, Error::Closed), "a polite close was read as {end:?}");
    Asked::Yes
}

pub(crate) async fn finished_halves_stay_finished(fixture: Fixture) -> Asked {
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    soon("closing", dialer.writer.close()).await.expect("closing");
    for _ in 0..3 {
        let mut batch: Batch = [HELLO].into_iter().collect();
        let sent = soon("sending on a closed writer", dialer.writer.send(&mut batch)).await;
        assert!(matches!(sent, Err(Error::Closed)), "send after close gave {sent:?}");
        let closed = soon("closing a closed writer", dialer.writer.close()).await;
        assert!(matches!(closed, Err(Error::Closed)), "close after close gave {closed:?}");
    }
    if accepted.info.caps.end == End::None {
        return Asked::Yes;
    }
    let (_, end) = recv_to_end(&mut accepted.reader).await;
    assert!(is_end(&end), "the end was read as {end:?}");
    for _ in 0..3 {
        let mut into = Vec::new();
        let received =
            soon("receiving on a finished reader", accepted.reader.recv(&mut into)).await;
        assert!(matches!(received, Err(Error::Closed)), "recv after the end gave {received:?}");
        assert!(into.is_empty(), "a finished reader brought a message");
    }
    Asked::Yes
}

pub(crate) async fn half_close_leaves_the_other_direction(fixture: Fixture) -> Asked {
    if fixture.caps().end != End::Half {
        return Asked::No("the directions of a conn do not end by themselves");
    }
    let Pair { mut dialer, mut accepted, listener: _listener } = fixture.pair().await;
    soon("closing", dialer.writer.close()).await.expect("closing");
    let (_, end) = recv_to_end(&mut accepted.reader).await;
    assert!(matches!(end, Error::Closed), "the half that closed was read as {end:?}");
    let sent: Vec<Bytes> = (0..100).map(|n| message(n, 100)).collect();
    exchange(accepted.info.caps.delivery, &mut accepted.writer, &mut dialer.reader, &sent).await;
    soon("closing", accepted.writer.close()).await.expect("closing");
    let (_, end) = recv_to_end(&mut dialer.reader).await;
    assert!(matches!(end, Error::Closed), "the other half was read as {end:?}");
    Asked::Yes
}

pub(crate) async fn vanished_peers_are_noticed(fixture: Fixture) -> Asked {
    if fixture.caps().end == End::None {
        return NO_END;
    }
    let Pair { mut dialer, accepted, mut listener } = fixture.pair().await;
    drop(accepted);
    let (_, end) = recv_to_end(&mut dialer.reader).await;
    assert!(is_end(&end), "a vanished peer was read as {end:?}");
    let error = send_until_error(&mut dialer.writer).await;
    assert!(is_end(&error), "sending to a vanished peer gave {error:?}");

    let (mut dialer, mut accepted) = fixture.connect(&mut listener).await;
    drop(dialer.writer);
    let (_, end) = recv_to_end(&mut accepted.reader).await;
    match accepted.info.caps.tells_cuts {
        true => assert!(matches!(end, Error::Cut { .. }), "a dropped writer was read as {end:?}"),
        false => assert!(is_end(&end), "a dropped writer was read as {end:?}"),
    }
    if accepted.info.caps.end == End::Half {
        let sent = [Bytes::from("the reader goes on")];
        let delivery = accepted.info.caps.delivery;
        exchange(delivery, &mut accepted.writer, &mut dialer.reader, &sent).await;
    }
    Asked::Yes
}
