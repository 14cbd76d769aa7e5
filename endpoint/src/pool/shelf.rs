//! What is idle, and where it leads. Pure: it opens, closes and awaits nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use rumormill_transport_api::{Addr, Expect, NodeId, Target};
use tokio::{sync::Semaphore, time::Instant};

use super::tally::{Ended, Tally};

/// The idle conns, and the targets that they, or those who use or want one, belong to.
///
/// Whatever is taken out of it is returned, for the caller to drop without the lock.
pub(super) struct Shelf<T> {
    by_addr: HashMap<Addr, Vec<SiteId>>,
    sites: BTreeMap<SiteId, Site>,
    /// In the order in which they became idle.
    idle: BTreeMap<Turn, Idle<T>>,
    next: u64,
    is_closed: bool,
    pub(super) tally: Tally,
}

/// A conn and what is remembered of it.
pub(super) struct Idle<T> {
    pub(super) origin: Origin,
    pub(super) since: Instant,
    pub(super) conn: T,
}

/// Where a conn comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) site: SiteId,
    /// How often its target had been forgotten when it was dialled.
    pub(super) generation: u64,
    /// Who the carrier proved that the peer is.
    pub(super) node: Option<NodeId>,
}

/// How many idle conns are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    pub(super) most: usize,
    /// Those that became idle within this time may be more.
    pub(super) warm: Duration,
}

/// What a visitor of a target is told.
#[derive(Clone)]
pub(super) struct Visited {
    pub(super) site: SiteId,
    pub(super) target: Arc<Target>,
    pub(super) places: Arc<Semaphore>,
}

pub(super) type SiteId = u64;
/// When a conn became idle, in a count of its own.
pub(super) type Turn = u64;

/// One target.
struct Site {
    target: Arc<Target>,
    places: Arc<Semaphore>,
    idle: BTreeSet<Turn>,
    /// Who the conns in use lead to, where their carrier has proved it.
    nodes: Vec<NodeId>,
    generation: u64,
    visitors: usize,
}

impl<T> Shelf<T> {
    pub(super) fn new() -> Self {
        Self {
            by_addr: HashMap::new(),
            sites: BTreeMap::new(),
            idle: BTreeMap::new(),
            next: 0,
            is_closed: false,
            tally: Tally::default(),
        }
    }

    /// Holds on to a target until [`leave`](Self::leave); `None` once the shelf is closed.
    pub(super) fn visit(&mut self, target: &Target, places: usize) -> Option<Visited> {
        if self.is_closed {
            return None;
        }
        let id = self.find(target).unwrap_or_else(|| self.add(target, places));
        let site = self.sites.get_mut(&id)?;
        site.visitors += 1;
        Some(Visited { site: id, target: site.target.clone(), places: site.places.clone() })
    }

    pub(super) fn leave(&mut self, id: SiteId) {
        if let Some(site) = self.sites.get_mut(&id) {
            site.visitors -= 1;
        }
        self.prune(id);
    }

    /// The idle conn of a target that was used last. It counts as in use.
    pub(super) fn take(&mut self, id: SiteId) -> Option<Idle<T>> {
        let site = self.sites.get_mut(&id)?;
        let idle = self.idle.remove(&site.idle.pop_last()?)?;
        site.nodes.extend(idle.origin.node);
        self.tally.taken();
        Some(idle)
    }

    /// What a conn is that is dialled now.
    pub(super) fn origin(&self, site: SiteId) -> Origin {
        let generation = self.sites.get(&site).map_or(0, |site| site.generation);
        Origin { site, generation, node: None }
    }

    /// A conn was dialled; it is in use. Tells whether it may be.
    pub(super) fn opened(&mut self, origin: &Origin) -> bool {
        if self.is_closed {
            return false;
        }
        self.tally.created();
        if let Some(site) = self.sites.get_mut(&origin.site) {
            site.nodes.extend(origin.node);
        }
        true
    }

