//! Who can reach whom: partitions of slots, carried out as partitions of hosts.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_transport_mem::Network;

use crate::nodes::scenario::Slot;

/// Something that lets nothing pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Between these and all others.
    Around(BTreeSet<Slot>),
    /// From one to another.
    Between(Slot, Slot),
    /// Around one that is paused.
    Paused(Slot),
    /// Around one whose machine has ended.
    Dead(Slot),
}

/// Hosts, who is at them, and what is cut.
#[derive(Debug)]
pub(crate) struct Roads {
    network: Network,
    hosts: BTreeMap<Slot, String>,
    cuts: Vec<Cut>,
    closed: BTreeSet<(String, String)>,
}

impl Cut {
    fn closes(&self, from: Slot, to: Slot) -> bool {
        match self {
            Self::Around(slots) => slots.contains(&from) != slots.contains(&to),
            Self::Between(one, other) => (*one, *other) == (from, to),
            Self::Paused(slot) | Self::Dead(slot) => *slot == from || *slot == to,
        }
    }
}

impl Roads {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, hosts: BTreeMap::new(), cuts: Vec::new(), closed: BTreeSet::new() }
    }

    pub(crate) fn host(&self, slot: Slot) -> Option<&String> {
        self.hosts.get(&slot)
    }

    /// Somebody starts at a host; whoever was there before has it no more.
    pub(crate) fn settle(&mut self, slot: Slot, host: &str) {
        self.hosts.retain(|_, taken| taken != host);
        self.hosts.insert(slot, host.into());
        let hosts = &self.hosts;
        self.cuts.retain(|cut| match cut {
            Cut::Dead(dead) | Cut::Paused(dead) => *dead != slot && hosts.contains_key(dead),
            Cut::Around(_) | Cut::Between(..) => true,
        });
        self.apply();
    }

    pub(crate) fn cut(&mut self, cut: Cut) {
        self.cuts.push(cut);
        self.apply();
    }

    /// Ends what was cut, as far as it `is_over`.
    pub(crate) fn mend(&mut self, is_over: impl Fn(&Cut) -> bool) {
        self.cuts.retain(|cut| !is_over(cut));
        self.apply();
    }

    fn apply(&mut self) {
        let mut closed = BTreeSet::new();
        for (from, here) in &self.hosts {
            let others = self.hosts.iter().filter(|(to, _)| *to != from);
            let shut = others.filter(|(to, _)| self.cuts.iter().any(|cut| cut.closes(*from, **to)));
            closed.extend(shut.map(|(_, there)| (here.clone(), there.clone())));
        }
        self.closed.difference(&closed).for_each(|(from, to)| self.network.heal(from, to));
        closed.difference(&self.closed).for_each(|(from, to)| self.network.partition(from, to));
        self.closed = closed;
    }
}
