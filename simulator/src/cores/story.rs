//! A random row of faults, and the calm after them.

use std::{collections::BTreeSet, time::Duration};

use rand::RngExt;
use rumormill_gossip::{Config, Input, Profile};

use crate::cores::{
    coverage::Coverage,
    host::Host,
    keys::place,
    link::{Link, Wall},
    net::{Net, SECOND},
    watch::{Seen, Tamper},
};

/// After so long without faults, all know all that are there, and nobody of them is suspected.
pub const GRACE: Duration = Duration::from_secs(60);
/// How long the calm is watched after that.
const CALM: Duration = Duration::from_secs(20);
/// Hosts of a story, at most.
const SIZE: usize = 15;
/// Those that neither crash nor leave, so that there is somebody to come back to.
const ROOTS: usize = 2;

/// Plays the story of a seed, and tells what happened in it.
///
/// # Panics
/// If anything happens that must not; with the seed, which is all that it takes to see it again.
pub fn play(seed: u64) -> Coverage {
    told(seed, None).coverage
}

/// The network at the end of the story of a seed.
///
/// # Panics
/// If anything happens that must not, unless somebody tampers.
#[must_use]
pub fn told(seed: u64, tamper: Option<Tamper>) -> Net {
    let size = 3 + (seed % 10) as usize;
    let config = match seed / 10 % 4 {
        0 => Config::local(),
        1 => Config { stream_probe: false, ..Config::lan() },
        _ => Config::lan(),
    };
    let mut net = Net::settled(seed, size, config);
    net.tamper = tamper;
    (net.wakes, net.coverage) = (0, Coverage::default());
    let faults = net.rng.random_range(15..50);
    for _ in 0..faults {
        net.befall();
        let gap = net.rng.random_range(10..2000);
        net.run(Duration::from_millis(gap));
        net.seek();
    }
    net.calm();
    net
}

impl Net {
    /// Lets one random thing happen.
    fn befall(&mut self) {
        let at = self.rng.random_range(0..self.hosts.len());
        let mortal = (ROOTS <= at).then_some(at);
        let (is_up, is_running) = (self.hosts[at].is_up, self.hosts[at].is_running());
        match (self.rng.random_range(0..16), mortal) {
            (0 | 1, Some(at)) if is_up => self.crash(at),
            (0..=6, Some(at)) if !is_up => self.restart(at),
            (2 | 3, Some(at)) if is_running => self.say_goodbye(at),
            (4 | 5, _) if is_running => self.pause(at),
            (4..=6, _) if is_up => self.resume(at),
            (7, _) => self.link.loss = self.rng.random_range(0.0..0.4),
            (8, _) => self.link.delay = Duration::from_millis(self.rng.random_range(1..200)),
            (9, _) => self.link.doubled = self.rng.random_range(0.0..0.3),
            (10, _) => self.link.held = self.rng.random_range(0.0..0.3),
            (11, _) => self.part(),
            (12 | 14, _) => self.change(at),
            (13, _) if self.hosts.len() < SIZE => {
                self.add();
                self.coverage.joined += 1;
            }
            _ => self.mend(),
        }
    }

    fn say_goodbye(&mut self, at: usize) {
        self.coverage.leaving += 1;
        self.input(at, Input::Leave(2 * SECOND));
    }

    fn part(&mut self) {
        let is_deaf = self.rng.random_bool(0.5);
        self.wall = if is_deaf { Wall::Deaf(1) } else { Wall::Closed };
        let share = if is_deaf { 0.2 } else { 0.5 };
        for at in 0..self.hosts.len() {
            self.hosts[at].island = u8::from(self.rng.random_bool(share));
        }
    }

    fn mend(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.island = 0);
    }

    fn change(&mut self, at: usize) {
        if self.hosts[at].is_running() {
            let metadata = self.rng.random::<[u8; 16]>().to_vec().into();
            let name = format!("node-{at}").into();
            self.coverage.changed += 1;
            self.input(at, Input::Changed(Profile { name, metadata, ..Profile::default() }));
        }
    }

    /// Those that know nobody try to join, as whoever drives a core does.
    fn seek(&mut self) {
        for at in 0..self.hosts.len() {
            let host = &self.hosts[at];
            if host.is_running() && !host.is_leaving && host.swim.live() == 0 {
                let by = self.rng.random_range(0..ROOTS);
                self.join(at, by);
            }
        }
    }

    /// Ends all faults, and looks at what becomes of the cluster.
    fn calm(&mut self) {
        self.link = Link::default();
        self.mend();
        for at in 0..self.hosts.len() {
            if self.hosts[at].is_up && !self.hosts[at].is_running() {
                self.resume(at);
            }
        }
        let end = self.now + GRACE;
        while self.now < end {
            self.run(SECOND);
            self.seek();
        }
        self.is_calm = true;
        self.examine();
        self.run(CALM);
        self.examine();
    }

    /// Shows the watch whom everybody takes for members.
    fn examine(&mut self) {
        let is_there = |(at, host): (usize, &Host)| host.is_running().then_some(at);
        let all: BTreeSet<usize> = self.hosts.iter().enumerate().filter_map(is_there).collect();
        for &host in &all {
            let there = all.iter().copied().filter(|at| *at != host).collect();
            let members = self.hosts[host].swim.members();
            let here = members.filter(|member| member.standing().is_here());
            let held = here.filter_map(|member| place(member.record().node)).collect();
            self.see(Seen::Calm { host, held, there });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_has_one_story() {
        let outcome = |seed| {
            let net = told(seed, None);
            (net.log, net.traffic, net.coverage)
        };
        assert!(outcome(7) == outcome(7));
        assert!(outcome(7) != outcome(17));
    }
}
