//! Dialling and listening: addresses, refusals, and dialers that hold others up.

use std::{any::Any, future::ready, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, Batch, Error, Expect, Limits, Listener, NodeId, Reader, Target, Transport,
    Writer, serve,
};
use tokio::time::timeout;

use crate::{
    Fixture,
    pair::{HELLO, Pair, exchange, soon},
    process,
    run::Asked,
};

pub(crate) async fn addresses_are_as_bound(fixture: Fixture) -> Asked {
    let Pair { listener, dialer, accepted } = fixture.pair().await;
    let bound = listener.addr();
    assert_eq!(bound.scheme(), fixture.listen.scheme());
    let again: Addr = bound.to_string().parse().expect("the bound address parses");
    assert_eq!(&again, bound, "the bound address does not survive its text form");
    assert!(!bound.rest().ends_with(":0"), "port 0 was not resolved: {bound}");
    assert_eq!(&dialer.info.remote, bound, "the dialer's remote address is not the one it dialled");
    for addr in [&dialer.info.local, &accepted.info.local, &accepted.info.remote] {
        assert_eq!(addr.scheme(), bound.scheme(), "{addr} has another scheme");
    }
    let ceiling = fixture.caps();
    for info in [&dialer.info, &accepted.info] {
        assert!(
            info.caps.max_message <= ceiling.max_message,
            "a conn takes more than its transport"
        );
        assert!(info.caps.packet <= info.caps.max_message, "a packet is longer than a message");
        assert!(!info.early, "nothing came early");
    }
    Asked::Yes
}

pub(crate) async fn taken_addresses_are_refused(fixture: Fixture) -> Asked {
    let Pair { listener, mut dialer, mut accepted } = fixture.pair().await;
    let addr = listener.addr().clone();
    match soon("listening twice", fixture.transport.listen(&addr)).await {
        Err(Error::InUse { .. }) => (),
        Err(other) => panic!("listening at a taken address gave {other:?} instead of InUse"),
        Ok(_) => panic!("two listeners share {addr}"),
    }
    let sent = [Bytes::from("untouched")];
    exchange(dialer.info.caps.delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
    drop((listener, dialer, accepted));
    let again = async {
        loop {
            // Released at once, which may still take the runtime a turn.
            match fixture.transport.listen(&addr).await {
                Ok(listener) => return listener,
                Err(Error::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("listening again at {addr}: {error:?}"),
            }
        }
    };
    assert_eq!(soon("listening again", again).await.addr(), &addr);
    Asked::Yes
}

pub(crate) async fn dial_to_nobody(fixture: Fixture) -> Asked {
    if !fixture.is_stream() {
        let target = Target::new(nobody(&fixture).await);
        match soon("dialling nobody", fixture.transport.dial(&target)).await {
            Ok(conn) => silence(conn).await,
            Err(error) => assert!(error.is_retryable(), "dialling nobody gave {error:?}"),
        }
        return Asked::Yes;
    }
    // Another program may have taken the address meanwhile; hardly three in a row.
    for _ in 0..3 {
        let target = Target::new(nobody(&fixture).await);
        match soon("dialling nobody", fixture.transport.dial(&target)).await {
            Err(Error::Unreachable { .. }) => return Asked::Yes,
            Err(error) => panic!("dialling nobody gave {error:?} instead of Unreachable"),
            Ok(_) => (),
        }
    }
    panic!("dialling nobody succeeded");
}

/// An address at which somebody has listened.
async fn nobody(fixture: &Fixture) -> Addr {
    fixture.listen().await.addr().clone()
}

/// On datagrams nobody answers, or the network says that nobody is there.
async fn silence(mut conn: AnyConn) {
    for _ in 0..5 {
        let mut into = Vec::new();
        let sent = conn.writer.send(&mut Batch::from_iter([HELLO])).await;
        let heard = timeout(Duration::from_millis(20), conn.reader.recv(&mut into)).await;
        match (sent, heard) {
            (Ok(()), Err(_)) => (),
            (Err(error), _) | (Ok(()), Ok(Err(error))) => {
                assert!(error.is_retryable(), "nobody was there, and that gave {error:?}");
                return;
            }
            (Ok(()), Ok(Ok(()))) => panic!("nobody was there, and {into:?} arrived"),
        }
    }
}

pub(crate) async fn silent_dialers_hold_up_nobody(fixture: Fixture) -> Asked {
    if process::raise_descriptors() < 4_200 {
        return Asked::No("this system does not allow enough descriptors");
    }
    let limits = Limits { max_conns: 3_000, ..Limits::default() };
    let server = serve(fixture.listen().await, limits, |_, message| ready(Some(message)));
    let mut silent = Vec::new();
    for count in [1, 999] {
        for _ in 0..count {
            silent.push(say_nothing(&fixture, server.addr()).await);
        }
        let mut conn = fixture.dial(server.addr()).await;
        let delivery = conn.info.caps.delivery;
        let sent = [Bytes::from("let me through")];
        exchange(delivery, &mut conn.writer, &mut conn.reader, &sent).await;
    }
    Asked::Yes
}

/// Connects beneath the handshake where the fixture knows how, and says nothing.
async fn say_nothing(fixture: &Fixture, to: &Addr) -> Box<dyn Any> {
    match fixture.silent.as_ref().or(fixture.raw.as_ref()) {
        Some(raw) => Box::new(soon("connecting", raw(to.clone())).await.expect("connecting")),
        None => Box::new(fixture.dial(to).await),
    }
}

pub(crate) async fn expectations_are_honoured_or_refused(fixture: Fixture) -> Asked {
    let server =
        serve(fixture.listen().await, Limits::default(), |_, message| ready(Some(message)));
    let somebody_else = [
        Expect::Node(NodeId([7; 32])),
        Expect::Name("nobody.invalid".into()),
        Expect::Uid(4_000_000_000),
    ];
    for expect in somebody_else {
        let target = Target { expect: expect.clone(), ..Target::new(server.addr().clone()) };
        match soon("dialling somebody else", fixture.transport.dial(&target)).await {
            Err(Error::Unsupported { .. } | Error::Unproven { .. }) => (),
            Err(other) => {
                panic!("expecting {expect:?} gave {other:?} instead of Unsupported or Unproven")
            }
            Ok(_) => panic!("expecting {expect:?} was ignored"),
        }
    }
    let from = Some(Addr::new(server.addr().scheme(), "nowhere").expect("an address"));
    let target = Target { from, ..Target::new(server.addr().clone()) };
    let dialled = soon("dialling from nowhere", fixture.transport.dial(&target)).await;
    assert!(dialled.is_err(), "dialling from a listener that does not exist was ignored");
    Asked::Yes
}

pub(crate) async fn options_are_known_or_refused(fixture: Fixture) -> Asked {
    let listener = fixture.listen().await;
    let with_option = |addr: &Addr| -> Addr {
        let separator = if addr.options().is_empty() { '?' } else { '&' };
        format!("{addr}{separator}no-such-option=1").parse().expect("an address")
    };
    let target = Target::new(with_option(listener.addr()));
    let dialled = soon("dialling", fixture.transport.dial(&target)).await.map(|_| ());
    let listened = fixture.transport.listen(&with_option(&fixture.listen)).await.map(|_| ());
    for (what, result) in [("dial", dialled), ("listen", listened)] {
        match result {
            Err(Error::Option { key, .. }) => assert_eq!(&*key, "no-such-option"),
            other => panic!("{what} with an unknown option gave {other:?} instead of Option"),
        }
    }
    Asked::Yes
}
