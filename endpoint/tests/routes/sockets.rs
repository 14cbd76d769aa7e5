//! The same over sockets of this machine, in real time.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use rumormill_endpoint::{Admission, Class, Config, Endpoint, Inboxes, Message};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyTransport, Context, Factory, Timeouts};
use rumormill_transport_conformance::{Faults, Faulty, Road};
use tokio::time::{Instant, timeout};

const SCHEMES: [&str; 3] = ["udp", "tcp", "unix"];
/// Short, since time is real.
const TIMEOUTS: Timeouts = Timeouts {
    dial: Duration::from_millis(500),
    read: Duration::from_secs(1),
    write: Duration::from_secs(1),
};
/// What a machine that has other things to do may add.
const SLACK: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

/// A node over real transports that can be blocked.
struct Socketed {
    endpoint: Endpoint,
    inboxes: Inboxes,
    roads: Vec<Faulty<AnyTransport>>,
}

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("routes-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that fails has something else to say.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Socketed {
    fn start(key: u8) -> Self {
        let plain = [
            rumormill_transport_udp::FACTORY,
            rumormill_transport_tcp::FACTORY,
            rumormill_transport_unix::FACTORY,
        ];
        let all = Registry::of(plain).expect("three schemes");
        let faulty = |scheme| {
            Faulty::new(all.transport(scheme).expect("it needs nothing"), Faults::default())
        };
        let roads = SCHEMES.map(faulty);
        let build = |context: &Context| {
            let faulty = context.extensions.get::<Faulty<AnyTransport>>().expect("it is given");
            Ok(AnyTransport::new(faulty.clone()))
        };
        let factories = plain.map(|factory| Factory { provider: "this test", build, ..factory });
        let registry = Registry::of(factories).expect("three schemes");
        for (scheme, faulty) in SCHEMES.iter().zip(&roads) {
            let mut context = Context::default();
            context.extensions.insert(faulty.clone());
            registry.configure(scheme, context).expect("nothing is built");
        }
        let config = Config { timeouts: TIMEOUTS, ..Config::new("sockets", Admission::Open) };
        let key = SecretKey::from_bytes(&[key; 32]);
        let (endpoint, inboxes) =
            Endpoint::start(registry.into(), key, config).expect("a good config");
        Self { endpoint, inboxes, roads: roads.into() }
    }

    async fn listen(&self, directory: &Directory) -> Vec<Addr> {
        let mut at = Vec::new();
        for scheme in SCHEMES {
            let addr = match scheme {
                "unix" => format!("unix://{}", directory.0.join("b").display()),
                _ => format!("{scheme}://127.0.0.1:0"),
            };
            let addr = addr.parse().expect("an address");
            at.push(self.endpoint.listen(&addr).await.expect("nobody else listens there"));
        }
        at
    }

    fn set_road(&self, scheme: &str, road: Road) {
        let at = SCHEMES.iter().position(|name| *name == scheme).expect("one of them");
        self.roads[at].set_road(road);
    }
}

/// Two nodes, and what is said between them.
struct Pair {
    a: Socketed,
    b: Socketed,
    number: u32,
    _directory: Directory,
}

impl Pair {
    async fn start() -> Self {
        let (a, b, directory) = (Socketed::start(1), Socketed::start(2), Directory::new());
        a.endpoint.learn(b.endpoint.node(), b.listen(&directory).await).expect("room");
        Self { a, b, number: 0, _directory: directory }
    }

    fn set_road(&self, scheme: &str, road: Road) {
        self.a.set_road(scheme, road);
        self.b.set_road(scheme, road);
    }

    fn next(&mut self) -> String {
        self.number += 1;
        self.number.to_string()
    }

    /// Asks, or sends; tells by which way that came, and how long it took.
    async fn say(&mut self, class: Class) -> (String, Duration) {
        let (text, since) = (self.next(), Instant::now());
        let to = self.b.endpoint.node();
        let scheme = |message: &Message| message.via.scheme().to_owned();
        match class {
            Class::Bulk => {
                let asking = self.a.endpoint.request(to, text.clone(), LONG);
                let answering = async {
                    let message = self.b.inboxes.bulk.recv().await.expect("it is open");
                    self.b.endpoint.reply(&message, message.bytes.clone()).expect("room");
                    scheme(&message)
                };
                let (answer, by) = tokio::join!(asking, timeout(LONG, answering));
                assert_eq!(answer.as_deref(), Ok(text.as_bytes()));
                (by.expect("it came, as it was answered"), since.elapsed())
            }
            Class::Control | Class::Gossip => {
                self.a.endpoint.send(to, Class::Control, text.clone()).expect("room");
                let message = timeout(LONG, self.b.inboxes.control.recv()).await;
                let message = message.expect("it comes").expect("it is open");
                assert_eq!(message.bytes, text);
                (scheme(&message), since.elapsed())
            }
        }
    }

    /// Says something until it goes by `scheme` again.
    async fn until_by(&mut self, class: Class, scheme: &str) -> Duration {
        let since = Instant::now();
        while self.say(class).await.0 != scheme {
            assert!(since.elapsed() < LONG, "{scheme} is not used");
            tokio::time::sleep_until(Instant::now() + Duration::from_millis(20)).await;
        }
        since.elapsed()
    }

    async fn close(self) {
        let (a, b) = tokio::join!(self.a.endpoint.close(LONG), self.b.endpoint.close(LONG));
        for snapshot in [a.snapshot, b.snapshot] {
            for class in snapshot.classes {
                assert_eq!(class.in_flight(), 0, "{class:?}");
            }
        }
    }
}

async fn fails_and_returns(class: Class, preferred: &str, road: Road, notice: Duration) {
    let mut pair = Pair::start().await;
    assert_eq!(pair.say(class).await.0, preferred);
    pair.set_road(preferred, road);
    let (by, took) = pair.say(class).await;
    assert!(by != preferred && took < notice + SLACK, "{by} after {took:?}");
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let (by, took) = pair.say(class).await;
        assert_ne!(by, preferred);
        slowest = slowest.max(took);
    }
    assert!(slowest < notice / 2 + Duration::from_millis(200), "{slowest:?}");
    pair.set_road(preferred, Road::Open);
    let took = pair.until_by(class, preferred).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    pair.close().await;
}

#[tokio::test]
async fn a_pipe_is_blackholed() {
    let notice = TIMEOUTS.read + TIMEOUTS.dial;
    fails_and_returns(Class::Bulk, "unix", Road::Blackholed, notice).await;
}

#[tokio::test]
async fn a_pipe_is_refused() {
    fails_and_returns(Class::Bulk, "unix", Road::Refused, Duration::ZERO).await;
}

#[tokio::test]
async fn packets_are_blackholed() {
    let notice = TIMEOUTS.read * 2 / 5 + TIMEOUTS.dial;
    fails_and_returns(Class::Control, "udp", Road::Blackholed, notice).await;
}

#[tokio::test]
async fn packets_are_refused() {
    fails_and_returns(Class::Control, "udp", Road::Refused, Duration::ZERO).await;
}
