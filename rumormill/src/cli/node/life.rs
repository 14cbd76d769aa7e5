//! What a node does from its start to its end.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use rumormill::{
    Node,
    config::Difference,
    endpoint::{Inbox, Message},
    gossip::{Event, Heard, MemberInfo, Rumors, Standing},
    node::Farewell,
    transport::{NodeId, with_causes},
};
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    error::Error,
    hooks::{Hooks, Reload},
    journal::Journal,
    manager::Manager,
    settings::{self, Settings},
    told::Told,
    watch::Watch,
};
use crate::cli::{
    Result, output,
    signals::{Hangups, Signals},
};

/// A node, and everybody who tells it what to do or is told what it does.
pub(super) struct Life {
    pub(super) node: Node,
    pub(super) inbox: Inbox,
    pub(super) events: Receiver<Event>,
    pub(super) rumors: Rumors,
    pub(super) settings: Settings,
    pub(super) watch: Watch,
    pub(super) hooks: Hooks,
    pub(super) signals: Signals,
    pub(super) hangups: Hangups,
    pub(super) manager: Manager,
    pub(super) journal: Journal,
    /// Members that were there when somebody began to listen: that they join may be told, too.
    pub(super) known: BTreeSet<NodeId>,
    pub(super) has_news: bool,
}

/// What a reload has changed, or what is wrong, a line each.
pub(in crate::cli) type Reloaded = std::result::Result<Vec<Difference>, String>;

/// Why a node is about to end.
enum End {
    /// Somebody else has its key.
    Conflict { session: u64 },
    /// It was told to leave, and has left.
    Left,
    /// A signal says so.
    Told,
}

impl Life {
    pub(super) async fn run(mut self) -> Result<ExitCode> {
        self.begin();
        let end = self.live().await;
        self.manager.stopping();
        if let End::Told = end {
            let within = self.node.config().leave.deadline;
            output::note(format_args!(
                "leaving the cluster within {within:?}; a second signal ends the node at once"
            ));
        }
        let Self { node, mut signals, journal, .. } = self;
        let farewell = tokio::select! {
            biased;
            () = signals.next() => None,
            farewell = node.leave() => Some(farewell),
        };
        journal.close();
        let farewell = farewell.ok_or(Error::CutShort)?;
        tell_farewell(&farewell);
        match end {
            End::Conflict { session } => Err(Error::KeyInUse { node: node.id(), session }.into()),
            End::Left | End::Told => Ok(ExitCode::SUCCESS),
        }
    }

    fn begin(&mut self) {
        let (node, config) = (self.node.id(), self.node.config());
        let (name, cluster) = (&*config.node.name, self.node.cluster());
        self.journal.tell(&Told::Started { node, name, cluster });
        for addr in self.node.addresses() {
            self.journal.tell(&Told::Listening(&addr));
        }
        #[cfg(feature = "broker")]
        for addr in self.node.broker_addresses() {
            output::note(format_args!("its broker listens on {addr}"));
        }
        let members = self.node.members();
        for member in members.iter().filter(|member| member.standing.is_here()) {
            self.known.insert(member.node);
            let (node, info) = (member.node, Some(member));
            self.journal.tell(&Told::Member { what: "joined", node, by: None, info });
        }
        self.has_news = true;
    }

    async fn live(&mut self) -> End {
        let mut looks = every(LOOK);
        let mut pulses = self.manager.pulse().map(every);
        let mut is_ready = false;
        loop {
            tokio::select! {
                () = self.signals.next() => return End::Told,
                () = self.node.left() => return End::Left,
                () = self.node.ready(), if !is_ready => {
                    is_ready = true;
                    self.journal.tell(&Told::Ready);
                    self.manager.ready();
                    self.tell_status();
                }
                event = self.events.recv() => {
                    if let Some(end) = self.on_events(event) {
                        return end;
                    }
                }
                Some(heard) = self.rumors.recv() => self.on_rumor(&heard),
                Some(message) = self.inbox.recv() => self.on_message(&message),
                () = self.hangups.next() => drop(self.reload_aloud(is_ready).await),
                Some(reload) = self.hooks.next() => self.on_reload(reload, is_ready).await,
                () = tick(&mut pulses) => self.manager.alive(),
                _ = looks.tick() => self.on_look(is_ready),
                is_due = self.watch.is_due() => if is_due {
                    drop(self.reload_aloud(is_ready).await);
                },
            }
        }
    }

