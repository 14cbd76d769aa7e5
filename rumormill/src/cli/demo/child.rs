//! `rumormill demo-member`: a node of the play, in a process of its own.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
    process::ExitCode,
    thread,
    time::Duration,
};

use rumormill::{
    Addr, Node,
    config::{Admission, Config, Loaded, Preset},
    endpoint::{Inbox, Message, RequestError},
    gossip::{Event, Heard, Standing},
    identity::SecretKey,
    transport::{NodeId, Timeouts, with_causes},
};
use rumormill_transport_conformance::Road;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Error,
    chaos::Chaos,
    faults::{self, Switches},
    folder,
    order::{Order, Start},
    said::{Said, What},
};
use crate::cli::{self, Result, output};

/// Is a node, as its input tells it, until that ends.
pub(crate) async fn run() -> Result<ExitCode> {
    let mut orders = orders();
    let Some(Order::Start(start)) = orders.recv().await else {
        return Err(Error::NotAlone.into());
    };
    let folder = start.folder.clone();
    let ended = live(start, &mut orders).await;
    match ended {
        Ok(End::Left) => return Ok(ExitCode::SUCCESS),
        // Whoever has started this process is gone, and cannot clean up any more.
        Ok(End::Alone) | Err(cli::Error::Output { .. }) => folder::remove(&folder),
        Err(_) => (),
    }
    match ended {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error @ cli::Error::Output { .. }) => Err(error),
        Err(error) => {
            say(What::Trouble(with_causes(&error)))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its input has ended.
    Alone,
    /// It was told to say goodbye.
    Left,
}

async fn live(start: Start, orders: &mut mpsc::Receiver<Order>) -> Result<End> {
    let (mut member, mut inbox) = Member::start(start).await?;
    let (mut events, mut rumors) = (member.node.events(), member.node.rumors());
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let addrs = member.node.addresses().iter().map(ToString::to_string).collect();
    say(What::Ready { addrs })?;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Leave) => return member.leave().await,
                Some(order) => member.obey(order).await?,
                None => return Ok(End::Alone),
            },
            event = events.recv() => match event {
                Ok(event) => member.tell(&event)?,
                Err(RecvError::Lagged(missed)) => {
                    say(What::Trouble(format!("{missed} events were missed")))?;
                }
                Err(RecvError::Closed) => say(What::Trouble("membership has ended".into()))?,
            },
            Some(heard) = rumors.recv() => member.hear(heard)?,
            Some(message) = inbox.recv() => member.answer(&message),
            Some(done) = member.doing.join_next() => member.done(done.unwrap_or_else(|error| {
                What::Trouble(error.to_string())
            }))?,
            _ = ticks.tick(), if member.asking.is_some() => member.ask(),
        }
    }
}

struct Member {
    node: Node,
    switches: Switches,
    /// The others' names.
    names: Vec<(String, NodeId)>,
    asking: Option<NodeId>,
    is_hushing: bool,
    /// Questions that wait for their answers, and joins.
    doing: JoinSet<What>,
}

impl Member {
    async fn start(start: Start) -> Result<(Self, Inbox)> {
        let names = start.nodes.iter().map(|(name, id)| Ok((name.clone(), id.parse()?)));
        let names: Vec<(String, NodeId)> =
            names.collect::<std::result::Result<_, rumormill::transport::Error>>()?;
        let config = configured(&start, names.iter().map(|(_, node)| *node).collect())?;
        let key = config.node.identity.as_ref().map(SecretKey::load).transpose()?;
        let id = key.map_or(NodeId([0; 32]), |key| key.node());
        let (registry, switches) = faults::registry(start.chaos, id)?;
        let loaded = Loaded::of(config, &registry).map_err(Error::from)?;
        let (node, inbox) = Node::start_with(registry, &loaded).await.map_err(Error::from)?;
        let doing = JoinSet::new();
        Ok((Self { node, switches, names, asking: None, is_hushing: false, doing }, inbox))
    }

