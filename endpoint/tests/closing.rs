//! What an endpoint leaves behind: no task, no descriptor, no socket file.
//!
//! The only test of its process, since it counts what the whole process has.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rumormill_endpoint::{Admission, Class, Config, Endpoint, Inboxes};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until, timeout},
};

/// How an endpoint comes to its end.
#[derive(Clone, Copy, Debug)]
enum End {
    Closed(Duration),
    /// The future of `close` is dropped before it is done.
    Cancelled,
    Dropped,
}

fn start(seed: u8) -> (Endpoint, Inboxes) {
    let registry = Registry::of([
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_udp::FACTORY,
        rumormill_transport_unix::FACTORY,
    ])
    .expect("three schemes");
    let config = Config::new("closing", Admission::Open);
    Endpoint::start(Arc::new(registry), SecretKey::from_bytes(&[seed; 32]), config)
        .expect("a good config")
}

/// Both endpoints end in mid-flow: messages wait on both sides, and a question has no answer yet.
async fn life(at: &str, end: End) {
    let ((a, _ia), (b, mut ib)) = (start(1), start(2));
    let bound = b.listen(&at.parse().expect("an address")).await.expect("listening");
    a.learn(b.node(), vec![bound]).expect("room");
    a.send(b.node(), Class::Gossip, "first").expect("room");
    ib.gossip.recv().await.expect("it arrives");
    for _ in 0..100 {
        a.send(b.node(), Class::Bulk, vec![7; 10_000]).expect("room");
        b.send(a.node(), Class::Gossip, "back").expect("room");
    }
    let asked = timeout(Duration::from_millis(5), a.request(b.node(), "?", Duration::from_secs(9)));
    assert!(asked.await.is_err(), "nobody answers");
    for endpoint in [a, b] {
        finish(endpoint, end).await;
    }
}

async fn finish(endpoint: Endpoint, end: End) {
    match end {
        End::Closed(deadline) => {
            let since = Instant::now();
            let report = endpoint.close(deadline).await;
            assert!(since.elapsed() <= deadline + Duration::from_secs(1), "{end:?}: {report:?}");
            for class in report.snapshot.classes {
                assert_eq!(class.in_flight(), 0, "{end:?}: {class:?}");
            }
        }
        End::Cancelled => {
            // One poll: `close` has begun and waits for its tasks.
            drop(timeout(Duration::ZERO, endpoint.close(Duration::from_secs(9))).await);
        }
        End::Dropped => drop(endpoint),
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("linux").count()
}

fn alive() -> (usize, usize) {
    (Handle::current().metrics().num_alive_tasks(), descriptors())
}

/// Waits until there is no more than before.
async fn nothing_is_left(before: (usize, usize), what: &str, files: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive() != before || 0 < fs::read_dir(files).expect("it is there").count() {
        let left: Vec<_> = fs::read_dir(files).expect("it is there").flatten().collect();
        assert!(Instant::now() < deadline, "{what}: {:?} instead of {before:?}, {left:?}", alive());
        sleep_until(Instant::now() + Duration::from_millis(1)).await;
    }
}

async fn nothing_is_left_over(files: &Path) {
    let unix = format!("unix://{}/b.sock", files.display());
    for at in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", &unix] {
        let before = alive();
        for end in [
            End::Closed(Duration::from_secs(5)),
            End::Closed(Duration::ZERO),
            End::Cancelled,
            End::Dropped,
        ] {
            life(at, end).await;
            nothing_is_left(before, &format!("{at}, {end:?}"), files).await;
        }
    }
}

#[test]
fn an_endpoint_leaves_nothing_behind() {
    let files = std::env::temp_dir().join(format!("rumormill-closing-{}", std::process::id()));
    fs::create_dir(&files).expect("a directory of our own");
    for threads in [1, 2] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(nothing_is_left_over(&files));
    }
    fs::remove_dir(&files).expect("nothing is in it");
}