    /// All that has happened until now, so that members are looked up once.
    fn on_events(&mut self, first: std::result::Result<Event, RecvError>) -> Option<End> {
        let members = self.node.members();
        let mut next = match first {
            Ok(event) => Ok(event),
            Err(RecvError::Lagged(count)) => Err(TryRecvError::Lagged(count)),
            Err(RecvError::Closed) => return Some(End::Left),
        };
        // As many as there were room for, so that others get their turn.
        for _ in 0..BATCH {
            match next {
                Ok(Event::IdentityConflict { session, .. }) => {
                    return Some(End::Conflict { session });
                }
                Ok(event) => self.on_event(&event, &members),
                Err(TryRecvError::Lagged(count)) => self.journal.tell(&Told::Missed(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
            next = self.events.try_recv();
        }
        None
    }

    fn on_event(&mut self, event: &Event, members: &[MemberInfo]) {
        self.has_news = true;
        let (what, node, by) = match *event {
            Event::Joined(node) if self.known.remove(&node) => return,
            Event::Joined(node) => ("joined", node, None),
            Event::Suspected { node, by } => ("suspected", node, Some(by)),
            Event::Cleared(node) => ("cleared", node, None),
            Event::Failed { node, by } => ("failed", node, Some(by)),
            Event::Returned(node) => ("returned", node, None),
            Event::Updated(node) => ("updated", node, None),
            Event::Described(node) => ("described", node, None),
            Event::Left(node) => ("left", node, None),
            Event::NameConflict { ref name, holder, rival } => {
                return self.journal.tell(&Told::NameConflict { name, holder, rival });
            }
            Event::IdentityConflict { .. } => return,
        };
        let at = members.binary_search_by_key(&node, |member| member.node).ok();
        let info = at.and_then(|at| members.get(at));
        self.journal.tell(&Told::Member { what, node, by, info });
    }

    fn on_rumor(&mut self, heard: &Heard) {
        self.journal.tell(&match heard {
            Heard::Rumor(rumor) => Told::Rumor(rumor),
            Heard::Gap(gap) => Told::Gap(gap),
            Heard::Missed(count) => Told::Missed(*count),
        });
    }

    /// A question is answered with its own bytes.
    fn on_message(&mut self, message: &Message) {
        self.journal.tell(&Told::Message(message));
        self.hooks.mirror(message);
        if message.question.is_some() {
            // Dropped by the endpoint, counted there; whoever asked will ask again, or not.
            self.node.reply(message, message.bytes.clone()).unwrap_or_default();
        }
    }

    fn on_look(&mut self, is_ready: bool) {
        if self.has_news && is_ready {
            self.tell_status();
        }
        let files = self.settings.files(&self.node.config());
        self.settings.look(&mut self.watch, files);
    }

    fn tell_status(&mut self) {
        self.has_news = false;
        if self.manager.is_there() {
            let members = self.node.members();
            let count = |standing| members.iter().filter(|it| it.standing == standing).count();
            let [alive, suspected, failed] =
                [Standing::Alive, Standing::Suspected, Standing::Failed].map(count);
            let status =
                format!("other members: {alive} alive, {suspected} suspected, {failed} failed");
            self.manager.status(&status);
        }
    }

    async fn reload_aloud(&mut self, is_ready: bool) -> Reloaded {
        if is_ready {
            self.manager.reloading();
        }
        let reloaded = self.reload().await;
        match &reloaded {
            Ok(changes) => tell_changes(changes),
            Err(text) => text.lines().for_each(output::error),
        }
        // Whoever waits for the first readiness goes on waiting.
        if is_ready {
            self.manager.ready();
            self.tell_status();
        }
        reloaded
    }

    /// The administration is told what comes of it, besides.
    async fn on_reload(&mut self, reload: Reload, is_ready: bool) {
        if reload.is_dry_run() {
            return reload.answer(self.rehearse().await);
        }
        let done = self.reload_aloud(is_ready).await;
        reload.answer(done);
    }

    /// What a reload would change.
    async fn rehearse(&self) -> Reloaded {
        let loaded = self.settings.rehearse().await?;
        self.node.rehearse(&loaded).map_err(|error| with_causes(&error))
    }

    /// Reads the configuration and takes it over, or tells why not: nothing has changed then.
    async fn reload(&mut self) -> Reloaded {
        let before = self.settings.files(&self.node.config());
        let loaded = self.settings.reread(&mut self.watch, before.clone()).await?;
        let changes = self.node.reload(&loaded).await.map_err(|error| with_causes(&error))?;
        settings::apply(&loaded.config.log);
        let files = self.settings.files(&loaded.config);
        if files != before {
            self.settings.watch_others(&mut self.watch, files).await;
        }
        Ok(changes)
    }
}

pub(in crate::cli) fn tell_changes(changes: &[Difference]) {
    if changes.is_empty() {
        output::note("reloaded: no key is different, and the files that they name were read again");
    }
    for Difference { key, from, to } in changes {
        let [from, to] =
            [from, to].map(|it| it.as_ref().map_or_else(|| "none".into(), ToString::to_string));
        output::note(format_args!("reloaded: {key}: {from} -> {to}"));
    }
}

fn tell_farewell(farewell: &Farewell) {
    let Farewell { leave, report, .. } = farewell;
    let confirmed = match leave {
        Some(leave) => format!("{} of {} that were asked", leave.confirmed, leave.asked),
        None => "nobody: membership had ended".into(),
    };
    let unsent = report.unsent;
    #[cfg(feature = "broker")]
    if let Some(report) = &farewell.broker {
        crate::cli::remainder::tell(report);
    }
    output::note(format_args!(
        "stopped; told by goodbye: {confirmed}; messages not sent: {unsent}"
    ));
}

pub(in crate::cli) fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

pub(in crate::cli) async fn tick(pulses: &mut Option<Interval>) {
    match pulses {
        Some(pulses) => drop(pulses.tick().await),
        None => std::future::pending().await,
    }
}

/// How often files are looked at, and the status is told.
const LOOK: Duration = Duration::from_secs(1);
/// Events that are told in a row.
const BATCH: usize = 256;
