//! More users than places.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rumormill_endpoint::pool::{Effect, Ended, Error, Limits};
use rumormill_transport_api::Target;
use rumormill_transport_mem::Link;
use tokio::{task::JoinSet, time::Instant};

use crate::scene::{
    SECOND, Scene, accept, answer, ask, check_balance, close, pause, target, to, until,
};

const A_WHILE: Duration = Duration::from_millis(10);

async fn check_order(limits: Limits) {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", A_WHILE).await;
    let (pool, there) = (scene.pool(limits), to(&server));
    let (order, mut users) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    for number in 0..1000 {
        let (pool, there, order) = (pool.clone(), there.clone(), order.clone());
        users.spawn(async move {
            let mut lease = pool.checkout_within(&there, 60 * SECOND).await.expect("a turn");
            order.lock().expect("no panic").push(number);
            assert!(pool.snapshot().active <= 8);
            let question = format!("{number}");
            let answer = lease.request(question.clone(), SECOND).await;
            assert_eq!(answer.expect("an answer"), question);
        });
    }
    let start = Instant::now();
    until("all but eight to wait", || pool.snapshot().waiting == 992).await;
    while let Some(ended) = users.join_next().await {
        ended.expect("no panic");
    }
    assert_eq!(*order.lock().expect("no panic"), (0..1000).collect::<Vec<_>>());
    assert!(start.elapsed() < 2 * SECOND, "eight at a time: {:?}", start.elapsed());
    let numbers = pool.snapshot();
    assert_eq!((numbers.created, numbers.reused, numbers.waiting), (8, 992, 0), "{numbers:?}");
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_checkouts_are_served_in_order_by_eight_conns() {
    check_order(Limits { conns: 8, ..Limits::default() }).await;
    check_order(Limits { per_target: 8, ..Limits::default() }).await;
}

#[tokio::test(start_paused = true)]
async fn one_target_does_not_take_the_places_of_others() {
    let scene = Scene::new();
    let (slow, quick) =
        (scene.echo("mem://slow:1", 2 * SECOND).await, scene.echo("mem://quick:1", A_WHILE).await);
    let pool = scene.pool(Limits { conns: 10, per_target: 8, ..Limits::default() });
    let mut users = JoinSet::new();
    for _ in 0..50 {
        let (pool, slow) = (pool.clone(), to(&slow));
        users.spawn(async move { ask(&pool, &slow, "?").await });
    }
    pause(A_WHILE).await;
    let start = Instant::now();
    ask(&pool, &to(&quick), "?").await.unwrap();
    assert!(start.elapsed() <= 2 * A_WHILE);
    let error = pool.checkout_within(&to(&slow), A_WHILE).await.unwrap_err();
    assert!(
        matches!(error, Error::Exhausted { setting: "per_target", limit: 8, waited } if waited == A_WHILE),
        "{error}"
    );
    users.shutdown().await;
    close(pool).await;
}

/// However many targets there are, and however they leave.
#[tokio::test(start_paused = true)]
async fn no_more_conns_are_open_than_may_be() {
    let (scene, mut servers, mut users) = (Scene::new(), Vec::new(), JoinSet::new());
    for number in 0..40 {
        let latency = Duration::from_millis(number % 4);
        scene.network.set_link("local", &format!("peer{number}"), latency_of(latency));
        servers.push(scene.echo(&format!("mem://peer{number}:1"), latency).await);
    }
    let limits = Limits { conns: 8, per_target: 3, idle_for: 3 * A_WHILE, ..Limits::default() };
    let pool = scene.pool(limits);
    for user in 0..100_usize {
        let pool = pool.clone();
        users.spawn(async move {
            for number in 0..20_usize {
                let there = target(&format!("mem://peer{}:1", (user * 7 + number * number) % 40));
                let question = format!("{user} {number}");
                let patience = Duration::from_millis((user * number % 600) as u64);
                let effect = Effect::Idempotent;
                match pool.request(&there, question.clone(), effect, patience).await {
                    Ok(answer) => assert_eq!(answer, question),
                    Err(_) => pause(patience / 10).await,
                }
            }
        });
    }
    while let Some(ended) = users.join_next().await {
        ended.unwrap();
    }
    assert_eq!((scene.meter.most(), pool.snapshot().active), (8, 0));
    assert_eq!(scene.meter.open(), pool.snapshot().idle);
    let numbers = pool.snapshot();
    assert!(0 < numbers.ended(Ended::Displaced) && 0 < numbers.reused, "{numbers:?}");
    close(pool).await;
    assert_eq!(scene.meter.open(), 0);
}

/// The same where threads race.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_conns_are_open_than_may_be_whoever_races() {
    let (scene, mut servers, mut users) = (Scene::new(), Vec::new(), JoinSet::new());
    for number in 0..12 {
        servers.push(scene.echo(&format!("mem://peer{number}:1"), Duration::ZERO).await);
    }
    let targets: Arc<[Target]> = servers.iter().map(to).collect();
    let pool = scene.pool(Limits { conns: 6, per_target: 3, ..Limits::default() });
    for user in 0..16_usize {
        let (pool, targets) = (pool.clone(), targets.clone());
        users.spawn(async move {
            for number in 0..300_usize {
                let there = &targets[(user * 5 + number * number) % 12];
                ask(&pool, there, "?").await.unwrap();
            }
        });
    }
    while let Some(ended) = users.join_next().await {
        ended.unwrap();
    }
    assert_eq!(scene.meter.most(), 6);
    assert!(0 < pool.snapshot().reused);
    close(pool).await;
    assert_eq!(scene.meter.open(), 0);
}

