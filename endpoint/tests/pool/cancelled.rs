//! Uses that do not end well: no later user notices.

use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::pool::{Effect, Ended, Error, Limits, Pool};
use rumormill_transport_api::{AnyConn, Batch, Limits as Serving, Target, Writer, serve};
use rumormill_transport_mem::Link;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::scene::{
    SECOND, Scene, accept, ask, check_balance, close, pause, read, say, target, to,
};

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One who asks again and again and gives up half of the time; every answer has to be his own.
async fn impatient(pool: Pool, there: Target, seed: u64) -> usize {
    let (mut rng, mut answers) = (StdRng::seed_from_u64(seed), 0);
    for number in 0..200 {
        let question = format!("{seed} {number}");
        let within = millis(rng.random_range(1..120));
        let asking = async {
            match rng.random_range(0..3) {
                0 => pool.request(&there, question.clone(), Effect::Idempotent, within).await,
                1 => pool.checkout(&there).await?.request(question.clone(), within).await,
                _ => {
                    let mut lease = pool.checkout(&there).await?;
                    lease.send(question.clone()).await?;
                    let answer = lease.recv().await?;
                    lease.give_back();
                    Ok(answer)
                }
            }
        };
        if let Ok(Ok(answer)) = timeout(within, asking).await {
            assert_eq!(answer, question);
            answers += 1;
        }
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_cancelled_request_reaches_nobody() {
    let scene = Scene::new();
    let link = Link { latency: millis(3), jitter: millis(5), ..Link::default() };
    scene.network.set_default_link(link);
    let server = serve(
        scene.listen("mem://peer:1").await,
        Serving::default(),
        async |_, question: Bytes| {
            let sum: u64 = question.iter().map(|byte| u64::from(*byte)).sum();
            pause(millis(sum % 25)).await;
            Some(question)
        },
    );
    let (pool, mut users) = (scene.pool(Limits { conns: 8, ..Limits::default() }), JoinSet::new());
    for seed in 0..16 {
        users.spawn(impatient(pool.clone(), to(&server), seed));
    }
    let mut answers = 0;
    while let Some(ended) = users.join_next().await {
        answers += ended.unwrap();
    }
    let numbers = pool.snapshot();
    assert!(500 < answers && 500 < numbers.ended(Ended::Dirty), "{answers} answers, {numbers:?}");
    assert!(100 < numbers.reused, "{numbers:?}");
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_cancellations_loses_no_place() {
    let scene = Scene::new();
    scene.network.set_default_link(Link { latency: millis(2), ..Link::default() });
    let server = scene.echo("mem://peer:1", millis(5)).await;
    let limits = Limits { conns: 8, per_target: 8, ..Limits::default() };
    let (pool, there, mut rng) = (scene.pool(limits), to(&server), StdRng::seed_from_u64(7));
    for _ in 0..20 {
        let mut users = JoinSet::new();
        for _ in 0..1000 {
            let (pool, there) = (pool.clone(), there.clone());
            let patience = millis(rng.random_range(0..60));
            users.spawn(async move {
                timeout(patience, ask(&pool, &there, "?")).await.ok();
            });
        }
        pause(millis(rng.random_range(0..60))).await;
        users.shutdown().await;
        let numbers = pool.snapshot();
        assert_eq!((numbers.active, numbers.waiting), (0, 0), "{numbers:?}");
        check_balance(&pool);
    }
    let start = Instant::now();
    let mut leases = Vec::new();
    for _ in 0..8 {
        leases.push(pool.checkout(&there).await.unwrap());
    }
    assert!(start.elapsed() < millis(100), "all places are free");
    assert!(pool.checkout_within(&there, millis(1)).await.is_err());
    drop(leases);
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_the_place_back_and_not_the_conn() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there) = (scene.pool(Limits { conns: 1, ..Limits::default() }), to(&server));
    for asks_first in [false, true] {
        let (pool, there) = (pool.clone(), there.clone());
        let task = tokio::spawn(async move {
            let mut lease = pool.checkout(&there).await.unwrap();
            if asks_first {
                lease.request("?", SECOND).await.unwrap();
            }
            panic!("on purpose");
        });
        assert!(task.await.unwrap_err().is_panic());
    }
    assert_eq!(ask(&pool, &there, "?").await.unwrap(), "?");
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.ended(Ended::Dirty)), (3, 2));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_use_that_failed_ends_the_lease() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", SECOND).await;
    let (pool, there) = (scene.pool(Limits::default()), to(&server));

    let mut lease = pool.checkout(&there).await.unwrap();
    let error = lease.request("?", millis(10)).await.unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }) && !error.is_retryable(), "{error}");
    assert!(matches!(lease.request("?", SECOND).await, Err(Error::Broken)));
    lease.give_back();

    let mut lease = pool.checkout(&there).await.unwrap();
    assert!(timeout(millis(10), lease.request("?", SECOND)).await.is_err());
    assert!(matches!(lease.send("?").await, Err(Error::Broken)));
    lease.give_back();

    let mut lease = pool.checkout(&there).await.unwrap();
    assert!(timeout(millis(10), lease.recv()).await.is_err());
    assert!(matches!(lease.recv().await, Err(Error::Broken)));
    lease.give_back();

    let mut lease = pool.checkout(&there).await.unwrap();
    let error = lease.request("?", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "nothing was sent: {error}");
    assert_eq!(lease.request("?", 2 * SECOND).await.unwrap(), "?");
    drop(lease);
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.ended(Ended::Dirty), numbers.idle), (4, 3, 1));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn free_use_is_kept_only_if_its_user_says_so() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let (pool, there) = (scene.pool(Limits::default()), to(&server));

    let mut lease = pool.checkout(&there).await.unwrap();
    lease.send("one").await.unwrap();
    lease.send("two").await.unwrap();
    assert_eq!(lease.recv().await.unwrap(), "one");
    assert_eq!(lease.recv().await.unwrap(), "two");
    drop(lease);
    assert_eq!(pool.snapshot().ended(Ended::Dirty), 1);

    let mut lease = pool.checkout(&there).await.unwrap();
    lease.send("one").await.unwrap();
    assert_eq!(lease.recv().await.unwrap(), "one");
    assert_eq!(lease.request("two", SECOND).await.unwrap(), "two");
    lease.give_back();
    let mut lease = pool.checkout(&there).await.unwrap();
    assert!(lease.is_reused());
    answer_by_hand(lease.conn()).await;
    drop(lease);
    assert_eq!((pool.snapshot().idle, pool.snapshot().ended(Ended::Dirty)), (0, 2));
    let mut lease = pool.checkout(&there).await.unwrap();
    answer_by_hand(lease.conn()).await;
    lease.give_back();
    assert_eq!(pool.snapshot().idle, 1);
    close(pool).await;
}

