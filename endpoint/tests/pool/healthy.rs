//! Conns whose peers leave, or speak without being asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use rumormill_endpoint::pool::{Effect, Ended, Error, Limits};
use rumormill_transport_api::{AnyConn, AnyListener, Listener, Reader, Writer};
use rumormill_transport_mem::Link;
use tokio::task::coop;

use crate::scene::{
    SECOND, Scene, accept, answer, ask, check_balance, close, pause, say, target, until,
};

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How a peer takes leave of a conn that is idle.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Closing,
    Dropping,
    Speaking,
}

async fn leave(conn: &mut Option<AnyConn>, how: Leave) {
    let there = conn.as_mut().expect("a conn");
    match how {
        Leave::Closing => there.writer.close().await.expect("a conn"),
        Leave::Dropping => drop(conn.take()),
        Leave::Speaking => say(there, "by the way").await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_conn_that_ended_or_spoke_while_idle_is_not_lent() {
    for how in [Leave::Closing, Leave::Dropping, Leave::Speaking] {
        let scene = Scene::new();
        let mut listener = scene.listen("mem://peer:1").await;
        let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
        let (lease, conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
        drop(lease);
        leave(&mut Some(conn), how).await;
        pause(millis(1)).await;

        let effect = Effect::Once;
        let (answered, _conn) = tokio::join!(pool.request(&there, "?", effect, SECOND), async {
            let mut conn = accept(&mut listener).await;
            answer(&mut conn).await;
            conn
        });
        assert_eq!(answered.unwrap(), "?");
        let numbers = pool.snapshot();
        assert_eq!((numbers.created, numbers.reused), (2, 0), "{how:?}");
        assert_eq!(numbers.ended(Ended::Unhealthy), 1, "{how:?}");
        close(pool).await;
    }
}

/// A task that has used up its budget is told by tokio that nothing is ready.
#[tokio::test(start_paused = true)]
async fn a_busy_task_finds_the_dead_too() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let (lease, conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    drop(lease);
    drop(conn);
    pause(millis(1)).await;
    while coop::has_budget_remaining() {
        coop::consume_budget().await;
    }
    let (lease, _conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    assert!(!lease.unwrap().is_reused());
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_buried_before_anybody_asks() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let mut conns = Vec::new();
    for how in [Leave::Closing, Leave::Dropping, Leave::Speaking] {
        let (lease, conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
        conns.push((lease.unwrap(), Some(conn), how));
    }
    let (_lease, good) =
        tokio::join!(async { drop(pool.checkout(&there).await.unwrap()) }, accept(&mut listener));
    let mut conns: Vec<_> = conns.into_iter().map(|(_, conn, how)| (conn, how)).collect();
    for (conn, how) in &mut conns {
        leave(conn, *how).await;
    }
    assert_eq!(pool.snapshot().idle, 4);
    pause(6 * SECOND).await;
    let numbers = pool.snapshot();
    assert_eq!((numbers.idle, numbers.ended(Ended::Unhealthy)), (1, 3));
    drop(good);
    close(pool).await;
}

/// Answers one question on the next conn and leaves so late that the news is still on its way when
/// the conn is lent again; then answers all questions, and counts them.
async fn leaves_once(mut listener: AnyListener, how: Leave, asked: Arc<AtomicUsize>) {
    let mut conn = accept(&mut listener).await;
    answer(&mut conn).await;
    pause(millis(50)).await;
    let mut conn = Some(conn);
    leave(&mut conn, how).await;
    while let Ok(mut conn) = listener.accept().await {
        answer(&mut conn).await;
        asked.fetch_add(1, SeqCst);
        conn.reader.recv(&mut Vec::new()).await.ok();
    }
}

async fn check_departure(effect: Effect, how: Leave) -> Result<Bytes, Error> {
    let (scene, asked) = (Scene::new(), Arc::new(AtomicUsize::new(0)));
    scene.network.set_default_link(Link { latency: millis(20), ..Link::default() });
    let peer = tokio::spawn(leaves_once(scene.listen("mem://peer:1").await, how, asked.clone()));
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    ask(&pool, &there, "first").await.expect("an answer");
    // The peer has left 20 ms + 50 ms after it had answered; that is known at 90 ms.
    pause(millis(40)).await;
    let answer = pool.request(&there, "second", effect, SECOND).await;
    let numbers = pool.snapshot();
    assert_eq!((numbers.reused, numbers.ended(Ended::Unhealthy)), (1, 1), "{numbers:?}");
    let repeated = usize::from(effect == Effect::Idempotent);
    assert_eq!(asked.load(SeqCst), repeated);
    assert_eq!(numbers.created, 1 + repeated as u64);
    close(pool).await;
    peer.abort();
    answer
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_just_before_is_asked_again_if_that_does_no_harm() {
    for how in [Leave::Closing, Leave::Dropping] {
        assert_eq!(check_departure(Effect::Idempotent, how).await.unwrap(), "second");
        let error = check_departure(Effect::Once, how).await.unwrap_err();
        assert!(matches!(error, Error::Uncertain { .. }) && !error.is_retryable(), "{error}");
    }
}

/// When one conn turns out dead in use, nobody has to find out about the others.
#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_is_found_out_once() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let mut leases = Vec::new();
    for _ in 0..8 {
        leases.push(pool.checkout(&there).await.expect("a conn"));
    }
    drop(leases);
    // The news is on its way for a while.
    scene.network.set_default_link(Link { latency: millis(100), ..Link::default() });
    drop(server);
    pause(millis(1)).await;
    let _server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let once = pool.request(&there, "?", Effect::Once, 5 * SECOND).await;
    assert!(matches!(once, Err(Error::Uncertain { .. })), "{once:?}");
    let numbers = pool.snapshot();
    assert_eq!((numbers.idle, numbers.ended(Ended::Unhealthy)), (0, 8));
    let once = pool.request(&there, "?", Effect::Once, 5 * SECOND).await;
    assert_eq!(once.expect("an answer"), "?");
    close(pool).await;
}

/// What was certainly not sent is asked again whatever it does.
#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_uncertain() {
    let scene = Scene::new();
    let _server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let mut lease = pool.checkout(&there).await.unwrap();
    let cut = Link { latency: millis(100), ..Link::default() };
    scene.network.set_default_link(cut);
    lease.conn().writer.close().await.unwrap();
    lease.give_back();
    let answer = pool.request(&there, "?", Effect::Once, 5 * SECOND).await;
    assert_eq!(answer.unwrap(), "?");
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.reused), (2, 1));
    close(pool).await;
}

/// Asked once on a conn that died, then nowhere: the peer may have got the first.
#[tokio::test(start_paused = true)]
async fn what_was_sent_stays_uncertain_when_nobody_can_be_asked_again() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    ask(&pool, &there, "?").await.unwrap();
    scene.network.set_default_link(Link { latency: millis(100), ..Link::default() });
    drop(server);
    pause(millis(1)).await;
    let error = ask(&pool, &there, "?").await.unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error}");
    assert_eq!(pool.snapshot().failed_dials, 1);
    close(pool).await;
}

