//! What arrives where, and what is refused.

mod support;

use bytes::Bytes;
use rumormill_transport_api::{
    Batch, Caps, Context, Error, Expect, Listener, Options, Reader, Target, Transport, Writer,
};
use rumormill_transport_udp::{FACTORY, Settings, Udp};
use support::{
    accept, addr, batch, connect, counted, dial, dial_from, is_busy, listen, poll_once, recv, say,
    send, socket_addr, soon, stranger, until, welcome,
};

#[tokio::test]
async fn messages_go_both_ways_and_each_end_knows_the_other() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    send(&mut accepted.writer, b"answer").await;
    assert_eq!(recv(&mut dialed.reader).await, "answer");
    assert_eq!(dialed.info.local, accepted.info.remote);
    assert_eq!(&dialed.info.remote, listener.addr());
    assert_eq!(&accepted.info.local, listener.addr());
    let best = Caps { packet: 65_507, ..Caps::DATAGRAM };
    assert_eq!((udp.caps(), FACTORY.caps), (best, best));
    let on_loopback = if cfg!(target_os = "linux") { best } else { Caps::DATAGRAM };
    assert_eq!((dialed.info.caps, accepted.info.caps), (on_loopback, on_loopback));
}

#[tokio::test]
async fn peers_are_kept_apart() {
    let mut listener = listen(&Udp::default()).await;
    let (first, mut with_first) = welcome(&mut listener).await;
    let (second, mut with_second) = welcome(&mut listener).await;
    send(&mut with_second.writer, b"for the second").await;
    send(&mut with_first.writer, b"for the first").await;
    for (peer, text) in [(&first, "for the first"), (&second, "for the second")] {
        let mut buffer = [0; 64];
        let (len, from) = soon(peer.recv_from(&mut buffer)).await.unwrap();
        assert_eq!((&buffer[..len], from), (text.as_bytes(), socket_addr(listener.addr())));
        say(peer, text.as_bytes(), listener.addr()).await;
    }
    assert_eq!(recv(&mut with_first.reader).await, "for the first");
    assert_eq!(recv(&mut with_second.reader).await, "for the second");
}

#[tokio::test]
async fn a_dial_from_a_listener_comes_from_its_port_and_so_does_not_the_plain_one() {
    let (here, there) = (Udp::default(), Udp::default());
    let mut ours = listen(&here).await;
    let mut theirs = listen(&there).await;
    let mut dialed = dial_from(&here, ours.addr(), theirs.addr()).await.unwrap();
    send(&mut dialed.writer, b"hello").await;
    let mut accepted = accept(&mut theirs).await;
    assert_eq!(&accepted.info.remote, ours.addr());
    assert_eq!(recv(&mut accepted.reader).await, "hello");
    send(&mut accepted.writer, b"answer").await;
    assert_eq!(recv(&mut dialed.reader).await, "answer");
    assert!(poll_once(ours.accept()).await.is_none(), "the answer is no newcomer");
    let (plain, _) = connect(&here, &mut theirs).await;
    assert_ne!(&plain.info.local, ours.addr());
}

#[tokio::test]
async fn two_that_dial_each_other_from_their_listeners_have_one_conn() {
    let (here, there) = (Udp::default(), Udp::default());
    let mut ours = listen(&here).await;
    let mut theirs = listen(&there).await;
    let mut from_us = dial_from(&here, ours.addr(), theirs.addr()).await.unwrap();
    let mut from_them = dial_from(&there, theirs.addr(), ours.addr()).await.unwrap();
    send(&mut from_us.writer, b"from us").await;
    send(&mut from_them.writer, b"from them").await;
    assert_eq!(recv(&mut from_them.reader).await, "from us");
    assert_eq!(recv(&mut from_us.reader).await, "from them");
    assert!(poll_once(ours.accept()).await.is_none());
    assert!(poll_once(theirs.accept()).await.is_none());
}

#[tokio::test]
async fn a_peer_is_dialled_again_only_when_both_halves_are_dropped() {
    let udp = Udp::default();
    let listener = listen(&udp).await;
    let dialed = dial(&udp, listener.addr()).await.unwrap();
    assert!(is_busy(dial(&udp, listener.addr()).await));
    drop(dialed.reader);
    assert!(is_busy(dial(&udp, listener.addr()).await));
    drop(dialed.writer);
    let again = dial(&udp, listener.addr()).await.unwrap();
    assert_eq!(again.info.local, dialed.info.local);
    let other = Udp::default();
    assert!(dial(&other, listener.addr()).await.is_ok(), "another instance has its own socket");
}

#[tokio::test]
async fn a_peer_that_came_by_itself_is_not_dialled_from_the_same_socket() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (_peer, conn) = welcome(&mut listener).await;
    assert!(is_busy(dial_from(&udp, listener.addr(), &conn.info.remote).await));
    assert!(dial(&udp, &conn.info.remote).await.is_ok());
}

