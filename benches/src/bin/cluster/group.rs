//! A cluster of processes, and what its nodes have said of each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use rumormill_transport_api::NodeId;
use rustix::process::Signal;

use crate::{
    Outcome,
    node::Node,
    options::Mix,
    said::{Said, What, now},
};

/// A cluster of processes, and what its nodes have said of each other.
pub(crate) struct Group<'a> {
    mix: Mix,
    folder: &'a Path,
    pub(crate) nodes: Vec<Node>,
    sender: SyncSender<Said>,
    said: Receiver<Said>,
    /// Whom each node holds to be there, since when.
    views: BTreeMap<usize, BTreeMap<NodeId, u64>>,
    /// Who was held for failed, and when, by whom.
    pub(crate) failed: Vec<(NodeId, u64, usize)>,
    met: BTreeSet<usize>,
    dead: BTreeSet<usize>,
}

impl<'a> Group<'a> {
    /// So many nodes, which listen and know nobody.
    pub(crate) fn start(mix: Mix, folder: &'a Path, count: usize) -> Outcome<Self> {
        let (sender, said) = sync_channel(WAITING);
        let mut group = Self {
            mix,
            folder,
            nodes: Vec::new(),
            sender,
            said,
            views: BTreeMap::new(),
            failed: Vec::new(),
            met: BTreeSet::new(),
            dead: BTreeSet::new(),
        };
        for _ in 0..count {
            group.add()?;
        }
        group.wait("nodes did not start", PATIENCE, |group| {
            group.nodes.iter().all(|node| node.place.is_some())
        })?;
        Ok(group)
    }

    /// The same, and all of them see all others.
    pub(crate) fn joined(mix: Mix, folder: &'a Path, count: usize) -> Outcome<Self> {
        let mut group = Self::start(mix, folder, count)?;
        for node in 1..count {
            group.join(node, 0)?;
        }
        group.wait("nodes did not join", PATIENCE, Self::is_whole)?;
        Ok(group)
    }

    /// One more, which listens; its place among the nodes.
    pub(crate) fn add_one(&mut self) -> Outcome<usize> {
        self.add()?;
        self.wait("a node did not start", PATIENCE, |group| {
            group.nodes.iter().all(|node| node.place.is_some())
        })?;
        Ok(self.nodes.len() - 1)
    }

    fn add(&mut self) -> Outcome<()> {
        let number = NUMBER.fetch_add(1, Relaxed);
        self.nodes.push(Node::start(number, self.mix, self.folder, self.sender.clone())?);
        self.views.insert(number, BTreeMap::new());
        Ok(())
    }

    /// Has a node join another; both are places among the nodes.
    pub(crate) fn join(&mut self, node: usize, whom: usize) -> Outcome<()> {
        let place = self.nodes[whom].place.as_ref().and_then(|(_, addrs)| addrs.first());
        let addr = place.ok_or("it does not listen")?.clone();
        self.nodes[node].join(&addr)
    }

    /// The same, until they have met.
    pub(crate) fn meet(&mut self, node: usize, whom: usize) -> Outcome<()> {
        self.join(node, whom)?;
        let number = self.nodes[node].number;
        self.wait("two nodes did not meet", PATIENCE, |group| group.met.contains(&number))
    }

    /// Kills a node; tells who it was, and when it died.
    pub(crate) fn kill(&mut self, node: usize) -> Outcome<(NodeId, u64)> {
        let node = self.nodes.remove(node);
        self.views.remove(&node.number);
        self.dead.insert(node.number);
        let at = now();
        node.signal(Signal::KILL)?;
        Ok((node.node().ok_or("it has not said who it is")?, at))
    }

    /// Whether all see all others, and nobody else.
    pub(crate) fn is_whole(&self) -> bool {
        self.views.values().all(|view| view.len() + 1 == self.nodes.len())
    }

    /// When the last of what all see now was seen.
    pub(crate) fn seen_last(&self) -> u64 {
        self.views.values().flat_map(BTreeMap::values).copied().max().unwrap_or_default()
    }

    /// Listens until something is so.
    pub(crate) fn wait(
        &mut self,
        otherwise: &str,
        patience: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Outcome<()> {
        let until = now() + patience.as_micros() as u64;
        while !is_so(self) {
            if !self.listen(until)? {
                return Err(format!("{}: {otherwise} within {patience:?}", self.mix.name()).into());
            }
        }
        Ok(())
    }

    /// Listens for some time.
    pub(crate) fn listen_for(&mut self, span: Duration) -> Outcome<()> {
        let until = now() + span.as_micros() as u64;
        while self.listen(until)? {}
        Ok(())
    }

    /// Takes what is said next; whether there was anything until then.
    fn listen(&mut self, until: u64) -> Outcome<bool> {
        let left = Duration::from_micros(until.saturating_sub(now()));
        let Said { by, at, what } = match self.said.recv_timeout(left) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept"),
        };
        match what {
            What::Listening(node, addrs) => {
                let place = Some((node, addrs));
                self.nodes.iter_mut().filter(|it| it.number == by).for_each(|it| {
                    it.place.clone_from(&place);
                });
            }
            What::Met => _ = self.met.insert(by),
            What::Unmet(why) => return Err(format!("a node met nobody: {why}").into()),
            What::Here(node) => self.view(by, |view| _ = view.insert(node, at)),
            What::Suspected(_) => (),
            What::Failed(node) => {
                self.failed.push((node, at, by));
                self.view(by, |view| _ = view.remove(&node));
            }
            What::Left(node) => self.view(by, |view| _ = view.remove(&node)),
            What::Ended if self.dead.remove(&by) => (),
            What::Ended => return Err("a node has ended".into()),
        }
        Ok(true)
    }

    fn view(&mut self, by: usize, change: impl FnOnce(&mut BTreeMap<NodeId, u64>)) {
        if let Some(view) = self.views.get_mut(&by) {
            change(view);
        }
    }
}

/// Numbers for all nodes of this process.
static NUMBER: AtomicUsize = AtomicUsize::new(0);
/// What is said and waits; nodes that say more wait.
const WAITING: usize = 1024;
/// How long starting, meeting and joining may take before that is an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
