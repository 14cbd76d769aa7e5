//! Whether rumors reach all, and whether they and the news of members let each other through.

use std::{collections::BTreeSet, time::Duration};

use rand::RngExt;
use rumormill_gossip::{Config, Event, RumorId, Time};

use crate::{
    cores::{Net, id},
    figures::{Options, Report, sample::Sample},
};

/// Bytes of a rumor.
const LEN: usize = 1024;
const LOSS: f64 = 0.1;
/// Between two rumors.
const PAUSE: Duration = Duration::from_millis(100);
/// How long is waited for what was said last.
const DRAIN: Duration = Duration::from_secs(20);
/// A member is known to all, and a rumor to all, within this.
const EXPECTED: Duration = Duration::from_secs(10);

/// What happens at once.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    has_rumors: bool,
    has_churn: bool,
}

/// What became of it.
#[derive(Default)]
struct Figures {
    said: usize,
    /// Times until all had heard a rumor.
    heard: Sample,
    /// Rumors that somebody had not heard at the end.
    missed: usize,
    gaps: usize,
    joined: usize,
    /// Times until all knew a new member.
    known: Sample,
    /// Failures reported of members that were there.
    falsely: usize,
    /// Bytes a member and second, sealed.
    bytes: f64,
}

pub(super) fn table(options: &Options) -> Report {
    let (size, seconds) = options.pick((1000, 20), (100, 5));
    let title = format!("1 KiB from a random member every 100 ms, among {size}");
    let mut report = Report::new("rumors", &title);
    report.say("");
    report.say("One packet in ten is lost (lan). With churn, each second a member crashes and a new one joins. Seconds until all that stayed have heard a rumor, and until they know a new member: mean and worst; expected: each rumor heard by all, each new member known to all, within ten seconds, no gap, and nobody held for failed who is there. Sealed bytes a member and second.");
    report.head(&["", "said", "mean", "worst", "gaps", "joined", "mean", "worst", "bytes/s", ""]);
    let loads = [("rumors", true, false), ("churn", false, true), ("both", true, true)];
    for (name, has_rumors, has_churn) in loads {
        let load = Load { name, has_rumors, has_churn };
        let figures = measure(size, seconds, load);
        let holds = figures.holds();
        report.check(figures.cells(load), holds);
    }
    report
}

impl Figures {
    fn holds(&self) -> bool {
        let is_soon = |sample: &Sample| sample.len() == 0 || sample.max() <= EXPECTED.as_secs_f64();
        let all_known = self.known.len() == self.joined && is_soon(&self.known);
        let all_heard = self.heard.len() == self.said && is_soon(&self.heard);
        all_heard && all_known && (self.missed, self.gaps, self.falsely) == (0, 0, 0)
    }

    fn cells(&self, load: Load) -> Vec<String> {
        let times = |sample: &Sample| match sample.len() {
            0 => ["".into(), "".into()],
            _ => [format!("{:.2}", sample.mean()), format!("{:.2}", sample.max())],
        };
        let ([heard, last], [known, latest]) = (times(&self.heard), times(&self.known));
        let (said, joined) = (self.said.to_string(), self.joined.to_string());
        let bytes = format!("{:.0}", self.bytes);
        let gaps = self.gaps.to_string();
        vec![load.name.into(), said, heard, last, gaps, joined, known, latest, bytes]
    }
}

fn measure(size: usize, seconds: u64, load: Load) -> Figures {
    let mut net = Net::settled(1, size, Config::lan());
    net.link.loss = LOSS;
    net.log.clear();
    net.hosts.iter_mut().for_each(|host| host.heard.clear());
    let (start, before) = (net.now, net.traffic);
    let (mut said, mut joined, mut gone) = (Vec::new(), Vec::new(), BTreeSet::new());
    for turn in 0..seconds * 10 {
        if load.has_churn && turn % 10 == 0 {
            let victim = stayer(&mut net, size, &gone);
            gone.insert(victim);
            net.crash(victim);
            let (at, by) = (net.add(), stayer(&mut net, size, &gone));
            joined.push((net.now, at));
            net.join(at, by);
        }
        if load.has_rumors {
            let origin = stayer(&mut net, size, &gone);
            said.extend(net.broadcast(origin, vec![turn as u8; LEN]).map(|id| (net.now, id)));
        }
        net.run(PAUSE);
    }
    let busy = net.now.since(start).as_secs_f64();
    let bytes = (net.traffic - before).bytes as f64 / busy / size as f64;
    net.run(DRAIN);
    let stayed: Vec<usize> = (0..size).filter(|at| !gone.contains(at)).collect();
    let mut figures =
        Figures { said: said.len(), joined: joined.len(), bytes, ..Figures::default() };
    said.iter().for_each(|(time, id)| figures.rumor(&net, &stayed, *time, *id));
    joined.iter().for_each(|(time, at)| figures.member(&net, &stayed, *time, *at));
    figures.gaps = stayed.iter().map(|at| net.hosts[*at].gaps.len()).sum();
    let is_there = |node| stayed.iter().any(|at| id(*at) == node);
    figures.falsely =
        net.count(|event| matches!(event, Event::Failed { node, .. } if is_there(*node)));
    figures
}

impl Figures {
    fn rumor(&mut self, net: &Net, stayed: &[usize], said: Time, id: RumorId) {
        let listeners = stayed.iter().map(|at| &net.hosts[*at]);
        let others = listeners.filter(|host| host.swim.node() != id.origin);
        let heard = others.map(|host| host.heard.get(&id).copied());
        match heard.collect::<Option<Vec<Time>>>() {
            Some(times) => self.heard.add_time(times.into_iter().max().unwrap_or(said).since(said)),
            None => self.missed += 1,
        }
    }

    fn member(&mut self, net: &Net, stayed: &[usize], joined: Time, at: usize) {
        let reports = net.log.iter().filter(|note| note.event == Event::Joined(id(at)));
        let (mut hosts, mut last) = (BTreeSet::new(), joined);
        for note in reports.filter(|note| stayed.contains(&note.host)) {
            hosts.insert(note.host);
            last = last.max(note.time);
        }
        if hosts.len() == stayed.len() {
            self.known.add_time(last.since(joined));
        }
    }
}

/// A member that was there at the beginning, and is.
fn stayer(net: &mut Net, size: usize, gone: &BTreeSet<usize>) -> usize {
    loop {
        let at = net.rng.random_range(0..size);
        if !gone.contains(&at) {
            return at;
        }
    }
}
