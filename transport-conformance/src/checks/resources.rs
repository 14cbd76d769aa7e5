//! What is open, and what is left.

use std::{future::ready, path::Path, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{Backoff, Batch, Limits, Listener, Writer, accept_next, serve};

use crate::{
    Fixture,
    pair::{Pair, exchange, message, pause, poll_once, soon, until},
    process::{self, Drought},
    run::Asked,
};

pub(crate) async fn conns_outlive_transport_and_listener(fixture: Fixture) -> Asked {
    let Pair { listener, mut dialer, mut accepted } = fixture.pair().await;
    drop(listener);
    let Fixture { transport, keep: _keep, .. } = fixture;
    drop(transport);
    let sent: Vec<Bytes> = (0..20).map(|n| message(n, 1000)).collect();
    let delivery = dialer.info.caps.delivery;
    exchange(delivery, &mut dialer.writer, &mut accepted.reader, &sent).await;
    exchange(delivery, &mut accepted.writer, &mut dialer.reader, &sent).await;
    Asked::Yes
}

pub(crate) async fn nothing_is_left(fixture: Fixture) -> Asked {
    let (descriptors, tasks) = (process::descriptors(), alive_tasks());
    let path = use_everything(&fixture).await;
    let Fixture { transport, keep: _keep, .. } = fixture;
    drop(transport);
    until("what was opened to be closed again", || {
        process::descriptors() <= descriptors && alive_tasks() <= tasks
    })
    .await;
    assert!(!Path::new(&path).exists(), "the file {path} is left");
    Asked::Yes
}

/// Opens conns and ends them in every way there is; returns the rest of the listener's address.
async fn use_everything(fixture: &Fixture) -> String {
    let mut listener = fixture.listen().await;
    let mut pairs = Vec::new();
    for _ in 0..8 {
        pairs.push(fixture.connect(&mut listener).await);
    }
    for (way, (mut dialer, accepted)) in pairs.into_iter().enumerate() {
        match way % 4 {
            0 => soon("closing", dialer.writer.close()).await.expect("closing"),
            1 => drop(accepted),
            2 => drop(dialer.reader),
            _ => {
                let mut batch: Batch = (0..100).map(|n| message(n, 50_000)).collect();
                let _ = poll_once(dialer.writer.send(&mut batch)).await;
            }
        }
    }
    // These are still waiting to be accepted when the listener goes.
    let _waiting = fixture.spawn_dials(3, listener.addr());
    pause(A_MOMENT).await;
    listener.addr().rest().to_string()
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

pub(crate) async fn accept_survives_a_lack_of_descriptors(fixture: Fixture) -> Asked {
    let mut listener = fixture.listen().await;
    let dialers = fixture.spawn_dials(8, listener.addr());
    pause(A_MOMENT).await;
    let drought = Drought::begin();
    let mut backoff = Backoff::default();
    let (mut accepted, mut polls) = (Vec::new(), 0);
    let starving = async {
        loop {
            polls += 1;
            accepted.push(
                accept_next(&mut listener, &mut backoff).await.expect("the listener goes on"),
            );
        }
    };
    // Long enough for a loop without pauses to spin thousands of times.
    tokio::select! {
        biased;
        () = starving => (),
        () = pause(Duration::from_millis(500)) => (),
    }
    assert!(
        backoff.failures() < 50,
        "accept was retried {} times in half a second",
        backoff.failures()
    );
    drop(drought);
    assert!(accepted.len() <= 8, "more conns were accepted than were dialled");
    drop((accepted, dialers));
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let mut conn = fixture.dial(server.addr()).await;
    let sent = [Bytes::from("after the drought")];
    exchange(conn.info.caps.delivery, &mut conn.writer, &mut conn.reader, &sent).await;
    Asked::Yes
}

/// For dials in tasks of their own to get as far as they can.
const A_MOMENT: Duration = Duration::from_millis(50);