    /// A conn that was in use is dropped.
    pub(super) fn ended(&mut self, origin: &Origin, why: Ended) {
        self.no_longer_used(origin);
        self.tally.active_ended(why);
    }

    /// A conn that was in use is used no more: it becomes idle, unless it may not. Returns what has
    /// to be dropped, be it this or another.
    pub(super) fn keep(&mut self, idle: Idle<T>, keeping: Keeping) -> Option<Idle<T>> {
        self.no_longer_used(&idle.origin);
        if let Some(why) = self.unwanted(&idle.origin) {
            self.tally.active_ended(why);
            return Some(idle);
        }
        self.tally.kept();
        self.next += 1;
        let now = idle.since;
        self.put(self.next, idle);
        self.pop_surplus(keeping, now)
    }

    /// Gives up the conn that was unused longest, if there are too many.
    pub(super) fn pop_surplus(&mut self, keeping: Keeping, now: Instant) -> Option<Idle<T>> {
        let is_cold = |since| keeping.warm <= now.saturating_duration_since(since);
        match keeping.most < self.idle.len() && self.oldest().is_some_and(is_cold) {
            true => self.pop_oldest(Ended::Displaced),
            false => None,
        }
    }

    /// How many conns are idle.
    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }

    /// Since when the conn is idle that was unused longest.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.idle.first_key_value().map(|(_, idle)| idle.since)
    }

    /// Gives up the conn that was unused longest.
    pub(super) fn pop_oldest(&mut self, why: Ended) -> Option<Idle<T>> {
        let turn = *self.idle.first_key_value()?.0;
        self.remove(turn, why)
    }

    pub(super) fn turns(&self) -> Vec<Turn> {
        self.idle.keys().copied().collect()
    }

    /// Lends an idle conn, which counts as idle meanwhile, to somebody who looks after it. Either
    /// [`restore`](Self::restore) or [`lost`](Self::lost) follows.
    pub(super) fn lend(&mut self, turn: Turn) -> Option<Idle<T>> {
        let idle = self.idle.remove(&turn)?;
        let site = self.sites.get_mut(&idle.origin.site)?;
        site.idle.remove(&turn);
        site.visitors += 1;
        Some(idle)
    }

    /// Takes a lent conn back; returns it if it is not wanted any more.
    pub(super) fn restore(&mut self, turn: Turn, idle: Idle<T>) -> Option<Idle<T>> {
        let site = idle.origin.site;
        let unwanted = match self.unwanted(&idle.origin) {
            Some(why) => {
                self.tally.idle_ended(why);
                Some(idle)
            }
            None => {
                self.put(turn, idle);
                None
            }
        };
        self.leave(site);
        unwanted
    }

    /// A lent conn was found dead.
    pub(super) fn lost(&mut self, origin: &Origin) {
        self.tally.idle_ended(Ended::Unhealthy);
        self.leave(origin.site);
    }

    /// Gives up what leads to a target, now and when what is in use comes back.
    pub(super) fn forget(&mut self, target: &Target) -> Vec<Idle<T>> {
        let Some(id) = self.find(target) else { return Vec::new() };
        self.forget_where(|site, _| site == id, Vec::from([id]), Ended::Evicted)
    }

    /// Gives up what is idle at a site, since a conn from there turned out dead in use: the others
    /// may be so too.
    pub(super) fn suspect(&mut self, id: SiteId) -> Vec<Idle<T>> {
        self.forget_where(|site, _| site == id, Vec::new(), Ended::Unhealthy)
    }

    /// Gives up what leads to a node, now and when what is in use comes back.
    pub(super) fn evict(&mut self, node: NodeId) -> Vec<Idle<T>> {
        let pinned = |site: &Site| site.target.expect == Expect::Node(node);
        let sites =
            self.sites.iter().filter(|(_, site)| pinned(site) || site.nodes.contains(&node));
        let sites: Vec<SiteId> = sites.map(|(id, _)| *id).collect();
        let pinned: BTreeSet<SiteId> =
            sites.iter().copied().filter(|id| self.sites.get(id).is_some_and(pinned)).collect();
        let is_meant = |site, proven| pinned.contains(&site) || proven == Some(node);
        self.forget_where(is_meant, sites, Ended::Evicted)
    }

    /// Gives up everything, for good.
    pub(super) fn close(&mut self) -> Vec<Idle<T>> {
        self.is_closed = true;
        std::iter::from_fn(|| self.pop_oldest(Ended::Closed)).collect()
    }

    pub(super) fn targets(&self) -> usize {
        self.sites.len()
    }

    /// Drops the idle conns that `is_meant`, and has what is in use at `sites` not kept.
    fn forget_where(
        &mut self,
        is_meant: impl Fn(SiteId, Option<NodeId>) -> bool,
        sites: Vec<SiteId>,
        why: Ended,
    ) -> Vec<Idle<T>> {
        for id in sites {
            if let Some(site) = self.sites.get_mut(&id) {
                site.generation += 1;
            }
        }
        let is_meant = |idle: &Idle<T>| is_meant(idle.origin.site, idle.origin.node);
        let meant = self.idle.iter().filter(|(_, idle)| is_meant(idle)).map(|(turn, _)| *turn);
        let meant: Vec<Turn> = meant.collect();
        meant.into_iter().filter_map(|turn| self.remove(turn, why)).collect()
    }

    /// Why a conn is not to be kept.
    fn unwanted(&self, origin: &Origin) -> Option<Ended> {
        let generation = self.sites.get(&origin.site).map(|site| site.generation);
        match generation {
            _ if self.is_closed => Some(Ended::Closed),
            Some(now) if now == origin.generation => None,
            _ => Some(Ended::Evicted),
        }
    }

    fn put(&mut self, turn: Turn, idle: Idle<T>) {
        if let Some(site) = self.sites.get_mut(&idle.origin.site) {
            site.idle.insert(turn);
            self.idle.insert(turn, idle);
        }
    }

    fn remove(&mut self, turn: Turn, why: Ended) -> Option<Idle<T>> {
        let idle = self.idle.remove(&turn)?;
        self.tally.idle_ended(why);
        if let Some(site) = self.sites.get_mut(&idle.origin.site) {
            site.idle.remove(&turn);
        }
        self.prune(idle.origin.site);
        Some(idle)
    }

    fn no_longer_used(&mut self, origin: &Origin) {
        let (Some(node), Some(site)) = (origin.node, self.sites.get_mut(&origin.site)) else {
            return;
        };
        if let Some(at) = site.nodes.iter().position(|used| *used == node) {
            site.nodes.swap_remove(at);
        }
    }

    fn find(&self, target: &Target) -> Option<SiteId> {
        let is_it = |id: &&SiteId| {
            let site = self.sites.get(id).map(|site| &*site.target);
            site.is_some_and(|known| {
                (&known.expect, &known.from, known.early)
                    == (&target.expect, &target.from, target.early)
            })
        };
        self.by_addr.get(&target.addr)?.iter().find(is_it).copied()
    }

    fn add(&mut self, target: &Target, places: usize) -> SiteId {
        self.next += 1;
        let site = Site {
            target: Arc::new(target.clone()),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            idle: BTreeSet::new(),
            nodes: Vec::new(),
            generation: 0,
            visitors: 0,
        };
        self.by_addr.entry(target.addr.clone()).or_default().push(self.next);
        self.sites.insert(self.next, site);
        self.next
    }

    /// Forgets a target that nobody uses or wants, and that nothing idle leads to.
    fn prune(&mut self, id: SiteId) {
        let Entry::Occupied(site) = self.sites.entry(id) else { return };
        if 0 < site.get().visitors || !site.get().idle.is_empty() {
            return;
        }
        let addr = &site.remove().target.addr;
        if let Some(ids) = self.by_addr.get_mut(addr) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_addr.remove(addr);
            }
        }
    }
}

#[cfg(test)]
mod tests;