/// Over TCP and TLS, with a server that closes each conn after a few answers, at whatever moment.
#[tokio::test]
async fn idempotent_requests_never_see_that_a_server_closes_its_conns() {
    for addr in ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"] {
        let scene = Scene::new();
        let mut listener = scene.listen(addr).await;
        let there = target(&listener.addr().to_string());
        let server = tokio::spawn(async move {
            for number in 0_usize.. {
                let mut conn = accept(&mut listener).await;
                for _ in 0..=number % 3 {
                    if conn.reader.recv(&mut Vec::new()).await.is_err() {
                        break;
                    }
                    say(&mut conn, "!").await;
                }
                match number % 2 {
                    0 => drop(conn),
                    _ => conn.writer.close().await.unwrap_or(()),
                }
            }
        });
        let pool = scene.pool(Limits::default());
        for _ in 0..300 {
            assert_eq!(ask(&pool, &there, "?").await.unwrap(), "!");
        }
        let numbers = pool.snapshot();
        assert!(100 < numbers.ended(Ended::Unhealthy), "{numbers:?}");
        close(pool).await;
        server.abort();
    }
}

#[tokio::test]
async fn the_end_of_a_real_conn_is_seen_before_it_is_lent() {
    let scene = Scene::new();
    for addr in ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"] {
        let mut listener = scene.listen(addr).await;
        let (pool, there) = (scene.pool(Limits::default()), target(&listener.addr().to_string()));
        for _ in 0..20 {
            let (lease, conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
            let mut lease = lease.unwrap();
            assert!(!lease.is_reused(), "{addr}");
            drop(conn);
            // The end is here when the conn is given back, and the pool has not looked yet.
            assert!(lease.conn().reader.recv(&mut Vec::new()).await.is_err());
            lease.give_back();
        }
        assert_eq!(pool.snapshot().ended(Ended::Unhealthy), 19, "{addr}");
        until("the last to be dropped", || pool.snapshot().idle == 0).await;
        check_balance(&pool);
        close(pool).await;
    }
}
