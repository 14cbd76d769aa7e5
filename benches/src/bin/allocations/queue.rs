//! What `Endpoint::send` costs whoever calls it, while a conn is there and the queue has room.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rumormill_endpoint::{Admission, Class, Config, Endpoint, Inboxes};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use tokio::task::{spawn, yield_now};

use crate::{Outcome, counting::allocations};

/// Of one call.
pub(crate) struct Call {
    /// The median over bursts.
    pub(crate) nanos: u64,
    /// Of all bursts together.
    pub(crate) allocations: u64,
}

/// Sends in bursts, each of which leaves before the next.
pub(crate) async fn measure() -> Outcome<Call> {
    let ((from, _inboxes), (to, mut inboxes)) = (start()?, start()?);
    from.learn(to.node(), vec![to.listen(&"tcp://127.0.0.1:0".parse()?).await?])?;
    spawn(async move {
        let mut arrived = Vec::new();
        while inboxes.bulk.recv_many(&mut arrived).await.is_some() {
            arrived.clear();
        }
    });
    let message = Bytes::from(vec![0x5a; 64]);
    let (mut times, mut total) = (Vec::with_capacity(BURSTS), 0);
    for burst in 0..WARM_UP + BURSTS {
        let (time, count) = send(&from, &to, &message)?;
        if WARM_UP <= burst {
            times.push(time);
            total += count;
        }
        while 0 < from.snapshot().class(Class::Bulk).in_flight() {
            yield_now().await;
        }
    }
    times.sort_unstable();
    let nanos = times[BURSTS / 2].as_nanos() as u64 / BURST;
    Ok(Call { nanos, allocations: total })
}

/// One burst: how long it took, and what was allocated.
#[expect(clippy::disallowed_methods, reason = "reading the clock is what a benchmark does")]
fn send(from: &Endpoint, to: &Endpoint, message: &Bytes) -> Outcome<(Duration, u64)> {
    let (before, start, node) = (allocations(), Instant::now(), to.node());
    for _ in 0..BURST {
        from.send(node, Class::Bulk, message.clone())?;
    }
    Ok((start.elapsed(), allocations() - before))
}

fn start() -> Outcome<(Endpoint, Inboxes)> {
    let config = Config::new("allocations", Admission::Open);
    Ok(Endpoint::start(Arc::new(Registry::linked()?), SecretKey::generate(), config)?)
}

const BURST: u64 = 1024;
const BURSTS: usize = 201;
/// Bursts after which queues have the size that they keep.
const WARM_UP: usize = 10;
