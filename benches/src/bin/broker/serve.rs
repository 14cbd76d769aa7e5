//! The process of rumormill's broker.

use std::{
    io::{self, BufRead},
    sync::Arc,
};

use rumormill_broker::{Broker, Config, Limits, Policy, Routing, Topic};
use rumormill_registry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

use crate::{Outcome, say, server::end_with_parent};

/// Listens at `addrs`, says where, and serves until its input ends. For each line of it, it says how many
/// bytes of messages it holds.
pub(crate) fn run(addrs: &[String]) -> Outcome<()> {
    end_with_parent()?;
    allow_descriptors()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let broker = runtime.block_on(serve(addrs))?;
    for line in io::stdin().lock().lines() {
        line?;
        say(&broker.stats().memory_used)?;
    }
    Ok(())
}

async fn serve(addrs: &[String]) -> Outcome<Broker> {
    let broker = Broker::start(Arc::new(Registry::linked()?), None, config()?)?;
    for addr in addrs {
        say(&broker.listen(&addr.parse()?).await?)?;
    }
    Ok(broker)
}

/// Everything as it is by default, but for the number of conns; a roomy topic of each routing, and one
/// that is soon full for each policy.
fn config() -> Outcome<Config> {
    let limits = Limits { max_conns: 100_000, ..Limits::default() };
    let mut config = Config { limits, ..Config::default() };
    for (name, routing) in [(FANOUT, Routing::Fanout), (QUEUE, Routing::Queue)] {
        // In a queue counts also what takers have got and not yet said so, which the publisher does
        // not see when it keeps to its window.
        let roomy =
            Topic { routing, max_messages: 1 << 20, max_bytes: 64 << 20, ..Topic::default() };
        config.topics.insert(name.parse()?, roomy);
    }
    for (name, policy) in POLICIES {
        let small = Topic { policy, max_bytes: FULL, max_message_size: FULL, ..Topic::default() };
        config.topics.insert(name.parse()?, small);
    }
    Ok(config)
}

/// Has the system let this process open as many conns as it lets any.
pub(crate) fn allow_descriptors() -> Outcome<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

pub(crate) const FANOUT: &str = "fanout";
pub(crate) const QUEUE: &str = "queue";
/// Topics in which [`FULL`] bytes may wait for one subscriber.
pub(crate) const POLICIES: [(&str, Policy); 3] = [
    ("disconnect", Policy::Disconnect),
    ("drop-newest", Policy::DropNewest),
    ("drop-oldest", Policy::DropOldest),
];
pub(crate) const FULL: usize = 256 << 10;
