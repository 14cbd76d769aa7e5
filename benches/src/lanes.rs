//! What Bulk does to Control: round trips of small messages to a peer, while nothing else goes there
//! and while Bulk floods it.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_endpoint::{Class, Endpoint, Inbox, Inboxes};
use rumormill_transport_api::NodeId;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    Outcome,
    case::{PING, Rival},
    folder::Folder,
    meter::Meter,
    peer::{Peer, say},
    rivals::{place_on, signed},
    run::median,
};

/// Prints how long round trips take, beside nothing and beside Bulk, by each way.
pub(crate) async fn compare(args: &[String]) -> Outcome<()> {
    let (rounds, span) = match args.iter().any(|arg| arg == "--quick") {
        true => (1, Duration::from_millis(50)),
        false => (ROUNDS, SPAN),
    };
    let folder = Folder::create()?;
    let mut samples: Vec<(&str, Sample)> = Vec::new();
    for _ in 0..rounds {
        for way in WAYS {
            samples.push((way, once(way, folder.path(), span).await?));
        }
    }
    say(
        &"Control there and back     idle p50      p99   flooded p50      p99  ÷ p50  ÷ p99       Bulk",
    );
    for way in WAYS {
        print(way, samples.iter().filter(|(by, _)| *by == way).map(|(_, sample)| sample));
    }
    Ok(())
}

/// What one run brought: seconds of a round trip, and bytes a second.
struct Sample {
    idle: Times,
    flooded: Times,
    bulk: f64,
}

/// What half of the round trips, and all but one in a hundred, took at most.
struct Times {
    p50: f64,
    p99: f64,
}

async fn once(way: &str, dir: &Path, span: Duration) -> Outcome<Sample> {
    let dir = dir.to_str().ok_or("the directory for temporary files has a strange name")?;
    let mut peer = Peer::start(&["lanes-peer", way, dir])?;
    let node = peer.line()?.parse()?;
    let addrs: Result<_, _> = schemes(way)
        .map(|_| peer.line())
        .collect::<Outcome<Vec<_>>>()?
        .iter()
        .map(|line| line.parse())
        .collect();
    let (endpoint, inboxes) = signed::start(Rival::Signed)?;
    endpoint.learn(node, addrs?)?;
    let endpoint = Arc::new(endpoint);
    let mut control =
        Control { endpoint: endpoint.clone(), node, inbox: inboxes.control, asked: 0 };
    let idle = control.measure(span).await?;
    // From then on there is a conn for Bulk, too.
    endpoint.request(node, Bytes::new(), PATIENCE).await?;
    let (mut flood, carried) = (JoinSet::new(), || endpoint.snapshot().class(Class::Bulk).carried);
    let (meter, before) = (Meter::start(), carried());
    flood.spawn(self::flood(endpoint.clone(), node));
    let flooded = control.measure(span).await?;
    let bulk = (carried() - before) as f64 * BULK as f64 / meter.elapsed().as_secs_f64();
    match flood.try_join_next() {
        Some(ended) => Err(ended?.err().unwrap_or_else(|| "there was no flood".into())),
        None => Ok(Sample { idle, flooded, bulk }),
    }
}

/// Sends as much as the queue takes, until it is aborted.
async fn flood(endpoint: Arc<Endpoint>, node: NodeId) -> Outcome<()> {
    let message = Bytes::from(vec![0x5a; BULK]);
    loop {
        signed::fill(&endpoint, node, &message).await?;
    }
}

/// One who asks by messages of [`Class::Control`], which are answered by such.
struct Control {
    endpoint: Arc<Endpoint>,
    node: NodeId,
    inbox: Inbox,
    asked: u64,
}

impl Control {
    /// Asks again and again; what happens at the beginning does not count.
    async fn measure(&mut self, span: Duration) -> Outcome<Times> {
        self.ask(span / 4).await?;
        let mut times = self.ask(span).await?;
        times.sort_unstable();
        let at = |part: usize| times[times.len() * part / 100].as_secs_f64();
        Ok(Times { p50: at(50), p99: at(99) })
    }

    async fn ask(&mut self, span: Duration) -> Outcome<Vec<Duration>> {
        let (meter, mut times) = (Meter::start(), Vec::new());
        while meter.elapsed() < span {
            self.asked += 1;
            let mut question = self.asked.to_be_bytes().to_vec();
            question.resize(PING, 0);
            let (before, question) = (meter.elapsed(), Bytes::from(question));
            self.endpoint.send(self.node, Class::Control, question.clone())?;
            // One that is lost counts with as long as it was waited for.
            let _ = timeout(PATIENCE, self.answer_to(&question)).await;
            times.push(meter.elapsed() - before);
        }
        Ok(times)
    }

    async fn answer_to(&mut self, question: &Bytes) {
        while self.inbox.recv().await.is_some_and(|message| message.bytes != question) {}
    }
}

/// The process that answers: tells who it is, and where it listens.
pub(crate) async fn run_peer(args: &[String]) -> Outcome<()> {
    let [way, dir] = args else { return Err("who answers takes two arguments".into()) };
    let (endpoint, Inboxes { mut control, mut bulk, .. }) = signed::start(Rival::Signed)?;
    say(&endpoint.node());
    for scheme in schemes(way) {
        say(&endpoint.listen(&place_on(scheme, Path::new(dir))?).await?);
    }
    let answering = async {
        while let Some(message) = control.recv().await {
            endpoint.send(message.from, Class::Control, message.bytes)?;
        }
        Ok(())
    };
    let taking = async {
        let mut arrived = Vec::new();
        while bulk.recv_many(&mut arrived).await.is_some() {
            arrived.drain(..).try_for_each(|message| endpoint.reply(&message, Bytes::new()))?;
        }
        Ok(())
    };
    tokio::try_join!(answering, taking).map(drop)
}

fn print<'a>(way: &str, samples: impl Iterator<Item = &'a Sample> + Clone) {
    let of = |figure: fn(&Sample) -> f64| median(samples.clone().map(figure));
    say(&format!(
        "{way:<22} {:>9.1} µs {:>5.0} µs {:>10.1} µs {:>5.0} µs {:>6.2} {:>6.2} {:>5.0} MB/s",
        of(|sample| 1e6 * sample.idle.p50),
        of(|sample| 1e6 * sample.idle.p99),
        of(|sample| 1e6 * sample.flooded.p50),
        of(|sample| 1e6 * sample.flooded.p99),
        of(|sample| sample.flooded.p50 / sample.idle.p50),
        of(|sample| sample.flooded.p99 / sample.idle.p99),
        of(|sample| sample.bulk / 1e6),
    ));
}

/// The transports that make up a way.
fn schemes(way: &str) -> impl Iterator<Item = &str> {
    way.split('+')
}

const WAYS: [&str; 5] = ["unix", "tcp", "tls", "quic", "udp+tcp"];
const ROUNDS: usize = 7;
const SPAN: Duration = Duration::from_millis(400);
/// The bytes of a message that floods.
const BULK: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(1);
