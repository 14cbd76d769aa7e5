//! A few cores, wired by hand, that tell each other rumors.

use std::collections::VecDeque;

use super::*;
use crate::{
    message::PAGE,
    record::tests::issue,
    rumor::{BroadcastError, Gap, MAX_RUMOR, Rumor},
    rumors::words::{Line, Mark, Want},
};

/// Some cores, and what lies between them.
struct Web {
    cores: Vec<Core>,
    now: Time,
    rng: StdRng,
    /// The part of packets that is lost.
    loss: f64,
    config: Config,
    /// Messages by kind, since this was emptied last.
    sent: BTreeMap<u8, usize>,
    /// Rumors that were sent over streams.
    pulled: usize,
}

struct Core {
    swim: Swim<StandIn>,
    is_cut_off: bool,
    heard: Vec<Rumor>,
    gaps: Vec<Gap>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Web {
    fn new(size: u8, config: Config) -> Self {
        let (now, rng) = (Time(Duration::from_secs(1_000_000)), StdRng::seed_from_u64(7));
        let (cores, sent) = (Vec::new(), BTreeMap::new());
        let mut web = Self { cores, now, rng, loss: 0.0, config, sent, pulled: 0 };
        (0..size).for_each(|_| web.join());
        web.pass(5 * SECOND);
        assert!(web.cores.iter().all(|core| core.swim.live() + 1 == usize::from(size)));
        web
    }

    fn core(&mut self, byte: u8, epoch: u64) -> Core {
        let start =
            Start { cluster: "test".into(), session: epoch, epoch, profile: Profile::default() };
        let signer = StandIn(node(byte));
        let swim = Swim::new(self.config.clone(), signer, start, self.now, &mut self.rng).unwrap();
        Core { swim, is_cut_off: false, heard: Vec::new(), gaps: Vec::new() }
    }

    /// One more joins by the first.
    fn join(&mut self) {
        let core = self.core(self.cores.len() as u8, 1);
        self.cores.push(core);
        if 1 < self.cores.len() {
            self.contact(self.cores.len() - 1, 0);
        }
    }

    fn contact(&mut self, at: usize, to: u8) {
        self.cores[at].swim.handle(self.now, Input::Contact(node(to)), &mut self.rng);
        self.carry();
    }

    fn restart(&mut self, at: usize, epoch: u64) {
        self.cores[at] = self.core(at as u8, epoch);
        self.contact(at, if at == 0 { 1 } else { 0 });
    }

    /// Carries messages until there are none.
    fn carry(&mut self) {
        let mut wire = VecDeque::new();
        loop {
            for (at, core) in self.cores.iter_mut().enumerate() {
                while let Some(output) = core.swim.poll() {
                    match output {
                        Output::Rumor(rumor) => core.heard.push(rumor),
                        Output::Gap(gap) => core.gaps.push(gap),
                        Output::Send { to, via, bytes } => wire.push_back((at, to, via, bytes)),
                        _ => (),
                    }
                }
            }
            let Some((from, to, via, bytes)) = wire.pop_front() else { return };
            *self.sent.entry(bytes[1]).or_default() += 1;
            let is_lost = via == Via::Packet && self.rng.random_bool(self.loss);
            let (at, from_cut) = (usize::from(to.0[0]), self.cores[from].is_cut_off);
            if is_lost || from_cut || self.cores.get(at).is_none_or(|core| core.is_cut_off) {
                continue;
            }
            assert!(via != Via::Packet || bytes.len() <= 1200 - 128, "{}", bytes.len());
            if bytes[1] == 16 {
                self.pulled += Message::read(&bytes).unwrap().updates.len();
            }
            let input = Input::Received { from: node(from as u8), bytes };
            self.cores[at].swim.handle(self.now, input, &mut self.rng);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.cores.iter().enumerate();
            let due = due.filter_map(|(at, core)| Some((core.swim.deadline()?, at))).min();
            let Some((due, at)) = due.filter(|(due, _)| *due <= end) else { break };
            self.now = self.now.max(due);
            self.cores[at].swim.wake(self.now, &mut self.rng);
            self.carry();
        }
        self.now = end;
    }

    fn broadcast(&mut self, at: usize, len: usize) -> u64 {
        let bytes = vec![at as u8; len];
        let id = self.cores[at].swim.broadcast(self.now, bytes.into()).unwrap();
        id.number
    }

    fn receive(&mut self, at: usize, from: u8, body: &Body, updates: &[Bytes]) {
        let mut bytes = begin(body);
        updates.iter().for_each(|update| bytes.extend_from_slice(update));
        let input = Input::Received { from: node(from), bytes: bytes.freeze() };
        self.cores[at].swim.handle(self.now, input, &mut self.rng);
        self.carry();
    }

    /// What a node has heard of an origin, in order of numbers.
    fn heard(&self, at: usize, of: u8) -> Vec<u64> {
        let rumors = self.cores[at].heard.iter().filter(|rumor| rumor.origin == node(of));
        let mut numbers: Vec<u64> = rumors.map(|rumor| rumor.number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn gaps(&self, at: usize) -> Vec<(u8, u64, u64, u64)> {
        let gaps = self.cores[at].gaps.iter();
        gaps.map(|gap| (gap.origin.0[0], gap.epoch, gap.from, gap.to)).collect()
    }

    /// That each node has heard each other one's rumors up to a number once, and missed none.
    fn check_all_heard(&self, up_to: u64) {
        for at in 0..self.cores.len() {
            for of in (0..self.cores.len()).filter(|of| *of != at) {
                let expected: Vec<u64> = (1..=up_to).collect();
                assert_eq!(self.heard(at, of as u8), expected, "{at} of {of}");
            }
            assert_eq!((self.heard(at, at as u8).len(), self.gaps(at)), (0, vec![]), "{at}");
        }
    }

    fn count(&self, at: usize, count: fn(&Counters) -> u64) -> u64 {
        count(&self.cores[at].swim.counters())
    }

    fn about_rumors(&self) -> usize {
        self.sent.range(13..).map(|(_, count)| count).sum()
    }
}

fn rumors(rumors: Dissemination) -> Config {
    Config { rumors, ..Config::lan() }
}

/// Nothing is repaired.
fn pushed() -> Config {
    rumors(Dissemination { repair_interval: None, ..Dissemination::default() })
}

fn line(by: u8, highest: u64) -> Line {
    Line { by: [by; 8], epoch: 1, prefix: highest, highest }
}

#[test]
fn short_ones_are_pushed_and_long_ones_pulled_once() {
    let mut web = Web::new(6, pushed());
    for (number, len) in [0, 1, 512, 513, 70_000, MAX_RUMOR].into_iter().enumerate() {
        assert_eq!(web.broadcast(2, len), number as u64 + 1);
    }
    web.pass(10 * SECOND);
    for at in [0, 1, 3, 4, 5] {
        assert_eq!((web.heard(at, 2), web.gaps(at)), (vec![1, 2, 3, 4, 5, 6], vec![]), "{at}");
        let mut lens: Vec<usize> =
            web.cores[at].heard.iter().map(|rumor| rumor.bytes.len()).collect();
        lens.sort_unstable();
        assert_eq!(lens, [0, 1, 512, 513, 70_000, MAX_RUMOR]);
    }
    assert_eq!((web.heard(2, 2), web.pulled), (vec![], 3 * 5));
}

#[test]
fn several_share_a_page_that_fits_any_carrier() {
    let mut bench = Bench::new(1, probes());
    let lens = [9000; 7].into_iter().chain([500; 3]);
    let said = lens.map(|len| bench.swim.broadcast(bench.now, vec![0; len].into()).unwrap());
    let wants = Want::of(&said.collect::<Vec<_>>());
    bench.outputs();
    bench.receive(1, &Body::Fetch(wants), &[]);
    let pages = bench.outputs().into_iter().filter_map(|output| match output {
        Output::Send { bytes, .. } => Some(bytes),
        _ => None,
    });
    let pages: Vec<Bytes> = pages.collect();
    let rumors = pages.iter().map(|page| Message::read(page).unwrap().updates.len());
    assert_eq!(rumors.collect::<Vec<_>>(), [6, 4]);
    assert!(pages.iter().all(|page| page.len() <= PAGE && PAGE + 1024 < 65_507));
}

#[test]
fn what_is_too_long_or_too_much_or_too_late_is_an_error() {
    let mut web = Web::new(2, Config::lan());
    let (now, swim) = (web.now, &mut web.cores[0].swim);
    let long = swim.broadcast(now, vec![0; MAX_RUMOR + 1].into());
    assert_eq!(long, Err(BroadcastError::TooLong { len: MAX_RUMOR + 1, most: MAX_RUMOR }));
    let full = (0..1000).map(|_| swim.broadcast(now, Bytes::new())).find_map(Result::err);
    let Some(BroadcastError::Full { wait }) = full else { panic!("{full:?}") };
    assert!(swim.broadcast(now + wait, Bytes::new()).is_ok());
    swim.handle(now + wait, Input::Leave(SECOND), &mut web.rng);
    assert_eq!(swim.broadcast(now + 5 * SECOND, Bytes::new()), Err(BroadcastError::Over));
}

#[test]
fn repair_brings_what_pushing_has_not() {
    for loss in [0.1, 0.3, 0.6] {
        let mut web = Web::new(6, Config::lan());
        web.loss = loss;
        for number in 0..20 {
            for at in 0..6 {
                web.broadcast(at, 300 * number);
            }
            web.pass(SECOND / 10);
        }
        web.pass(100 * SECOND);
        web.check_all_heard(20);
    }
}

#[test]
fn repair_alone_brings_everything() {
    let mut web = Web::new(5, Config { gossip_interval: None, ..Config::lan() });
    web.cores[4].is_cut_off = true;
    for _ in 0..100 {
        web.broadcast(1, 100);
    }
    // The member is suspected and fails meanwhile, and returns.
    web.pass(40 * SECOND);
    assert_eq!((web.heard(3, 1).len(), web.heard(4, 1).len()), (100, 0));
    web.cores[4].is_cut_off = false;
    web.cores[1].is_cut_off = true;
    web.pass(60 * SECOND);
    assert_eq!((web.heard(4, 1).len(), web.gaps(4)), (100, vec![]), "the origin was not there");
}

#[test]
fn who_was_away_for_too_long_has_one_gap() {
    let mut web = Web::new(4, Config::lan());
    (1..=3).for_each(|number| assert_eq!(web.broadcast(0, 10), number));
    web.pass(5 * SECOND);
    web.cores[3].is_cut_off = true;
    (4..=9).for_each(|number| assert_eq!(web.broadcast(0, 10), number));
    web.pass(200 * SECOND);
    web.cores[3].is_cut_off = false;
    web.pass(30 * SECOND);
    assert_eq!((web.heard(3, 0), web.gaps(3)), (vec![1, 2, 3], vec![]));
    assert_eq!(web.broadcast(0, 10), 10);
    web.pass(300 * SECOND);
    assert_eq!((web.heard(3, 0), web.gaps(3)), (vec![1, 2, 3, 10], vec![(0, 1, 4, 9)]));
    assert_eq!((web.gaps(1), web.gaps(2)), (vec![], vec![]));
}

#[test]
fn a_new_start_begins_anew_and_ends_what_was_lacking() {
    let mut web = Web::new(4, Config::lan());
    web.receive(1, 0, &Body::Gossip, &[rumor(0, 1, 3, b"third").whole().clone()]);
    web.cores[0].is_cut_off = true;
    web.pass(SECOND);
    web.restart(0, 2);
    web.pass(5 * SECOND);
    assert_eq!(web.broadcast(0, 10), 1);
    web.pass(5 * SECOND);
    for at in 1..4 {
        assert_eq!((web.heard(at, 0), web.gaps(at)), (vec![1, 3], vec![(0, 1, 1, 2)]), "{at}");
    }
    web.receive(1, 2, &Body::Gossip, &[rumor(0, 1, 2, b"second").whole().clone()]);
    assert_eq!(web.heard(1, 0), [1, 3], "of the start before");
    web.pass(300 * SECOND);
    assert_eq!((web.heard(1, 0), web.gaps(1).len()), (vec![1, 3], 1));
}

#[test]
fn joiners_begin_at_the_high_water_mark() {
    let mut web = Web::new(4, Config::lan());
    (0..30).for_each(|_| _ = web.broadcast(0, 10));
    (0..30).for_each(|_| _ = web.broadcast(1, 2000));
    web.pass(10 * SECOND);
    web.join();
    web.pass(10 * SECOND);
    assert_eq!((web.heard(4, 0), web.heard(4, 1), web.gaps(4)), (vec![], vec![], vec![]));
    // It is held to what comes from then on, lost or not.
    web.cores[4].is_cut_off = true;
    web.broadcast(0, 10);
    web.broadcast(1, 2000);
    web.pass(3 * SECOND);
    web.cores[4].is_cut_off = false;
    web.broadcast(0, 10);
    web.broadcast(2, 10);
    web.pass(300 * SECOND);
    let heard = [0, 1, 2].map(|of| web.heard(4, of));
    assert_eq!((heard, web.gaps(4)), ([vec![31, 32], vec![31], vec![1]], vec![]));
    // One who joins by the joiner learns the same.
    web.join();
    web.pass(SECOND);
    web.broadcast(1, 10);
    web.pass(300 * SECOND);
    assert_eq!((web.heard(5, 0), web.heard(5, 1), web.gaps(5)), (vec![], vec![32], vec![]));
}

#[test]
fn two_that_meet_each_other_at_once_miss_nothing() {
    let mut web = Web { loss: 0.3, ..Web::new(0, Config::lan()) };
    for byte in 0..2 {
        let core = web.core(byte, 1);
        web.cores.push(core);
    }
    for at in 0..2 {
        let other = node(1 - at as u8);
        web.cores[at].swim.handle(web.now, Input::Contact(other), &mut web.rng);
    }
    web.carry();
    (0..50).for_each(|_| _ = web.broadcast(0, 400));
    web.pass(60 * SECOND);
    assert_eq!((web.heard(1, 0), web.gaps(1)), ((1..=50).collect(), vec![]));
}

#[test]
fn marks_that_lie_make_nothing_unheard() {
    for highest in [0, 5, u64::MAX] {
        let mut web = Web::new(3, Config::lan());
        (0..10).for_each(|_| _ = web.broadcast(0, 10));
        web.pass(200 * SECOND);
        let core = web.core(3, 1);
        web.cores.push(core);
        let marks = vec![Mark { by: [0; 8], epoch: 1, highest }];
        web.receive(3, 2, &Body::Marks { marks, left: 0 }, &[]);
        web.contact(3, 1);
        web.pass(5 * SECOND);
        web.broadcast(0, 10);
        web.pass(200 * SECOND);
        web.cores[3].is_cut_off = true;
        web.broadcast(0, 10);
        web.pass(2 * SECOND);
        web.cores[3].is_cut_off = false;
        web.broadcast(0, 10);
        web.pass(5 * SECOND);
        web.broadcast(0, 10);
        web.pass(300 * SECOND);
        let heard = web.heard(3, 0);
        assert!([11, 13, 14].iter().all(|number| heard.contains(number)), "{heard:?}");
        assert!(web.gaps(3).iter().all(|(.., to)| *to <= 10), "{:?}", web.gaps(3));
    }
}

#[test]
fn what_exceeds_a_quota_is_dropped_and_comes_later() {
    let settings = Dissemination { per_second: 10, burst: 10, ..Dissemination::default() };
    let mut web = Web::new(3, rumors(settings));
    let flood: Vec<Bytes> =
        (1..=100).map(|number| rumor(2, 1, number, b"flood").whole().clone()).collect();
    web.cores[0].is_cut_off = true;
    for few in flood.chunks(10) {
        web.receive(1, 2, &Body::Gossip, few);
    }
    assert_eq!((web.heard(1, 2).len(), web.count(1, |it| it.rumors_excessive)), (20, 80));
    web.pass(SECOND);
    flood.chunks(10).for_each(|few| web.receive(1, 2, &Body::Rumors, few));
    assert_eq!(web.heard(1, 2).len(), 40);
}

#[test]
fn rumors_of_origins_that_are_not_known_yet_come_later() {
    let mut web = Web::new(3, Config::lan());
    let (whole, id) = (rumor(3, 1, 1, b"early").whole().clone(), rumor(3, 1, 1, b"").announced());
    web.receive(1, 2, &Body::Gossip, &[whole, id]);
    assert_eq!(web.count(1, |it| it.rumors_unknown), 2);
    web.join();
    web.broadcast(3, 10);
    web.pass(5 * SECOND);
    (0..3).for_each(|at| assert_eq!(web.heard(at, 3), [1], "{at}"));
}

#[test]
fn a_member_that_lies_gains_nothing() {
    let mut web = Web::new(4, Config::lan());
    (0..5).for_each(|_| _ = web.broadcast(0, 10));
    web.pass(5 * SECOND);
    let old = rumor(0, 1, 3, &[0; 10]);
    for round in 0..300 {
        let high = u64::MAX - round;
        let lines = (0..64).map(|of| line(of % 8, if of < 32 { u64::MAX } else { high })).collect();
        web.receive(1, 3, &Body::Digest(lines), &[]);
        web.receive(1, 3, &Body::Heard(vec![line(0, high); 64]), &[]);
        let ids: Vec<Bytes> =
            (0..40).map(|number| rumor(0, 1, 1000 * round + number + 9, b"").announced()).collect();
        web.receive(1, 3, &Body::Gossip, &ids);
        let want = Want { by: [0; 8], epoch: 1, first: 0, map: u64::MAX };
        web.receive(1, 3, &Body::Fetch(vec![want; 64]), &[]);
        let mut forged = rumor(0, 1, 900, b"forged").whole().to_vec();
        forged[40] ^= 1;
        web.receive(1, 3, &Body::Rumors, &[old.whole().clone(), forged.into()]);
        let marks = vec![Mark { by: [0; 8], epoch: 1, highest: u64::MAX }];
        web.receive(1, 3, &Body::Marks { marks, left: 0 }, &[]);
    }
    let counts: [fn(&Counters) -> u64; 6] = [
        |it| it.rumors_unasked,
        |it| it.rumors_unserved,
        |it| it.rumors_unknown,
        |it| it.rumors_stale,
        |it| it.forged,
        |it| 1 - it.rumors_lost.min(1),
    ];
    assert!(
        counts.iter().all(|count| 0 < web.count(1, *count)),
        "{:?}",
        web.cores[1].swim.counters()
    );
    (0..5).for_each(|_| _ = web.broadcast(0, 1000));
    web.pass(300 * SECOND);
    assert_eq!((web.heard(1, 0), web.gaps(1)), ((1..=10).collect(), vec![]));
    web.receive(1, 3, &Body::Gossip, &[old.whole().clone()]);
    assert_eq!(web.heard(1, 0).len(), 10, "a replay");
}

#[test]
fn a_peer_that_has_not_what_it_said_is_passed_over() {
    let mut web = Web::new(4, pushed());
    web.cores[0].is_cut_off = true;
    let long = rumor(0, 1, 1, &[7; 5000]);
    web.receive(2, 0, &Body::Rumors, &[long.whole().clone()]);
    // The one that lies is the first to say so.
    web.cores[2].is_cut_off = true;
    web.receive(1, 3, &Body::Gossip, &[long.announced()]);
    web.receive(1, 2, &Body::Gossip, &[long.announced()]);
    web.cores[2].is_cut_off = false;
    assert_eq!(web.heard(1, 0), []);
    web.pass(3 * SECOND);
    assert_eq!((web.heard(1, 0), web.count(1, |it| it.rumors_unanswered)), (vec![1], 0));
}

#[test]
fn who_leaves_is_heard_yet() {
    for loss in [0.0, 0.2] {
        let mut web = Web { loss, ..Web::new(6, Config::lan()) };
        (0..40).for_each(|number| _ = web.broadcast(0, 30 * number));
        let leave = Input::Leave(10 * SECOND);
        web.cores[0].swim.handle(web.now, leave, &mut web.rng);
        web.pass(60 * SECOND);
        assert!(web.cores[0].swim.is_over());
        (1..6).for_each(|at| assert_eq!(web.heard(at, 0), (1..=40).collect::<Vec<_>>(), "{at}"));
    }
}

#[test]
fn nothing_is_sent_for_rumors_at_rest() {
    let mut web = Web::new(5, Config::lan());
    web.sent.clear();
    web.pass(100 * SECOND);
    assert_eq!(web.about_rumors(), 0);
    (0..3).for_each(|number| _ = web.broadcast(0, 400 * number));
    web.pass(100 * SECOND);
    assert!(5 * 90 <= web.sent[&13], "{:?}", web.sent);
    web.pass(60 * SECOND);
    web.sent.clear();
    web.pass(100 * SECOND);
    assert_eq!((web.about_rumors(), web.sent.get(&5)), (0, None), "{:?}", web.sent);
    let rest = [web.cores[0].swim.rumors_due(), web.cores[1].swim.rumors_due()];
    assert_eq!(rest, [None, None]);
    (1..5).for_each(|at| assert_eq!(web.heard(at, 0), [1, 2, 3], "{at}"));
}

#[test]
fn neither_news_of_members_nor_rumors_starve() {
    let mut bench = Bench::new(60, Config { gossip_interval: None, ..Config::lan() });
    let crowd: Vec<_> = (2..60).map(|byte| accusation(Verdict::Suspect, byte, FIRST, 1)).collect();
    bench.hear(1, &crowd);
    (0..100).for_each(|_| _ = bench.swim.broadcast(bench.now, vec![0; 512].into()).unwrap());
    bench.outputs();
    let (mut news, mut rumors) = (0_usize, 0_usize);
    for number in 0..20 {
        bench.receive(1, &Body::Ping { number, via: Via::Packet }, &[]);
        for (_, _, message) in bench.sent() {
            let is_rumor = |update: &&Update| matches!(update, Update::Rumor(_));
            let told = message.updates.iter().filter(is_rumor).count();
            rumors += 605 * told;
            news += 102 * (message.updates.len() - told);
        }
    }
    assert!(rumors.abs_diff(news) < 3000 && 15_000 < rumors + news, "{rumors} and {news}");
}

#[test]
fn ids_that_look_alike_are_told_apart() {
    let mut bench = Bench::new(2, probes());
    let mut twin = node(1);
    twin.0[31] ^= 1;
    let notary = Notary::new(StandIn(twin), "test");
    let record = Record::sign(issue(1, 1), Profile::default(), &notary);
    let said = Rumor::sign(1, 1, b"twin", &notary);
    bench.hear(
        2,
        &[of_record(&record), rumor(1, 1, 1, b"one").whole().clone(), said.whole().clone()],
    );
    bench.hear(2, &[said.whole().clone(), rumor(1, 1, 1, b"one").whole().clone()]);
    let heard = |output| match output {
        Output::Rumor(rumor) => Some((rumor.origin, rumor.bytes)),
        _ => None,
    };
    let heard: Vec<_> = bench.outputs().into_iter().filter_map(heard).collect();
    assert_eq!(heard, [(node(1), Bytes::from("one")), (twin, Bytes::from("twin"))]);
    let Counters { forged, rumors_stale, .. } = bench.swim.counters();
    assert_eq!((forged, rumors_stale), (0, 2));
}

/// Losses, partitions and restarts; whatever happens, no number is heard twice, or heard and missed.
fn check_anything(seed: u64) {
    let settings =
        Dissemination { kept: 8 * SECOND, kept_bytes: 60_000, ..Dissemination::default() };
    let mut web = Web::new(5, rumors(settings));
    let mut rng = StdRng::seed_from_u64(seed);
    web.rng = StdRng::seed_from_u64(seed);
    let mut settled: [BTreeMap<(NodeId, u64, u64), &str>; 5] = Default::default();
    for step in 0..150 {
        web.loss = [0.0, 0.2, 0.5, 0.9][rng.random_range(0..4)];
        let at = rng.random_range(0..5);
        match rng.random_range(0..40) {
            0 => {
                web.restart(at, 2 + step);
                settled[at].clear();
            }
            1..6 => web.cores[at].is_cut_off ^= true,
            6..10 => web.pass(3 * SECOND),
            _ => {
                let bytes = vec![0; [0, 10, 500, 3000][rng.random_range(0..4)]];
                (0..rng.random_range(1..40)).for_each(|_| {
                    web.cores[at].swim.broadcast(web.now, bytes.clone().into()).ok();
                });
                web.pass(SECOND / 5);
            }
        }
        for (core, settled) in web.cores.iter_mut().zip(&mut settled) {
            for gap in core.gaps.drain(..) {
                for number in gap.from..=gap.to {
                    let before = settled.insert((gap.origin, gap.epoch, number), "missed");
                    assert_eq!(before, None, "seed {seed}: {number} of {gap:?}");
                }
            }
            for rumor in core.heard.drain(..) {
                let id = (rumor.origin, rumor.epoch, rumor.number);
                assert_eq!(settled.insert(id, "heard"), None, "seed {seed}: {:?}", rumor.id());
            }
        }
    }
}

#[test]
fn nothing_is_heard_twice_or_heard_and_missed() {
    (0..30).for_each(check_anything);
}