fn latency_of(latency: Duration) -> Link {
    Link { latency, ..Link::default() }
}

#[tokio::test(start_paused = true)]
async fn what_is_idle_gives_way_and_the_one_unused_longest_first() {
    let scene = Scene::new();
    let pool = scene.pool(Limits { conns: 2, ..Limits::default() });
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(scene.echo(&format!("mem://{name}:1"), Duration::ZERO).await);
        ask(&pool, &to(&servers[servers.len() - 1]), "?").await.unwrap();
        pause(A_WHILE).await;
    }
    let numbers = pool.snapshot();
    assert_eq!((numbers.idle, numbers.ended(Ended::Displaced)), (2, 1));
    for server in &servers[1..] {
        ask(&pool, &to(server), "?").await.unwrap();
    }
    assert_eq!((pool.snapshot().created, pool.snapshot().reused), (3, 2));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn exhaustion_is_an_error_that_says_what_to_do() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let pool = scene.pool(Limits { conns: 1, queue: 1, ..Limits::default() });
    let lease = pool.checkout(&to(&server)).await.unwrap();

    let there = to(&server);
    let (first, second) = tokio::join!(biased; pool.checkout(&there), async {
        let start = Instant::now();
        (pool.checkout(&there).await, start.elapsed())
    });
    let error = first.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "no conn came free within 5s; drop leases sooner, or raise `conns`, which is 1"
    );
    let (second, took) = second;
    let error = second.unwrap_err();
    assert!(matches!(error, Error::Exhausted { setting: "queue", limit: 1, .. }), "{error}");
    assert_eq!(took, Duration::ZERO);
    drop(lease);
    ask(&pool, &there, "?").await.unwrap();
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_for_nobody_lets_nobody_in() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    for limits in
        [Limits { conns: 0, ..Limits::default() }, Limits { per_target: 0, ..Limits::default() }]
    {
        let pool = scene.pool(limits);
        let error = pool.checkout(&to(&server)).await.unwrap_err();
        assert!(matches!(error, Error::Exhausted { limit: 0, .. }), "{error}");
        check_balance(&pool);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_know_no_limit_work() {
    let scene = Scene::new();
    let mut listener = scene.listen("mem://peer:1").await;
    let (conns, time) = (usize::MAX, Duration::MAX);
    let pool = scene.pool(Limits {
        conns,
        per_target: conns,
        idle: conns,
        warm: time,
        idle_for: time,
        queue: conns,
        wait: time,
        dial: time,
    });
    let there = target("mem://peer:1");
    let (lease, mut conn) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    drop(lease);
    let effect = Effect::Once;
    let (answered, ()) = tokio::join!(pool.request(&there, "?", effect, time), answer(&mut conn));
    assert_eq!(answered.unwrap(), "?");
    pause(Duration::from_secs(3600)).await;
    assert_eq!(pool.snapshot().idle, 1);
    close(pool).await;
}
