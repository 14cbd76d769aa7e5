//! How long conns are kept, and what is forgotten.

use std::time::Duration;

use rumormill_endpoint::pool::{Ended, Limits};
use rumormill_transport_api::{Batch, Error as CarrierError, Reader, Writer};
use tokio::time::timeout;

use crate::scene::{SECOND, Scene, accept, ask, close, pause, soon, target, to};

#[tokio::test(start_paused = true)]
async fn a_conn_that_nobody_uses_is_closed_after_its_time_and_told_so() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let (lease, mut conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    pause(200 * SECOND).await;
    drop(lease);
    pause(89 * SECOND).await;
    assert_eq!(pool.snapshot().idle, 1, "the time begins when it becomes idle");
    let end = soon("the end", conn.reader.recv(&mut Vec::new())).await.unwrap_err();
    assert!(matches!(end, CarrierError::Closed), "a farewell, not a cut: {end}");
    let numbers = pool.snapshot();
    assert_eq!((numbers.idle, numbers.ended(Ended::Expired), numbers.targets), (0, 1, 0));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn use_keeps_a_conn_and_only_those_in_use() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let limits = Limits { idle_for: SECOND, ..Limits::default() };
    let (pool, there) = (scene.pool(limits), to(&server));
    let both = [pool.checkout(&there).await.unwrap(), pool.checkout(&there).await.unwrap()];
    drop(both);
    for _ in 0..20 {
        ask(&pool, &there, "?").await.unwrap();
        pause(Duration::from_millis(600)).await;
    }
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.reused, numbers.ended(Ended::Expired)), (2, 20, 1));
    close(pool).await;
}

/// A peer that takes no notice does not hold the pool up.
#[tokio::test(start_paused = true)]
async fn a_farewell_has_a_deadline() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let limits = Limits { conns: 1, idle_for: SECOND, ..Limits::default() };
    let (pool, there) = (scene.pool(limits), target("mem://peer:1"));
    let (lease, conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    // Its user says that all is well, while most of what was sent is still to be written.
    let mut lease = lease.unwrap();
    let batch = &mut Batch::from_iter([vec![0; 300_000], vec![0; 300_000]]);
    assert!(timeout(SECOND, lease.conn().writer.send(batch)).await.is_err());
    lease.give_back();
    pause(10 * SECOND).await;
    assert_eq!(pool.snapshot().ended(Ended::Expired), 1);
    assert!(pool.checkout(&there).await.is_ok(), "its place is free");
    drop(conn);
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_goes_now_or_when_it_comes_back() {
    let scene = Scene::new();
    let [one, other] = [
        scene.echo("mem://one:1", Duration::ZERO).await,
        scene.echo("mem://other:1", Duration::ZERO).await,
    ];
    let pool = scene.pool(Limits::default());
    let mut out = pool.checkout(&to(&one)).await.unwrap();
    ask(&pool, &to(&one), "?").await.unwrap();
    ask(&pool, &to(&other), "?").await.unwrap();
    pool.forget(&to(&one));
    pool.forget(&target("mem://nobody:1"));
    assert_eq!((pool.snapshot().idle, pool.snapshot().ended(Ended::Evicted)), (1, 1));
    assert_eq!(out.request("still good", SECOND).await.unwrap(), "still good");
    drop(out);
    assert_eq!((pool.snapshot().idle, pool.snapshot().ended(Ended::Evicted)), (1, 2));
    ask(&pool, &to(&one), "?").await.unwrap();
    assert_eq!((pool.snapshot().idle, pool.snapshot().reused), (2, 0));
    close(pool).await;
}
