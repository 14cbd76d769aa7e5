//! A pool that is part of an endpoint: one budget for links and leases, and nodes that go.

use rumormill_identity::SecretKey;
use rumormill_transport_api::{
    AnyListener, Context, Credentials, Limits as Serving, Server, serve,
};
use rumormill_transport_mem::Network;

use super::*;
use crate::budget::{Permit, Yields};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn registry(key: Option<u8>) -> Arc<Registry> {
    let all = [rumormill_transport_mem::FACTORY, rumormill_transport_tcp::tls::FACTORY];
    let registry = Registry::of(all).unwrap();
    let mut context = Context::default();
    context.extensions.insert(Network::new(7));
    registry.configure("mem", context).unwrap();
    let credentials = |key| SecretKey::from_bytes(&[key; 32]).credentials();
    Arc::new(match key {
        Some(key) => registry.with_credentials(Arc::<Credentials>::new(credentials(key))),
        None => registry,
    })
}

async fn echo(registry: &Registry, addr: &str) -> Server {
    let listener: AnyListener = registry.listen(&addr.parse().unwrap()).await.unwrap();
    serve(listener, Serving::default(), async |_, question| Some(question))
}

fn to(server: &Server) -> Target {
    Target::new(server.addr().clone())
}

async fn ask(pool: &Pool, target: &Target) -> Result<Bytes, Error> {
    pool.request(target, "?", Effect::Idempotent, SECOND).await
}

/// A link that is idle since it was made, and gives its place up when it is asked.
struct FakeLink(Instant, Mutex<Option<Permit>>);

impl FakeLink {
    fn of(budget: &Budget, permit: Permit) -> Arc<Self> {
        let link = Arc::new(Self(Instant::now(), Mutex::new(Some(permit))));
        let as_idler: Arc<dyn Yields> = link.clone();
        budget.register(Arc::downgrade(&as_idler));
        link
    }

    fn is_alive(&self) -> bool {
        self.1.lock().unwrap().is_some()
    }
}

impl Yields for FakeLink {
    fn idle_since(&self) -> Option<Instant> {
        Some(self.0)
    }

    fn give_way(&self) {
        self.1.lock().unwrap().take();
    }
}

#[tokio::test(start_paused = true)]
async fn links_and_leases_share_one_budget_and_idle_leases_go_first() {
    let (registry, budget) = (registry(None), Budget::new(4));
    let pool = Pool::sharing(budget.clone(), registry.clone(), Limits::default());
    let [a, b] = [echo(&registry, "mem://a:1").await, echo(&registry, "mem://b:1").await];
    let deadline = || Instant::now() + SECOND;
    let link = FakeLink::of(&budget, budget.enter(deadline()).await.unwrap());
    for target in [to(&a), to(&b)] {
        ask(&pool, &target).await.unwrap();
    }
    assert_eq!(pool.snapshot().idle, 2);

    let accepted = budget.try_enter().unwrap();
    assert!(budget.try_enter().is_none(), "what was accepted displaces no idle lease");
    assert_eq!(pool.snapshot().idle, 2);

    // The lease that was unused longest goes, then the other, then the link.
    let second = budget.enter(deadline()).await.unwrap();
    assert_eq!((pool.snapshot().idle, pool.snapshot().ended(Ended::Displaced)), (1, 1));
    assert_eq!(ask(&pool, &to(&b)).await.unwrap(), "?");
    assert_eq!(pool.snapshot().reused, 1);
    let third = budget.enter(deadline()).await.unwrap();
    assert!(pool.snapshot().idle == 0 && link.is_alive());
    assert_eq!(ask(&pool, &to(&a)).await.unwrap(), "?");
    assert!(!link.is_alive(), "a checkout displaces an idle link");

    let leases = [pool.checkout(&to(&a)).await.unwrap()];
    let full = budget.enter(deadline()).await;
    assert!(full.is_err(), "nothing is idle");
    assert!(matches!(
        ask(&pool, &to(&b)).await,
        Err(Error::Exhausted { setting: "conns", limit: 4, .. })
    ));
    drop((accepted, second, third, leases));
    assert_eq!(pool.close(SECOND).await, 0);
    let all: Vec<_> = (0..4).map(|_| budget.try_enter().unwrap()).collect();
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn a_node_that_goes_takes_its_conns_with_it() {
    let (one, other) = (registry(Some(1)), registry(Some(2)));
    let [a, b] = [echo(&one, "tls://127.0.0.1:0").await, echo(&other, "tls://127.0.0.1:0").await];
    let pool = Pool::new(registry(Some(3)), Limits::default());
    let out = pool.checkout(&to(&a)).await.unwrap();
    for target in [to(&a), to(&b)] {
        ask(&pool, &target).await.unwrap();
    }
    pool.evict(SecretKey::from_bytes(&[1; 32]).node());
    assert_eq!((pool.snapshot().active, pool.snapshot().idle), (1, 1));
    drop(out);
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.idle, snapshot.ended(Ended::Evicted)), (1, 2));
    ask(&pool, &to(&b)).await.unwrap();
    assert_eq!(pool.snapshot().reused, 1);
    assert_eq!(pool.close(SECOND).await, 0);
}