async fn answer_by_hand(conn: &mut AnyConn) {
    say(conn, "by hand").await;
    assert_eq!(read(conn).await, "by hand");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_received_is_not_given_back() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    let (lease, mut conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    let mut lease = lease.unwrap();
    conn.writer.send(&mut Batch::from_iter(["one", "two"])).await.unwrap();
    assert_eq!(lease.recv().await.unwrap(), "one");
    assert!(matches!(lease.request("?", SECOND).await, Err(Error::Unsolicited { .. })));
    lease.give_back();
    assert_eq!(pool.snapshot().ended(Ended::Unhealthy), 1);
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_too_long_costs_nothing() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let there = target(&format!("{}?max_message=10", server.addr()));
    let pool = scene.pool(Limits::default());
    let mut lease = pool.checkout(&there).await.unwrap();
    let error = lease.request("a question of 25 bytes...", SECOND).await.unwrap_err();
    assert_eq!(error.to_string(), "message of 25 bytes exceeds 10");
    assert!(matches!(lease.send("more than ten").await, Err(Error::TooLarge { .. })));
    assert_eq!(lease.request("ten bytes!", SECOND).await.unwrap(), "ten bytes!");
    drop(lease);
    assert_eq!((pool.snapshot().created, pool.snapshot().idle), (1, 1));
    close(pool).await;
}

/// A peer that answers twice: the second answer is nobody's.
#[tokio::test(start_paused = true)]
async fn a_second_answer_reaches_nobody() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let peer = tokio::spawn(async move {
        let mut conns = JoinSet::new();
        for number in 0.. {
            let mut conn = accept(&mut listener).await;
            conns.spawn(async move {
                let question = read(&mut conn).await;
                let twice = |question| Batch::from_iter([question, "once more".into()]);
                match number % 2 {
                    0 => conn.writer.send(&mut twice(question)).await.expect("a conn"),
                    _ => {
                        say(&mut conn, question).await;
                        pause(millis(10)).await;
                        say(&mut conn, "once more").await;
                    }
                }
                pause(60 * SECOND).await;
            });
        }
    });
    let (pool, there) = (scene.pool(Limits::default()), target("mem://peer:1"));
    // Together with the answer, or while the conn is idle.
    for number in 0..21 {
        let question = format!("{number}");
        assert_eq!(ask(&pool, &there, &question).await.unwrap(), question);
        pause(millis(20)).await;
    }
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.reused), (21, 0));
    // While the lease is still held.
    let mut lease = pool.checkout(&there).await.unwrap();
    lease.request("?", SECOND).await.unwrap();
    pause(millis(20)).await;
    assert!(matches!(lease.request("?", SECOND).await, Err(Error::Unsolicited { .. })));
    drop(lease);
    assert_eq!(pool.snapshot().ended(Ended::Unhealthy), 22);
    peer.abort();
    close(pool).await;
}
