//! Which conn is lent, and how rarely one is dialled.

use std::{env, fs, path::PathBuf, process, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::pool::{Ended, Limits, Pool};
use rumormill_transport_api::Target;
use tokio::{task::JoinSet, time::Instant};

use crate::scene::{Scene, accept, answer, ask, check_balance, close, pause, target, to};

const USERS: u64 = 16;
/// From each user.
const QUESTIONS: u64 = 400;

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("rumormill-pool-{name}-{}", process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Users who ask whomever they like, all at once.
async fn load(pool: &Pool, targets: &Arc<[Target]>) {
    let mut users = JoinSet::new();
    for user in 0..USERS {
        let (pool, targets, mut rng) = (pool.clone(), targets.clone(), StdRng::seed_from_u64(user));
        users.spawn(async move {
            for number in 0..QUESTIONS {
                let (to, question) = (rng.random_range(0..100), format!("{user} {number}"));
                let answer = ask(&pool, &targets[to], &question).await;
                assert_eq!(answer.expect("an answer"), question);
            }
        });
    }
    while let Some(ended) = users.join_next().await {
        ended.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_mixed_load_on_a_hundred_peers_reuses_conns() {
    let (scene, folder, mut servers) = (Scene::new(), Folder::new("load"), Vec::new());
    for number in 0..100 {
        let addr = match number % 4 {
            0 => "tcp://127.0.0.1:0".into(),
            1 => "tls://127.0.0.1:0".into(),
            2 => format!("unix://{}/{number}.sock", folder.0.display()),
            _ => format!("mem://peer{number}:1"),
        };
        servers.push(scene.echo(&addr, Duration::ZERO).await);
    }
    let targets: Arc<[Target]> = servers.iter().map(to).collect();
    let pool = scene.pool(Limits::default());
    load(&pool, &targets).await;
    let before = pool.snapshot();
    load(&pool, &targets).await;
    let numbers = pool.snapshot();
    let (created, reused) = (numbers.created - before.created, numbers.reused - before.reused);
    assert_eq!(created + reused, USERS * QUESTIONS);
    assert!(created * 20 < reused, "{created} were dialled, {reused} used again: {numbers:?}");
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn the_conn_that_was_used_last_is_lent_first() {
    let scene = Scene::new();
    let (mut listener, pool) = (scene.listen("mem://peer:1").await, scene.pool(Limits::default()));
    let there = target("mem://peer:1");
    let (first, mut at_first) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    let (second, mut at_second) = tokio::join!(pool.checkout(&there), accept(&mut listener));
    drop(second);
    drop(first);
    for _ in 0..5 {
        let asking = ask(&pool, &there, "?");
        tokio::join!(async { asking.await.unwrap() }, answer(&mut at_first));
    }
    let (first, second) = (pool.checkout(&there).await.unwrap(), pool.checkout(&there).await);
    let mut second = second.unwrap();
    assert!(first.is_reused() && second.is_reused());
    let asking = second.request("!", Duration::from_secs(1));
    tokio::join!(async { asking.await.unwrap() }, answer(&mut at_second));
    drop((first, second));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_conn_is_lent_for_the_very_same_target_only() {
    let scene = Scene::new();
    let _server = scene.echo("mem://peer:1", Duration::ZERO).await;
    let pool = scene.pool(Limits::default());
    for addr in ["mem://peer:1", "mem://peer:1?window=64KiB", "mem://peer:1?window=1KiB"] {
        ask(&pool, &target(addr), "?").await.unwrap();
    }
    assert_eq!((pool.snapshot().created, pool.snapshot().idle), (3, 3));
    let reordered = ["max_message=1KiB&window=1KiB", "window=1KiB&max_message=1KiB"];
    for options in reordered {
        ask(&pool, &target(&format!("mem://peer:1?{options}")), "?").await.unwrap();
    }
    assert_eq!((pool.snapshot().created, pool.snapshot().reused), (4, 1));
    close(pool).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_are_kept_than_may_be() {
    let scene = Scene::new();
    let server = scene.echo("mem://peer:1", Duration::ZERO).await;
    for (idle, warm) in [(0, 0), (1, 0), (3, 0), (0, 1), (3, 1)] {
        let warm = Duration::from_secs(warm);
        let pool = scene.pool(Limits { idle, warm, ..Limits::default() });
        let mut leases = Vec::new();
        for _ in 0..5 {
            leases.push(pool.checkout(&to(&server)).await.unwrap());
        }
        drop(leases);
        if !warm.is_zero() {
            assert_eq!(pool.snapshot().idle, 5, "they are warm");
            pause(2 * warm).await;
        }
        let numbers = pool.snapshot();
        assert_eq!((numbers.idle, numbers.ended(Ended::Displaced)), (idle, 5 - idle as u64));
        close(pool).await;
    }
}

/// Not a test of speed, which a shared machine cannot have; it says what it saw.
#[expect(clippy::print_stdout, reason = "a test's way to say something, shown with --nocapture")]
#[tokio::test]
async fn what_a_checkout_costs_is_told() {
    let scene = Scene::new();
    for addr in ["mem://peer:1", "tcp://127.0.0.1:0"] {
        let server = scene.echo(addr, Duration::ZERO).await;
        let (pool, there) = (scene.pool(Limits::default()), to(&server));
        drop(pool.checkout(&there).await.unwrap());
        let (start, rounds) = (Instant::now(), 20_000);
        for _ in 0..rounds {
            drop(pool.checkout(&there).await.unwrap());
        }
        let each = start.elapsed() / rounds;
        println!("{addr}: {each:?} for a checkout and return of an idle conn");
        assert_eq!((pool.snapshot().created, pool.snapshot().reused), (1, u64::from(rounds)));
        check_balance(&pool);
        close(pool).await;
    }
}
