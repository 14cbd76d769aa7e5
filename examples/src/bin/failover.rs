//! Two nodes with three ways between them, of which one after the other is blocked.
//!
//! `cargo run -p rumormill-examples --bin failover`
//!
//! Alice asks Bob and sends him messages, small ones and some that are too long for a packet. In
//! each phase some ways are *blackholed*, so that nothing arrives and nobody is told, or *refused*.
//! The table shows by which way what was sent in a phase arrived, and how long the slowest answer
//! took. In the end every question is answered, and every message has arrived or is counted.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rumormill::{
    Addr, Registry,
    endpoint::{Admission, Class, ClassSnapshot, Config, Endpoint, Inbox, Inboxes},
    identity::SecretKey,
    transport::{AnyTransport, Context, Factory, Timeouts},
};
use rumormill_transport_conformance::{Faults, Faulty, Road};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Roads = Vec<(&'static str, Faulty<AnyTransport>)>;

const SCHEMES: [&str; 3] = ["udp", "tcp", "unix"];
/// What is blocked, and for how long.
const PHASES: [(&[(&str, Road)], Duration); 6] = [
    (&[], Duration::from_secs(1)),
    (&[("unix", Road::Blackholed)], Duration::from_millis(2500)),
    (&[("unix", Road::Refused), ("udp", Road::Blackholed)], Duration::from_secs(2)),
    (&[("unix", Road::Refused), ("tcp", Road::Refused)], Duration::from_millis(1500)),
    (&[("tcp", Road::Blackholed), ("udp", Road::Refused)], Duration::from_secs(2)),
    (&[], Duration::from_secs(4)),
];
/// From one question, and one message, to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// Every so manieth message is long.
const LONG: usize = 10;
/// Shorter than for a data centre, since nobody wants to watch for long: a stream that tells nothing
/// for a second is given up, and datagrams after two fifths of that.
const TIMEOUTS: Timeouts = Timeouts {
    dial: Duration::from_millis(500),
    read: Duration::from_secs(1),
    write: Duration::from_secs(1),
};
const DEADLINE: Duration = Duration::from_secs(10);

/// What arrived, and when answers did.
#[derive(Default)]
struct Seen {
    /// By phase, kind and scheme.
    arrived: BTreeMap<(usize, Kind, String), u64>,
    slowest: [Duration; PHASES.len()],
    delivered: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Question,
    Small,
    Long,
}

const KINDS: [Kind; 3] = [Kind::Question, Kind::Small, Kind::Long];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let directory = env::temp_dir().join(format!("rumormill-failover-{}", process::id()));
    let ran = run(&directory).await;
    // It may never have been made.
    drop(fs::remove_dir_all(&directory));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(directory: &Path) -> Outcome<()> {
    fs::create_dir_all(directory)?;
    let (alice, roads, _) = start()?;
    let (bob, of_bob, for_bob) = start()?;
    alice.learn(bob.node(), listen(&bob, directory.join("bob")).await?)?;
    let roads = [roads, of_bob].concat();
    let (alice, bob, seen) = (Arc::new(alice), Arc::new(bob), Arc::new(Mutex::default()));
    let receiving = [for_bob.bulk, for_bob.gossip].map(|inbox| {
        let (bob, seen) = (bob.clone(), seen.clone());
        tokio::spawn(async move { receive(&bob, inbox, &seen).await })
    });

    let mut asking = JoinSet::new();
    for (phase, (blocked, duration)) in PHASES.iter().enumerate() {
        block(&roads, blocked);
        let (alice, seen) = (alice.clone(), seen.clone());
        talk(&mut asking, (alice, bob.node()), &seen, phase, Instant::now() + *duration).await?;
    }
    let asked = asking.len();
    let answered = asking.join_all().await.into_iter().filter(|answered| *answered).count();
    settle(&alice).await;
    receiving.iter().for_each(|task| task.abort());

    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    show(&seen);
    println!("\n{answered} of {asked} questions are answered");
    check(alice.snapshot().class(Class::Gossip), seen.delivered)?;
    match answered == asked {
        true => Ok(()),
        false => Err("some questions have no answer".into()),
    }
}

/// A new node of the cluster, and the switches of its transports.
fn start() -> Outcome<(Endpoint, Roads, Inboxes)> {
    let all = rumormill::registry()?;
    let mut roads = Vec::new();
    let mut factories = Vec::new();
    for factory in all.factories().filter(|factory| SCHEMES.contains(&factory.scheme)) {
        roads
            .push((factory.scheme, Faulty::new(all.transport(factory.scheme)?, Faults::default())));
        factories.push(Factory { provider: "this example", build, ..*factory });
    }
    let registry = Registry::of(factories)?;
    for (scheme, faulty) in &roads {
        let mut context = Context::default();
        context.extensions.insert(faulty.clone());
        registry.configure(scheme, context)?;
    }
    // Both are in one hand; a real cluster lists its nodes, or gives them tickets.
    let config = Config { timeouts: TIMEOUTS, ..Config::new("failover", Admission::Open) };
    let (endpoint, inboxes) = Endpoint::start(Arc::new(registry), SecretKey::generate(), config)?;
    Ok((endpoint, roads, inboxes))
}

fn build(context: &Context) -> rumormill::transport::Result<AnyTransport> {
    let faulty: &Faulty<AnyTransport> = context.extensions.get().expect("it was configured");
    Ok(AnyTransport::new(faulty.clone()))
}

async fn listen(endpoint: &Endpoint, socket: PathBuf) -> Outcome<Vec<Addr>> {
    let mut addrs = Vec::new();
    for scheme in SCHEMES {
        let addr = match scheme {
            "unix" => format!("unix://{}", socket.display()),
            _ => format!("{scheme}://127.0.0.1:0"),
        };
        addrs.push(endpoint.listen(&addr.parse()?).await?);
    }
    Ok(addrs)
}

fn block(roads: &Roads, blocked: &[(&str, Road)]) {
    for (scheme, faulty) in roads {
        let road = blocked.iter().find(|(blocked, _)| blocked == scheme);
        faulty.set_road(road.map_or(Road::Open, |(_, road)| *road));
    }
}

/// Asks and sends until the phase is over.
async fn talk(
    asking: &mut JoinSet<bool>,
    (from, to): (Arc<Endpoint>, rumormill::transport::NodeId),
    seen: &Arc<Mutex<Seen>>,
    phase: usize,
    end: Instant,
) -> Outcome<()> {
    for number in 1.. {
        if end <= Instant::now() {
            break;
        }
        let (from, seen) = (from.clone(), seen.clone());
        let message = match number % LONG {
            0 => vec![phase as u8; 20_000],
            _ => vec![phase as u8; 100],
        };
        from.send(to, Class::Gossip, message)?;
        asking.spawn(async move {
            let since = Instant::now();
            let answer = from.request(to, vec![phase as u8], DEADLINE).await;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.slowest[phase] = seen.slowest[phase].max(since.elapsed());
            answer.is_ok()
        });
        sleep_until(Instant::now() + PAUSE).await;
    }
    Ok(())
}

/// Bob answers questions, and notes which way everything came.
async fn receive(bob: &Endpoint, mut inbox: Inbox, seen: &Mutex<Seen>) {
    while let Some(message) = inbox.recv().await {
        if let Err(error) = bob.reply(&message, message.bytes.clone()) {
            eprintln!("no answer for {}: {error}", message.from);
        }
        let kind = match (message.question, message.bytes.len()) {
            (Some(_), _) => Kind::Question,
            (None, 100) => Kind::Small,
            (None, _) => Kind::Long,
        };
        let phase = message.bytes.first().map_or(0, |phase| usize::from(*phase));
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.delivered += u64::from(message.question.is_none());
        *seen.arrived.entry((phase, kind, message.via.scheme().into())).or_default() += 1;
    }
}

/// Waits until something has become of every message.
async fn settle(alice: &Endpoint) {
    let deadline = Instant::now() + 3 * TIMEOUTS.read;
    while Instant::now() < deadline && alice.snapshot().class(Class::Gossip).in_flight() != 0 {
        sleep_until(Instant::now() + PAUSE).await;
    }
    // What a carrier has taken at last may still be on its way.
    sleep_until(Instant::now() + TIMEOUTS.read).await;
}

fn show(seen: &Seen) {
    println!(
        "{:36}{:>18}{:>21}{:>21}",
        "", "questions by", "small messages by", "long messages by"
    );
    print!("{:36}", "blocked");
    KINDS.iter().for_each(|_| print!("{:>7}{:>7}{:>7}", SCHEMES[0], SCHEMES[1], SCHEMES[2]));
    println!("   slowest answer");
    for (phase, (blocked, _)) in PHASES.iter().enumerate() {
        let mut what: Vec<_> = blocked
            .iter()
            .map(|(scheme, road)| format!("{scheme} {road:?}").to_lowercase())
            .collect();
        if what.is_empty() {
            what.push("nothing".into());
        }
        print!("{:36}", what.join(", "));
        for (kind, scheme) in KINDS.iter().flat_map(|kind| SCHEMES.map(|scheme| (kind, scheme))) {
            let count = seen.arrived.get(&(phase, *kind, scheme.into()));
            print!("{:>7}", count.copied().unwrap_or_default());
        }
        println!("{:>14} ms", seen.slowest[phase].as_millis());
    }
}

/// Fails if a message is neither delivered nor counted.
fn check(gossip: &ClassSnapshot, delivered: u64) -> Outcome<()> {
    let dropped: u64 = gossip.dropped.iter().map(|(_, count)| count).sum();
    let ClassSnapshot { sent, carried, uncertain, .. } = *gossip;
    println!(
        "{sent} messages sent = {carried} carried + {uncertain} uncertain + {dropped} dropped"
    );
    println!("{delivered} arrived, each once");
    let is_balanced = sent == carried + uncertain + dropped;
    match is_balanced && carried <= delivered && delivered <= carried + uncertain {
        true => Ok(()),
        false => Err("the ledger does not balance".into()),
    }
}
