//! Peers, and pools that reach them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_endpoint::pool::{Effect, Error, Limits, Pool};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    AnyConn, AnyListener, Batch, Context, Limits as Serving, Listener, Reader, Server, Target,
    Writer, serve,
};
use rumormill_transport_mem::Network;
use tokio::time::{Instant, sleep_until, timeout};

use crate::metered::{self, Meter};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A network with everything that a pool can dial.
pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) meter: Meter,
    pub(crate) registry: Arc<Registry>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let network = Network::new(7);
        let registry = Registry::of([
            metered::FACTORY,
            rumormill_transport_tcp::FACTORY,
            rumormill_transport_tcp::tls::FACTORY,
            rumormill_transport_udp::FACTORY,
            rumormill_transport_unix::FACTORY,
        ])
        .expect("five schemes");
        let mut context = Context::default();
        let meter = Meter::default();
        context.extensions.insert(network.clone());
        context.extensions.insert(meter.clone());
        registry.configure("mem", context).expect("mem is there");
        let key = SecretKey::from_bytes(&[7; 32]);
        let registry = Arc::new(registry.with_credentials(key.credentials().into()));
        Self { network, meter, registry }
    }

    pub(crate) fn pool(&self, limits: Limits) -> Pool {
        Pool::new(self.registry.clone(), limits)
    }

    pub(crate) async fn listen(&self, addr: &str) -> AnyListener {
        let addr = addr.parse().expect("an address");
        self.registry.listen(&addr).await.expect("a free address")
    }

    /// A server that answers each message with itself, after a while.
    pub(crate) async fn echo(&self, addr: &str, delay: Duration) -> Server {
        let limits = Serving { max_conns: 10_000, ..Serving::default() };
        serve(self.listen(addr).await, limits, move |_, question| async move {
            pause(delay).await;
            Some(question)
        })
    }
}

pub(crate) fn target(addr: &str) -> Target {
    Target::new(addr.parse().expect("an address"))
}

pub(crate) fn to(server: &Server) -> Target {
    Target::new(server.addr().clone())
}

pub(crate) async fn ask(pool: &Pool, target: &Target, question: &str) -> Result<Bytes, Error> {
    pool.request(target, question.to_owned(), Effect::Idempotent, 5 * SECOND).await
}

#[expect(clippy::disallowed_methods, reason = "peers take their time, and it is virtual")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Accepts a conn of somebody who has dialled.
pub(crate) async fn accept(listener: &mut AnyListener) -> AnyConn {
    soon("a dial", listener.accept()).await.expect("a conn")
}

pub(crate) async fn read(conn: &mut AnyConn) -> Bytes {
    let mut arrived = Vec::new();
    soon("a message", conn.reader.recv(&mut arrived)).await.expect("a message");
    assert_eq!(arrived.len(), 1, "{arrived:?}");
    arrived.remove(0)
}

pub(crate) async fn say(conn: &mut AnyConn, text: impl Into<Bytes>) {
    conn.writer.send(&mut Batch::from_iter([text])).await.expect("a conn");
}

/// Reads a question and answers it with itself.
pub(crate) async fn answer(conn: &mut AnyConn) {
    let question = read(conn).await;
    say(conn, question).await;
}

/// Every conn that was opened is somewhere.
pub(crate) fn check_balance(pool: &Pool) {
    let numbers = pool.snapshot();
    let somewhere = numbers.active as u64 + numbers.idle as u64 + numbers.closed();
    assert_eq!(numbers.created, somewhere, "{numbers:?}");
}

/// Closes the pool, after which nothing of it is left.
pub(crate) async fn close(pool: Pool) {
    check_balance(&pool);
    assert_eq!(pool.close(SECOND).await, 0);
    let numbers = pool.snapshot();
    assert_eq!(numbers.created, numbers.closed(), "{numbers:?}");
    assert_eq!((numbers.idle, numbers.waiting, numbers.targets), (0, 0, 0), "{numbers:?}");
}

/// What `waiting` comes to, which is waited for, and not for ever.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    timeout(60 * SECOND, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until `is_so`, and not for ever.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + 20 * SECOND;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep_until(Instant::now() + Duration::from_millis(2)).await;
    }
}