    async fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Ask { whom } => self.asking = self.node_of(&whom),
            Order::Block(scheme) => {
                self.switches.set(&scheme, Road::Blackholed);
                return self.count("blocked".into());
            }
            Order::Count(when) => return self.count(when),
            Order::Hush => {
                (self.asking, self.is_hushing) = (None, true);
                return self.hush();
            }
            Order::Join(addrs) => {
                let node = self.node.clone();
                self.doing.spawn(join(node, addrs));
            }
            Order::Open => self.switches.open(),
            Order::Tell(text) => return self.broadcast(text).await,
            Order::Leave | Order::Start(_) => say(What::Trouble("misunderstood".into()))?,
        }
        Ok(())
    }

    async fn broadcast(&self, text: String) -> Result<()> {
        let said = Said::now(What::Joined);
        let what = match self.node.broadcast(text.clone()).await {
            Ok(id) => What::Told { number: id.number, text },
            Err(error) => What::Trouble(with_causes(&error)),
        };
        output::line(Said { what, ..said }.to_line())
    }

    fn count(&self, when: String) -> Result<()> {
        let carriers = self.node.endpoint().snapshot().carriers;
        let bytes = carriers.into_iter().map(|it| (it.scheme.into(), it.bytes_in)).collect();
        say(What::Carried { when, bytes })
    }

    /// Asks once more, unless too much waits already.
    fn ask(&mut self) {
        if let Some(whom) = self.asking.filter(|_| self.doing.len() < MOST_QUESTIONS) {
            let node = self.node.clone();
            self.doing.spawn(ask(node, whom));
        }
    }

    fn done(&self, what: What) -> Result<()> {
        say(what)?;
        self.hush()
    }

    fn hush(&self) -> Result<()> {
        match self.is_hushing && self.doing.is_empty() {
            true => say(What::Hushed),
            false => Ok(()),
        }
    }

    fn answer(&self, message: &Message) {
        // One that is lost is asked again, or missed by whoever counts.
        self.node.reply(message, message.bytes.clone()).unwrap_or_default();
    }

    fn tell(&self, event: &Event) -> Result<()> {
        let (of, to) = match event {
            Event::Joined(node) | Event::Returned(node) | Event::Cleared(node) => {
                (*node, Standing::Alive)
            }
            Event::Suspected { node, .. } => (*node, Standing::Suspected),
            Event::Failed { node, .. } => (*node, Standing::Failed),
            Event::Left(node) => (*node, Standing::Left),
            Event::IdentityConflict { .. } => {
                return say(What::Trouble("another process has its key".into()));
            }
            _ => return Ok(()),
        };
        say(What::Turned { node: self.name_of(of), to })
    }

    fn hear(&self, heard: Heard) -> Result<()> {
        say(match heard {
            Heard::Rumor(rumor) => What::Heard {
                origin: self.name_of(rumor.origin),
                number: rumor.number,
                text: String::from_utf8_lossy(&rumor.bytes).into_owned(),
            },
            Heard::Gap(gap) => What::Lost(gap.to - gap.from + 1),
            Heard::Missed(count) => What::Lost(count),
        })
    }

    async fn leave(&self) -> Result<End> {
        let what = match self.node.leave().await.leave {
            Some(report) => What::Left { asked: report.asked, confirmed: report.confirmed },
            None => What::Trouble("membership had ended before the goodbye".into()),
        };
        say(what)?;
        Ok(End::Left)
    }

    fn node_of(&self, name: &str) -> Option<NodeId> {
        self.names.iter().find(|(it, _)| it == name).map(|(_, node)| *node)
    }

    fn name_of(&self, node: NodeId) -> String {
        let name = self.names.iter().find(|(_, it)| *it == node);
        name.map_or_else(|| node.to_string(), |(name, _)| name.clone())
    }
}

fn configured(start: &Start, nodes: BTreeSet<NodeId>) -> Result<Config> {
    let Start { cluster, name, folder, listen, chaos, .. } = start;
    let mut config = Config::preset(cluster, Admission::Nodes(nodes), Preset::Local);
    config.node.name = name.as_str().into();
    config.node.identity = Some(folder.join(format!("{name}.key")));
    config.reach.directories = vec![folder.clone()];
    config.listen =
        listen.iter().map(|addr| addr.parse()).collect::<std::result::Result<_, _>>()?;
    config.endpoint.timeouts = timeouts(*chaos);
    // There and back.
    config.gossip.probe_timeout += 2 * chaos.delay;
    Ok(config)
}

/// Shorter than for a data centre, since nobody wants to watch for long: a road that swallows everything
/// is left after a second.
fn timeouts(chaos: Chaos) -> Timeouts {
    let slower = 4 * chaos.delay;
    Timeouts {
        dial: Duration::from_millis(500) + slower,
        read: Duration::from_secs(1) + slower,
        write: Duration::from_secs(1) + slower,
    }
}

/// Joins whoever is at the first address where somebody is; looks again where nobody was, since what one
/// says first may be lost.
async fn join(node: Node, addrs: Vec<String>) -> What {
    let mut why = "nobody was named".to_owned();
    for _ in 0..ROUNDS {
        for addr in addrs.iter().filter_map(|addr| addr.parse::<Addr>().ok()) {
            match node.join(&addr).await {
                Ok(_) => return What::Joined,
                Err(error) => why = with_causes(&error),
            }
        }
        sleep_until(Instant::now() + ROUND).await;
    }
    What::Trouble(format!("it joins nobody: {why}"))
}

/// Asks, once more where it is open whether the question has arrived, and compares the answer.
async fn ask(node: Node, whom: NodeId) -> What {
    let (since, question) = (Instant::now(), vec![b'?'; QUESTION]);
    let mut times = 0;
    loop {
        times += 1;
        // A datagram that is lost is nobody's but the asker's to send again.
        match node.endpoint().request_idempotent(whom, question.clone(), PATIENCE).await {
            Ok(answer) if answer == question => {
                return What::Answered { micros: since.elapsed().as_micros() as u64, times };
            }
            Ok(_) => return What::Unanswered("the answer is to something else".into()),
            Err(RequestError::Uncertain) if times < MOST_TIMES => (),
            Err(error) => return What::Unanswered(with_causes(&error)),
        }
    }
}

fn say(what: What) -> Result<()> {
    output::line(Said::now(what).to_line())
}

/// What the input tells.
fn orders() -> mpsc::Receiver<Order> {
    let (sender, receiver) = mpsc::channel(ORDERS);
    thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(std::result::Result::ok);
        for order in lines.map_while(|line| Order::parse(&line)) {
            // Nobody waits for more once the node is gone.
            if sender.blocking_send(order).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Orders that wait; whoever gives more waits too.
const ORDERS: usize = 64;
/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(10);
/// Questions that wait for their answers at a time; no more are asked meanwhile.
const MOST_QUESTIONS: usize = 1024;
/// Bytes of a question, and of its answer.
const QUESTION: usize = 200;
/// How often all addresses are tried, and what is between.
const ROUNDS: usize = 20;
const ROUND: Duration = Duration::from_millis(200);
/// How often a question is asked, at most, and how long it waits each time: more than it takes to find
/// another road.
const MOST_TIMES: u64 = 10;
const PATIENCE: Duration = Duration::from_millis(2500);
