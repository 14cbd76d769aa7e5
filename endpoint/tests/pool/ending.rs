//! Dials that fail, and pools that end.

use std::time::Duration;

use rumormill_endpoint::pool::{Effect, Ended, Error, Limits};
use rumormill_transport_api::{Error as CarrierError, Expect, NodeId, Reader, Target};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use crate::scene::{
    SECOND, Scene, accept, ask, check_balance, close, pause, soon, target, to, until,
};

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_says_why_and_costs_no_place() {
    let scene = Scene::new();
    let pool = scene.pool(Limits { conns: 1, ..Limits::default() });
    for (addr, expected) in [
        ("mem://nobody:1", "nobody answers at mem://nobody:1"),
        ("memm://nobody:1", "did you mean 'mem'?"),
        ("mem://nobody:1?widnow=1", "option 'widnow' is not known"),
    ] {
        let error = ask(&pool, &target(addr), "?").await.unwrap_err();
        let Error::Dial { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().contains(expected), "{source}");
        assert_eq!(error.is_retryable(), addr == "mem://nobody:1", "{error}");
    }
    let node = Target { expect: Expect::Node(NodeId([7; 32])), ..target("mem://nobody:1") };
    assert!(matches!(pool.checkout(&node).await, Err(Error::Dial { .. })));
    let numbers = pool.snapshot();
    assert_eq!((numbers.failed_dials, numbers.created, numbers.targets), (4, 0, 0));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_dial_has_a_deadline() {
    let scene = Scene::new();
    let _server = scene.echo("mem://far:1", Duration::ZERO).await;
    scene.network.partition_both("local", "far");
    let pool = scene.pool(Limits::default());
    for (within, after) in [(60 * SECOND, 3 * SECOND), (SECOND, SECOND)] {
        let start = Instant::now();
        let error = pool.checkout_within(&target("mem://far:1"), within).await.unwrap_err();
        assert_eq!(start.elapsed(), after);
        assert!(error.is_retryable(), "{error}");
        let said = format!("mem://far:1 was not reached within {after:?}; nothing was sent");
        assert_eq!(error.to_string(), said);
    }
    assert_eq!(pool.snapshot().failed_dials, 2);
    close(pool).await;
}

#[tokio::test]
async fn datagrams_are_refused() {
    let scene = Scene::new();
    let _server = scene.echo("mem://peer:1?delivery=datagram", Duration::ZERO).await;
    let pool = scene.pool(Limits::default());
    for addr in ["udp://127.0.0.1:9", "mem://peer:1?delivery=datagram"] {
        let error = pool.checkout(&target(addr)).await.unwrap_err();
        assert!(matches!(error, Error::Datagram { .. }) && !error.is_retryable(), "{error}");
    }
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_or_dials_is_told_of_the_close() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let _far = scene.echo("mem://far:1", Duration::ZERO).await;
    scene.network.partition_both("local", "far");
    let pool = scene.pool(Limits { conns: 2, ..Limits::default() });
    let lease = pool.checkout(&to(&server)).await.unwrap();
    let (there, far) = (to(&server), target("mem://far:1"));
    let start = Instant::now();
    let (dialling, waiting, left) = tokio::join!(biased; pool.checkout(&far), pool.checkout(&there), async {
        pause(Duration::from_millis(1)).await;
        pool.close(SECOND).await
    });
    assert!(matches!(dialling, Err(Error::Closed)) && matches!(waiting, Err(Error::Closed)));
    assert_eq!((left, pool.snapshot().active), (1, 1), "one is still out");
    assert!(start.elapsed() < 2 * SECOND);
    assert!(matches!(pool.checkout(&there).await, Err(Error::Closed)));
    drop(lease);
    let numbers = pool.snapshot();
    assert_eq!((numbers.active, numbers.ended(Ended::Closed)), (0, 1));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_leases_and_says_farewell_to_what_is_idle() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let (out, at_out) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    let (idle, mut at_idle) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    drop(idle);
    let start = Instant::now();
    let (left, (), end) = tokio::join!(
        pool.close(10 * SECOND),
        async {
            pause(SECOND).await;
            drop((out, at_out));
        },
        async { soon("the end", at_idle.reader.recv(&mut Vec::new())).await },
    );
    assert_eq!((left, start.elapsed()), (0, SECOND));
    assert!(matches!(end, Err(CarrierError::Closed)), "{end:?}");
    assert_eq!(pool.close(SECOND).await, 0, "closing twice does no harm");
    assert_eq!(pool.snapshot().ended(Ended::Closed), 2);
    check_balance(&pool);
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_pool_however_it_ends() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let there = target("mem://peer:1");
    let before = alive_tasks();
    for closes in [false, true] {
        let pool = scene.pool(Limits::default());
        let (idle, mut at_idle) = tokio::join!(pool.checkout(&there), accept(&mut listener));
        let (out, mut at_out) = tokio::join!(pool.checkout(&there), accept(&mut listener));
        drop(idle);
        let clone = pool.clone();
        drop(pool);
        assert_eq!((clone.snapshot().idle, alive_tasks()), (1, before + 1));
        match closes {
            true => assert_eq!(clone.close(SECOND).await, 1),
            false => drop(clone),
        }
        until("its task to end", || alive_tasks() == before).await;
        assert!(soon("the end", at_idle.reader.recv(&mut Vec::new())).await.is_err());
        let silent = timeout(SECOND, at_out.reader.recv(&mut Vec::new())).await;
        assert!(silent.is_err(), "what is leased goes on");
        drop(out);
        assert!(soon("the end", at_out.reader.recv(&mut Vec::new())).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_closes_all_the_same() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there, before) = (scene.pool(Limits::default()), to(&server), alive_tasks());
    ask(&pool, &there, "?").await.unwrap();
    let lease = pool.checkout(&there).await.unwrap();
    assert!(timeout(Duration::ZERO, pool.close(SECOND)).await.is_err());
    let asked = pool.request(&there, "?", Effect::Idempotent, SECOND).await;
    assert!(matches!(asked, Err(Error::Closed)));
    drop(lease);
    until("its task to end", || alive_tasks() < before).await;
    close(pool).await;
}
