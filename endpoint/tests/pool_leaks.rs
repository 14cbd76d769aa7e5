//! What a pool leaves behind in a process: nothing. It counts what the whole process holds, so it is
//! the only test of its program.

use std::{env, fs, path::PathBuf, process, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::pool::{Effect, Limits, Pool};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Limits as Serving, Server, Target, serve};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until, timeout},
};

const CHECKOUTS: usize = 10_000;
const PEERS: usize = 10;
const IDLE: usize = 20;
/// Checkouts between two restarts of a peer, each at another address.
const LIFE: usize = 20;
const SECOND: Duration = Duration::from_secs(1);

/// Peers that are killed and come back elsewhere.
struct Peers {
    registry: Arc<Registry>,
    folder: PathBuf,
    running: Vec<Server>,
    /// Where peers were once.
    former: Vec<Addr>,
    started: usize,
}

impl Peers {
    async fn start(registry: Arc<Registry>) -> Self {
        let folder = env::temp_dir().join(format!("rumormill-pool-leaks-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (running, former) = (Vec::new(), Vec::new());
        let mut peers = Self { registry, folder, running, former, started: 0 };
        for _ in 0..PEERS {
            let server = peers.another().await;
            peers.running.push(server);
        }
        peers
    }

    async fn another(&mut self) -> Server {
        self.started += 1;
        let addr = match self.started % 2 {
            0 => "tcp://127.0.0.1:0".into(),
            _ => format!("unix://{}/{}.sock", self.folder.display(), self.started),
        };
        let addr = addr.parse().expect("an address");
        let listener = self.registry.listen(&addr).await.expect("a free address");
        serve(listener, Serving::default(), async |_, question| Some(question))
    }

    async fn restart(&mut self, which: usize) {
        let server = self.another().await;
        let killed = std::mem::replace(&mut self.running[which], server);
        self.former.push(killed.addr().clone());
    }

    fn somewhere(&self, rng: &mut StdRng) -> Target {
        let addr = match rng.random_range(0..20) {
            0 if !self.former.is_empty() => &self.former[rng.random_range(0..self.former.len())],
            _ => self.running[rng.random_range(0..PEERS)].addr(),
        };
        addr.clone().into()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// One checkout, which ends in one of all ways.
async fn check_out(pool: &Pool, there: Target, rng: &mut StdRng) {
    match rng.random_range(0..20) {
        0 => drop(timeout(Duration::ZERO, pool.checkout(&there)).await),
        1 => {
            let asking = pool.request(&there, "?", Effect::Once, SECOND);
            drop(timeout(Duration::ZERO, asking).await);
        }
        2 => {
            let (pool, there) = (pool.clone(), there.clone());
            let task = tokio::spawn(async move { pool.checkout(&there).await });
            task.abort();
            drop(task.await);
        }
        3 => {
            if let Ok(mut lease) = pool.checkout(&there).await {
                lease.send("and no answer is waited for").await.ok();
            }
        }
        4 => pool.forget(&there),
        _ => {
            let leases = [pool.checkout(&there).await, pool.checkout(&there).await];
            for mut lease in leases.into_iter().flatten() {
                lease.request("?", SECOND).await.ok();
            }
        }
    }
}

async fn churn(pool: &Pool, peers: &mut Peers, checkouts: usize, rng: &mut StdRng) {
    for number in 0..checkouts {
        if number % LIFE == 0 {
            peers.restart(rng.random_range(0..PEERS)).await;
        }
        let there = peers.somewhere(rng);
        check_out(pool, there, rng).await;
        let numbers = pool.snapshot();
        let somewhere = numbers.active as u64 + numbers.idle as u64 + numbers.closed();
        assert_eq!(numbers.created, somewhere, "{numbers:?}");
        assert!(numbers.idle <= IDLE && numbers.targets <= IDLE + 1, "{numbers:?}");
    }
}

/// Open descriptors; none where the system does not tell.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count())
}

/// Memory in use, in pages; none where the system does not tell.
fn pages() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + 20 * SECOND;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep_until(Instant::now() + Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_grows_under_churn_and_nothing_is_left() {
    let all = [rumormill_transport_tcp::FACTORY, rumormill_transport_unix::FACTORY];
    let registry = Arc::new(Registry::of(all).expect("two schemes"));
    let mut rng = StdRng::seed_from_u64(7);
    let (at_first, tasks_at_first) = (descriptors(), tasks());
    for closes in [true, false] {
        let mut peers = Peers::start(registry.clone()).await;
        let pool = Pool::new(
            registry.clone(),
            Limits { idle: IDLE, warm: Duration::ZERO, ..Limits::default() },
        );
        churn(&pool, &mut peers, CHECKOUTS / 4, &mut rng).await;
        let (pages_before, limit) = (pages(), 512);
        churn(&pool, &mut peers, CHECKOUTS * 3 / 4, &mut rng).await;
        let grown = pages().saturating_sub(pages_before);
        assert!(grown < limit, "{grown} pages more than before");
        assert!(100 < pool.snapshot().reused, "{:?}", pool.snapshot());
        match closes {
            true => assert_eq!(pool.close(SECOND).await, 0),
            false => drop(pool),
        }
        drop(peers);
        until("all descriptors and tasks to be gone", || {
            descriptors() <= at_first && tasks() <= tasks_at_first
        })
        .await;
    }
}
