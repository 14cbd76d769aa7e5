//! Streams: whole, in order, bounded, and with an end.

use rumormill_transport_api::{
    Batch, Caps, Delivery, Error, Listener, MAX_RECV, Reader, Target, Transport, Writer,
};
use rumormill_transport_mem::{Link, Mem, Network, Settings};
use tokio::task::yield_now;

use crate::ends::{
    MS, assert_closed, assert_cut, listen, number, numbered, on, once, recv, recv_timed, send,
    slow, soon, streams,
};

#[tokio::test(start_paused = true)]
async fn messages_keep_their_bounds() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    let mut batch: Batch = ["", "one"].into_iter().collect();
    batch.push_parts(["in ".into(), "three ".into(), "parts".into()]);
    batch.push_parts([]);
    a.writer.send(&mut batch).await.unwrap();
    assert_eq!(recv(&mut b).await.unwrap(), ["", "one", "in three parts", ""]);
}

#[tokio::test(start_paused = true)]
async fn both_ends_know_both_addresses() {
    let (a, b) = streams(&Network::new(1)).await;
    assert_eq!(a.info.local.to_string(), "mem://a:49153");
    assert_eq!(a.info.remote.to_string(), "mem://b:49152");
    assert_eq!((&b.info.local, &b.info.remote), (&a.info.remote, &a.info.local));
    assert_eq!(a.info.caps, Caps { local_only: true, tells_cuts: true, ..Caps::STREAM });
    assert_eq!(b.info.proof, None);
}

#[tokio::test(start_paused = true)]
async fn one_recv_takes_a_bounded_number() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    send(&mut a, numbered(0..2000)).await.unwrap();
    assert_eq!(recv(&mut b).await.unwrap().len(), MAX_RECV);
    assert_eq!(recv(&mut b).await.unwrap().len(), 2000 - MAX_RECV);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_makes_the_writer_wait() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    let window = Settings::default().window;
    for len in [0, 1, 1000, 100_000] {
        let mut sent = 0;
        while once(send(&mut a, [vec![7; len]])).await.is_some() {
            sent += 1;
        }
        assert_eq!(sent, window / (len + 64), "{len}");
        let arrived = recv_timed(&mut b, sent, tokio::time::Instant::now()).await;
        assert!(arrived.iter().all(|(_, message)| message.len() == len));
        send(&mut a, numbered(0..0)).await.unwrap();
        assert_eq!(recv(&mut b).await.unwrap(), [vec![7; len]]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_message_may_exceed_the_window() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    let long = vec![7; Caps::MAX_MESSAGE];
    send(&mut a, [long.clone()]).await.unwrap();
    assert!(once(send(&mut a, ["next"])).await.is_none());
    assert_eq!(recv(&mut b).await.unwrap(), [long]);
    send(&mut a, numbered(0..0)).await.unwrap();
    assert_eq!(recv(&mut b).await.unwrap(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_is_refused_with_its_batch() {
    let network = Network::new(1);
    let short = Settings { host: "b".into(), max_message: 1000, ..Settings::default() };
    let mut port = listen(&Mem::new(network.clone(), short), "mem://b:0").await;
    let a = on(&network, "a", Delivery::Stream);
    let mut dialed = a.dial(&Target::new(port.addr().clone())).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    for (end, peer) in [(&mut dialed, "a"), (&mut accepted, "b")] {
        assert_eq!(end.info.caps.max_message, 1000, "{peer}");
        let mut batch: Batch = [vec![0; 1000], vec![0; 1001]].into_iter().collect();
        let refused = end.writer.send(&mut batch).await;
        assert!(matches!(refused, Err(Error::TooLarge { len: 1001, max: 1000 })), "{refused:?}");
        assert_eq!(batch.len(), 2);
        send(end, [vec![0; 1000]]).await.unwrap();
    }
    assert_eq!(recv(&mut accepted).await.unwrap(), [vec![0; 1000]]);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_read_after_everything_before_it() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    send(&mut a, ["last words"]).await.unwrap();
    a.writer.close().await.unwrap();
    assert_closed(a.writer.close().await);
    assert_closed(send(&mut a, ["more"]).await);
    assert_eq!(recv(&mut b).await.unwrap(), ["last words"]);
    assert_closed(recv(&mut b).await);
    assert_closed(recv(&mut b).await);
    send(&mut b, ["reply"]).await.unwrap();
    assert_eq!(recv(&mut a).await.unwrap(), ["reply"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_is_a_cut_after_everything_before_it() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    let (mut a, mut b) = streams(&network).await;
    send(&mut a, ["last words"]).await.unwrap();
    drop(a.writer);
    assert_eq!(recv(&mut b).await.unwrap(), ["last words"]);
    assert_cut(recv(&mut b).await);
    assert_closed(recv(&mut b).await);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reader_cuts_off_the_peers_writer_alone() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    drop(b.reader);
    assert_cut(send(&mut a, ["to nobody"]).await);
    assert_closed(send(&mut a, ["to nobody"]).await);
    let mut batch = Batch::from_iter(["still"]);
    b.writer.send(&mut batch).await.unwrap();
    assert_eq!(recv(&mut a).await.unwrap(), ["still"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reader_frees_a_writer_that_waits() {
    let (mut a, b) = streams(&Network::new(1)).await;
    let sending = tokio::spawn(async move { send(&mut a, [vec![0; 1 << 20], vec![0]]).await });
    yield_now().await;
    assert!(!sending.is_finished());
    drop(b);
    assert_cut(soon(sending).await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_close_to_a_peer_that_left_is_no_error() {
    let (mut a, b) = streams(&Network::new(1)).await;
    drop(b);
    a.writer.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_sends_what_is_pending() {
    let (mut a, mut b) = streams(&Network::new(1)).await;
    assert!(once(send(&mut a, [vec![0; 1 << 20], vec![1; 1 << 20]])).await.is_none());
    assert!(once(a.writer.close()).await.is_none());
    assert_eq!(recv(&mut b).await.unwrap(), [vec![0; 1 << 20]]);
    a.writer.close().await.unwrap();
    assert_eq!(recv(&mut b).await.unwrap(), [vec![1; 1 << 20]]);
    assert_closed(recv(&mut b).await);
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_lose_double_and_reorder_nothing() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_default_link(Link { jitter: 3 * MS, loss: 0.01, ..slow(2 * MS) });
    let sending = tokio::spawn(async move {
        for start in (0..50_000).step_by(10) {
            let mut batch: Batch = numbered(start..start + 10).collect();
            let mut sent = once(a.writer.send(&mut batch)).await;
            assert!(batch.is_empty());
            while sent.is_none() {
                yield_now().await;
                sent = once(a.writer.send(&mut batch)).await;
            }
            sent.unwrap().unwrap();
        }
        while once(a.writer.close()).await.is_none() {
            yield_now().await;
        }
    });
    let (mut arrived, mut dropped) = (Vec::new(), 0);
    loop {
        match once(b.reader.recv(&mut arrived)).await {
            Some(Ok(())) => yield_now().await,
            Some(Err(error)) => {
                assert!(matches!(error, Error::Closed), "{error}");
                break;
            }
            None => {
                dropped += 1;
                tokio::time::advance(MS / 10).await;
            }
        }
    }
    sending.await.unwrap();
    assert!(arrived.iter().map(number).eq(0..50_000));
    assert!(1000 < dropped, "{dropped}");
}