#[tokio::test]
async fn messages_of_any_length_and_any_number_of_parts_arrive_whole() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    for len in [0, 1, 1200, 1201, 9000, 65_507] {
        let message: Bytes = (0..len).map(|at| (at % 251) as u8).collect();
        send(&mut dialed.writer, &message).await;
        assert!(recv(&mut accepted.reader).await == message, "{len}");
        let mut parts = Batch::default();
        parts.push_parts([message.slice(..len / 3), Bytes::new(), message.slice(len / 3..)]);
        soon(dialed.writer.send(&mut parts)).await.unwrap();
        assert!(recv(&mut accepted.reader).await == message, "{len} in parts");
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_nothing() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    let mut too_long = batch(&[b"short", &[0; 65_508]]);
    let refused = dialed.writer.send(&mut too_long).await;
    assert!(matches!(refused, Err(Error::TooLarge { len: 65_508, max: 65_507 })), "{refused:?}");
    assert_eq!(too_long.len(), 2);
    send(&mut dialed.writer, b"next").await;
    assert_eq!(recv(&mut accepted.reader).await, "next");
}

#[tokio::test]
async fn a_longer_message_than_agreed_is_rejected_on_arrival() {
    let (udp, counters) = counted(Settings { max_message: 100, ..Settings::default() });
    let mut listener = listen(&udp).await;
    assert_eq!(udp.caps().max_message, 100);
    let peer = stranger().await;
    let to = listener.addr().clone();
    for message in [&[1; 101][..], &[2; 100], &[3; 101], &[4; 100]] {
        say(&peer, message, &to).await;
    }
    let mut conn = accept(&mut listener).await;
    until(|| counters.messages_rejected.get() == 2).await;
    let mut into = Vec::new();
    while into.len() < 2 {
        soon(conn.reader.recv(&mut into)).await.unwrap();
    }
    assert_eq!(into, [&[2; 100][..], &[4; 100]]);
    assert!(matches!(
        conn.writer.send(&mut batch(&[&[0; 101]])).await,
        Err(Error::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_closed_writer_leaves_the_reader_and_the_peer_alone() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    soon(dialed.writer.close()).await.unwrap();
    assert!(matches!(dialed.writer.close().await, Err(Error::Closed)));
    assert!(matches!(dialed.writer.send(&mut batch(&[b"x"])).await, Err(Error::Closed)));
    send(&mut accepted.writer, b"still there?").await;
    assert_eq!(recv(&mut dialed.reader).await, "still there?");
    assert!(poll_once(accepted.reader.recv(&mut Vec::new())).await.is_none());
}

#[tokio::test]
async fn a_peer_whose_conn_was_dropped_is_a_newcomer() {
    let (udp, counters) = counted(Settings::default());
    let mut listener = listen(&udp).await;
    let (peer, conn) = welcome(&mut listener).await;
    let to = listener.addr().clone();
    drop(conn.reader);
    say(&peer, b"nobody reads this", &to).await;
    until(|| counters.messages_rejected.get() == 1).await;
    assert!(poll_once(listener.accept()).await.is_none());
    drop(conn.writer);
    say(&peer, b"again", &to).await;
    let mut again = accept(&mut listener).await;
    assert_eq!(again.info.remote, conn.info.remote);
    assert_eq!(recv(&mut again.reader).await, "again");
}

/// Where the system tells nothing of closed ports; `answers.rs` is about the one that does.
#[cfg(not(target_os = "linux"))]
#[tokio::test]
async fn nobody_at_home_is_silence() {
    let (udp, counters) = counted(Settings::default());
    let mut dialed = dial(&udp, &addr("udp://127.0.0.1:1")).await.unwrap();
    for _ in 0..100 {
        send(&mut dialed.writer, b"anybody?").await;
    }
    assert!(poll_once(dialed.reader.recv(&mut Vec::new())).await.is_none());
    assert_eq!(counters.messages_unsent.get(), 0);
}

#[tokio::test]
async fn a_network_that_is_out_of_reach_is_told() {
    let udp = Udp::default();
    let listener = listen(&udp).await;
    // From the loopback nothing leads out.
    let error = dial_from(&udp, listener.addr(), &addr("udp://192.0.2.1:9")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    if cfg!(target_os = "linux") {
        // The broadcast address of a network, which only the system can know.
        let error = dial(&udp, &addr("udp://127.255.255.255:9")).await.unwrap_err();
        assert!(!error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn names_and_wildcards_can_be_dialled() {
    let udp = Udp::default();
    let mut listener = udp.listen(&addr("udp://0.0.0.0:0")).await.unwrap();
    let port = socket_addr(listener.addr()).port();
    let (dialed, _accepted) = connect(&udp, &mut listener).await;
    assert_eq!(dialed.info.remote, addr(&format!("udp://127.0.0.1:{port}")));
    let mut second = listen(&udp).await;
    let port = socket_addr(second.addr()).port();
    let by_name = addr(&format!("udp://localhost:{port}"));
    let Ok(mut conn) = dial_from(&udp, second.addr(), &by_name).await else {
        panic!("localhost has no IPv4 address");
    };
    send(&mut conn.writer, b"to myself").await;
    assert_eq!(recv(&mut conn.reader).await, "to myself");
    assert!(poll_once(second.accept()).await.is_none());
}

#[tokio::test]
async fn ipv6_works_where_there_is_any() {
    let udp = Udp::default();
    let Ok(mut listener) = udp.listen(&addr("udp://[::1]:0")).await else { return };
    let (dialed, accepted) = connect(&udp, &mut listener).await;
    assert_eq!(dialed.info.local, accepted.info.remote);
    let v4 = addr("udp://127.0.0.1:9");
    let mismatch = dial_from(&udp, listener.addr(), &v4).await;
    assert!(matches!(mismatch, Err(Error::Unsupported { .. })), "{mismatch:?}");
}

#[tokio::test]
async fn both_families_can_share_a_port() {
    let udp = Udp::default();
    let Ok(v6) = udp.listen(&addr("udp://[::]:0")).await else { return };
    let port = socket_addr(v6.addr()).port();
    let v4 = udp.listen(&addr(&format!("udp://0.0.0.0:{port}"))).await;
    assert!(!matches!(v4, Err(Error::Io { .. })), "{v4:?}");
}

#[tokio::test]
async fn an_address_is_listened_on_once() {
    let udp = Udp::default();
    let listener = listen(&udp).await;
    for taken in [udp.listen(listener.addr()).await, Udp::default().listen(listener.addr()).await] {
        assert!(matches!(taken, Err(Error::InUse { .. })), "{taken:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused() {
    let udp = Udp::default();
    let listener = listen(&udp).await;
    let expecting = Target { expect: Expect::Uid(0), ..Target::new(listener.addr().clone()) };
    assert!(matches!(udp.dial(&expecting).await, Err(Error::Unsupported { .. })));
    for unknown in ["udp://127.0.0.1:1", "udp://localhost:1", "mem://here"] {
        let refused = dial_from(&udp, &addr(unknown), listener.addr()).await;
        assert!(matches!(refused, Err(Error::Address { .. })), "{unknown}: {refused:?}");
    }
    let elsewhere = listen(&Udp::default()).await;
    let refused = dial_from(&udp, elsewhere.addr(), listener.addr()).await;
    assert!(matches!(refused, Err(Error::Address { .. })), "{refused:?}");
    for text in ["udp://127.0.0.1:0", "udp://224.0.0.1:9", "udp://255.255.255.255:9", "udp://x"] {
        let refused = dial(&udp, &addr(text)).await;
        assert!(matches!(refused, Err(Error::Address { .. })), "{text}: {refused:?}");
    }
    for text in ["udp://127.0.0.1:9?peers=9", "udp://127.0.0.1:9?max_massage=9"] {
        let refused = dial(&udp, &addr(text)).await;
        assert!(matches!(refused, Err(Error::Option { .. })), "{text}: {refused:?}");
    }
    let refused = udp.listen(&addr("udp://127.0.0.1:0?max_message=65508")).await;
    assert!(matches!(refused, Err(Error::Option { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_dropped_listener_cannot_be_dialled_from() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (_peer, _conn) = welcome(&mut listener).await;
    let ours = listener.addr().clone();
    drop(listener);
    let refused = dial_from(&udp, &ours, &addr("udp://127.0.0.1:9")).await;
    assert!(matches!(refused, Err(Error::Address { .. })), "{refused:?}");
}

#[tokio::test]
async fn options_in_addresses_override() {
    let udp = Udp::default();
    let mut listener = udp.listen(&addr("udp://127.0.0.1:0?max_message=50")).await.unwrap();
    let to = addr(&format!("{}?max_message=40", listener.addr()));
    let mut dialed = dial(&udp, &to).await.unwrap();
    assert_eq!((dialed.info.caps.max_message, dialed.info.caps.packet), (40, 40));
    send(&mut dialed.writer, b"hello").await;
    assert_eq!(accept(&mut listener).await.info.caps.max_message, 50);
}

#[tokio::test]
async fn the_factory_builds_what_its_options_say() {
    let options: Options = [("max_message", "1KiB")].into_iter().collect();
    let built = (FACTORY.build)(&Context { options, ..Context::default() }).unwrap();
    assert_eq!(built.caps().max_message, 1024);
    let options: Options = [("port", "1")].into_iter().collect();
    let refused = (FACTORY.build)(&Context { options, ..Context::default() });
    assert!(matches!(refused, Err(Error::Option { .. })));
}
