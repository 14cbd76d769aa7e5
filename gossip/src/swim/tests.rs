//! Single cores, told what happens.

mod rumors;

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};
use rumormill_identity::{Purpose, SIGNATURE};

use super::*;
use crate::{
    accusation::{Accusation, Verdict},
    config::{Dissemination, Lifeguard},
    member::Standing,
    message::{Body, Message, Update, begin, of_accusation},
    record::tests::{issue, record},
    rumor::tests::rumor,
    signer::{Grant, StandIn},
};

/// A core, who it has heard of, and the time.
struct Bench {
    swim: Swim<StandIn>,
    rng: StdRng,
    now: Time,
}

fn node(byte: u8) -> NodeId {
    NodeId([byte; 32])
}

fn notary(byte: u8) -> Notary<StandIn> {
    Notary::new(StandIn(node(byte)), "test")
}

fn accusation(verdict: Verdict, about: u8, version: Version, by: u8) -> Bytes {
    of_accusation(&Accusation::sign(verdict, node(about), version, &notary(by)))
}

const FIRST: Version = Version { epoch: 1, n: 1 };

impl Bench {
    /// Node 0, which knows the nodes from 1 to `others`.
    fn new(others: u8, config: Config) -> Self {
        let (mut rng, now) = (StdRng::seed_from_u64(7), Time(Duration::from_secs(1_000_000)));
        let start =
            Start { cluster: "test".into(), session: 1, epoch: 1, profile: Profile::default() };
        let swim = Swim::new(config, StandIn(node(0)), start, now, &mut rng).unwrap();
        let mut bench = Self { swim, rng, now };
        (1..=others).for_each(|byte| bench.hear(1, &[of_record(&record(byte, 1, 1))]));
        bench.outputs();
        bench
    }

    fn receive(&mut self, from: u8, body: &Body, updates: &[Bytes]) {
        let mut bytes = begin(body);
        updates.iter().for_each(|update| bytes.extend_from_slice(update));
        let input = Input::Received { from: node(from), bytes: bytes.freeze() };
        self.swim.handle(self.now, input, &mut self.rng);
    }

    fn hear(&mut self, from: u8, updates: &[Bytes]) {
        self.receive(from, &Body::Gossip, updates);
    }

    /// Lets time pass, waking the core whenever it wants.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.swim.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.swim.wake(self.now, &mut self.rng);
        }
        self.now = end;
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.swim.poll()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        let event = |output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        };
        self.outputs().into_iter().filter_map(event).collect()
    }

    /// What it sends, to whom and how.
    fn sent(&mut self) -> Vec<(u8, Via, Message)> {
        let sent = |output| match output {
            Output::Send { to, via, bytes } => Some((to.0[0], via, Message::read(&bytes).unwrap())),
            _ => None,
        };
        self.outputs().into_iter().filter_map(sent).collect()
    }

    fn standing(&self, byte: u8) -> Standing {
        self.swim.member(node(byte)).unwrap().standing()
    }
}

/// Probes and nothing else.
fn probes() -> Config {
    Config { gossip_interval: None, exchange_interval: None, heal_interval: None, ..Config::lan() }
}

fn is_about(update: &Update, byte: u8) -> bool {
    match update {
        Update::Record(record) => record.node == node(byte),
        Update::Claim(claim) => claim.about == [byte; 8],
        Update::Rumor(_) | Update::Announced(_) => false,
    }
}

#[test]
fn a_probe_without_an_answer_goes_on_by_others_and_over_a_stream() {
    let mut bench = Bench::new(9, probes());
    bench.pass(Duration::from_secs(1));
    let sent = bench.sent();
    let [(target, Via::Packet, first), rest @ ..] = &sent[..] else { panic!("{sent:?}") };
    let Body::Ping { number, .. } = first.body else { panic!("{first:?}") };
    let helpers: Vec<_> = rest
        .iter()
        .filter(|(_, _, message)| {
            message.body == Body::PingRequest { number, target: node(*target) }
        })
        .map(|(to, via, _)| (*to, *via))
        .collect();
    assert_eq!(helpers.len(), 3);
    assert!(helpers.iter().all(|(to, via)| to != target && *via == Via::Packet));
    let over_stream = Body::Ping { number, via: Via::Stream };
    assert!(rest.iter().any(|(to, via, message)| {
        (to, *via, &message.body) == (target, Via::Stream, &over_stream)
    }));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.standing(*target), Standing::Suspected);
}

#[test]
fn an_answer_in_time_is_all_that_is_wanted() {
    let mut bench = Bench::new(9, probes());
    for _ in 0..20 {
        bench.pass(Duration::from_millis(100));
        for (to, _, message) in bench.sent() {
            let Body::Ping { number, .. } = message.body else { panic!("{message:?}") };
            bench.receive(to, &Body::Ack { number, digest: 0 }, &[]);
        }
    }
    assert_eq!((bench.events(), bench.swim.health()), (vec![], 0));
}

#[test]
fn silent_helpers_are_held_against_oneself() {
    let mut bench = Bench::new(9, probes());
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.swim.health(), 8);
}

#[test]
fn a_suspected_member_learns_of_it_with_the_probe() {
    let mut bench = Bench::new(2, probes());
    bench.hear(1, &[accusation(Verdict::Suspect, 2, FIRST, 1)]);
    assert_eq!(bench.events(), [Event::Suspected { node: node(2), by: node(1) }]);
    for _ in 0..30 {
        bench.pass(Duration::from_millis(100));
        for (to, _, message) in bench.sent() {
            let is_ping = matches!(message.body, Body::Ping { .. });
            if is_ping && to == 2 && bench.standing(2) == Standing::Suspected {
                assert!(message.updates.first().is_some_and(|update| is_about(update, 2)));
            }
        }
    }
}

#[test]
fn an_accused_node_says_that_it_lives() {
    let mut bench = Bench::new(3, probes());
    bench.hear(1, &[accusation(Verdict::Suspect, 0, FIRST, 1)]);
    assert_eq!(bench.swim.own().version, Version { epoch: 1, n: 2 });
    assert_eq!(bench.swim.health(), 1);
    let told: Vec<_> = bench.sent().into_iter().map(|(to, _, message)| (to, message)).collect();
    assert!(told.iter().any(|(to, message)| *to == 1 && is_about(&message.updates[0], 0)));
    // One who has not heard of that yet is told, and nothing else changes.
    bench.hear(2, &[accusation(Verdict::Failed, 0, FIRST, 2)]);
    assert_eq!(bench.swim.own().version, Version { epoch: 1, n: 2 });
    assert!(
        bench.sent().iter().any(|(to, _, message)| *to == 2 && is_about(&message.updates[0], 0))
    );
    bench.hear(2, &[accusation(Verdict::Suspect, 0, Version { epoch: 1, n: 9 }, 2)]);
    assert_eq!(bench.swim.own().version, Version { epoch: 1, n: 2 }, "of no version of its own");
}

#[test]
fn nobody_alone_makes_a_member_fail_before_it_can_object() {
    let mut bench = Bench::new(9, probes());
    bench.hear(1, &[accusation(Verdict::Failed, 2, FIRST, 1)]);
    assert_eq!(bench.standing(2), Standing::Suspected);
    bench.hear(2, &[of_record(&record(2, 1, 2))]);
    assert_eq!(bench.standing(2), Standing::Alive);
    bench.hear(1, &[accusation(Verdict::Failed, 2, FIRST, 1)]);
    assert_eq!(bench.standing(2), Standing::Alive, "refuted is refuted");
    bench.hear(1, &[accusation(Verdict::Failed, 3, FIRST, 1)]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.standing(3), Standing::Failed, "who does not object has failed");

    let mut swim = Bench::new(9, Config { second_opinion: false, ..probes() });
    swim.hear(1, &[accusation(Verdict::Failed, 2, FIRST, 1)]);
    assert_eq!(swim.standing(2), Standing::Failed);
}

#[test]
fn one_who_was_taken_for_failed_learns_of_it_when_it_probes() {
    let mut bench = Bench::new(9, Config { second_opinion: false, ..probes() });
    bench.hear(1, &[accusation(Verdict::Failed, 2, FIRST, 1)]);
    bench.outputs();
    bench.receive(2, &Body::Ping { number: 5, via: Via::Stream }, &[]);
    let sent = bench.sent();
    let [(2, Via::Stream, answer)] = &sent[..] else { panic!("{sent:?}") };
    assert!(matches!(answer.body, Body::Ack { number: 5, .. }));
    assert!(is_about(&answer.updates[0], 2), "{answer:?}");
}

#[test]
fn one_who_is_asked_for_help_probes_and_passes_on() {
    let mut bench = Bench::new(3, probes());
    bench.receive(1, &Body::PingRequest { number: 70, target: node(2) }, &[]);
    let sent = bench.sent();
    let [(2, Via::Packet, ping)] = &sent[..] else { panic!("{sent:?}") };
    let Body::Ping { number, .. } = ping.body else { panic!("{ping:?}") };
    bench.receive(2, &Body::Ack { number, digest: 0 }, &[]);
    let sent = bench.sent();
    let is_answer = |body: &Body| matches!(body, Body::Ack { number: 70, .. });
    assert!(sent.iter().any(|(to, _, message)| *to == 1 && is_answer(&message.body)));

    bench.receive(1, &Body::PingRequest { number: 71, target: node(3) }, &[]);
    bench.pass(Duration::from_millis(400));
    let is_nack = |(to, _, message): &(u8, Via, Message)| {
        *to == 1 && message.body == Body::Nack { number: 71 }
    };
    assert!(bench.sent().iter().any(is_nack));
    bench.receive(1, &Body::PingRequest { number: 72, target: node(77) }, &[]);
    bench.receive(77, &Body::PingRequest { number: 73, target: node(1) }, &[]);
    assert_eq!(bench.swim.counters().unserved, 2, "only among members");
}

#[test]
fn what_is_refused_is_counted() {
    let mut bench = Bench::new(2, Config { members_max: 3, ..probes() });
    let mut check = |updates: &[Bytes], count: fn(&Counters) -> u64, what: &str| {
        let before = count(&bench.swim.counters());
        bench.hear(1, updates);
        assert_eq!(count(&bench.swim.counters()), before + 1, "{what}");
    };
    let mut forged = of_record(&record(3, 1, 1)).to_vec();
    forged[90] ^= 1;
    check(&[forged.into()], |counters| counters.forged, "a forged record");
    let mut forged = accusation(Verdict::Suspect, 2, FIRST, 1).to_vec();
    forged[90] ^= 1;
    check(&[forged.into()], |counters| counters.forged, "a forged accusation");
    check(&[of_record(&record(2, 1, 1))], |counters| counters.stale, "an old record");
    check(
        &[accusation(Verdict::Suspect, 9, FIRST, 1)],
        |counters| counters.unknown,
        "about nobody",
    );
    check(&[accusation(Verdict::Suspect, 2, FIRST, 9)], |counters| counters.unknown, "by nobody");
    check(&[Bytes::from_static(b"?")], |counters| counters.malformed, "no update");
    bench.hear(1, &[of_record(&record(3, 1, 1)), of_record(&record(4, 1, 1))]);
    assert_eq!(bench.swim.counters().full, 1, "one too many");
    bench.now = bench.now + Duration::from_secs(25 * 3600);
    let mut bench = Bench { now: bench.now, ..Bench::new(2, probes()) };
    bench.hear(1, &[of_record(&record(5, 1, 1))]);
    assert_eq!(bench.swim.counters().undated, 1, "an old record of somebody unknown");
}

#[test]
fn an_accuser_is_heard_only_so_often() {
    let mut bench = Bench::new(2, probes());
    for n in 1..200 {
        bench.hear(2, &[accusation(Verdict::Suspect, 1, Version { epoch: 1, n }, 2)]);
        bench.hear(1, &[of_record(&record(1, 1, n + 1))]);
    }
    assert_eq!(bench.swim.counters().excessive, 199 - 70);
    bench.now = bench.now + Duration::from_secs(60);
    bench.hear(2, &[accusation(Verdict::Suspect, 1, Version { epoch: 1, n: 200 }, 2)]);
    assert_eq!(bench.standing(1), Standing::Suspected);
}

#[test]
fn who_had_failed_before_one_came_is_known_and_not_announced() {
    let mut bench = Bench::new(2, probes());
    let state = Body::State { want: vec![] };
    let failed = [of_record(&record(5, 1, 1)), accusation(Verdict::Failed, 5, FIRST, 2)];
    bench.receive(1, &state, &failed);
    assert_eq!((bench.events(), bench.standing(5)), (vec![], Standing::Failed));
    // Of a member that is there, it is a reason to suspect it, loudly, so that it hears of it.
    bench.receive(
        1,
        &state,
        &[of_record(&record(2, 1, 1)), accusation(Verdict::Failed, 2, FIRST, 1)],
    );
    assert_eq!(bench.events(), [Event::Suspected { node: node(2), by: node(0) }]);
    bench.receive(1, &state, &[of_record(&record(5, 1, 2))]);
    assert_eq!(bench.events(), [Event::Joined(node(5))]);
    // One that says goodbye before it was ever announced is shown as such, and no event tells it.
    let failed = [of_record(&record(6, 1, 1)), accusation(Verdict::Failed, 6, FIRST, 2)];
    bench.receive(1, &state, &failed);
    bench.outputs();
    let leaving = Issue { state: State::Leaving, ..issue(1, 2) };
    bench.hear(1, &[of_record(&Record::sign(leaving, Profile::default(), &notary(6)))]);
    assert_eq!(
        (bench.outputs(), bench.standing(6)),
        (vec![Output::Noted(node(6))], Standing::Left)
    );
}

#[test]
fn a_node_that_overslept_does_not_judge() {
    let mut bench = Bench::new(2, probes());
    bench.hear(1, &[accusation(Verdict::Suspect, 2, FIRST, 1)]);
    bench.outputs();
    let mut number = None;
    while number.is_none() {
        bench.pass(Duration::from_millis(100));
        number = bench.sent().into_iter().find(|(to, ..)| *to == 1);
    }
    bench.now = bench.now + Duration::from_secs(100);
    bench.swim.wake(bench.now, &mut bench.rng);
    assert_eq!(bench.events(), [], "neither the probe nor the suspicion ended");
    assert!(0 < bench.swim.health());
}

#[test]
fn a_record_is_signed_anew_long_before_it_is_too_old() {
    let mut bench = Bench::new(0, Config::lan());
    bench.pass(Duration::from_secs(7 * 3600));
    let own = bench.swim.own();
    assert_eq!((own.version.n, own.issued), (2, 1_000_000 + 6 * 3600));
}

#[test]
fn a_profile_that_no_record_holds_is_an_error() {
    let profile = Profile { name: "a".repeat(65).into(), ..Profile::default() };
    let start = Start { cluster: "test".into(), session: 1, epoch: 1, profile };
    let mut rng = StdRng::seed_from_u64(7);
    let swim = Swim::new(Config::lan(), StandIn(node(0)), start, Time::default(), &mut rng);
    assert_eq!(swim.err(), Some(ProfileError::Name(65)));
}

#[test]
fn packets_stay_within_their_size_whatever_there_is_to_tell() {
    let mut bench = Bench::new(60, Config::lan());
    let accusations: Vec<_> =
        (2..60).map(|byte| accusation(Verdict::Suspect, byte, FIRST, 1)).collect();
    bench.hear(1, &accusations);
    bench.pass(Duration::from_millis(300));
    let mut full = 0;
    for output in bench.outputs() {
        let Output::Send { bytes, via, .. } = output else { continue };
        assert!(via != Via::Packet || bytes.len() <= 1200 - 128, "{}", bytes.len());
        full += usize::from(900 < bytes.len());
    }
    assert!(3 <= full, "nothing was put to the test");
}

/// A signer that admits one node less than all.
struct But(StandIn, NodeId);

impl Signer for But {
    fn node(&self) -> NodeId {
        self.0.node()
    }

    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        self.0.sign(purpose, digest)
    }

    fn verifies(
        &self,
        node: NodeId,
        purpose: Purpose,
        digest: &[u8; 32],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        self.0.verifies(node, purpose, digest, signature)
    }

    fn admits(&self, node: NodeId, _: &[u8]) -> Grant {
        if node == self.1 { Grant::None } else { Grant::Member }
    }
}

#[test]
fn who_may_not_be_a_member_is_none_whoever_says_so() {
    let (mut rng, now) = (StdRng::seed_from_u64(7), Time(Duration::from_secs(1_000_000)));
    let start = Start { cluster: "test".into(), session: 1, epoch: 1, profile: Profile::default() };
    let signer = But(StandIn(node(0)), node(2));
    let mut swim = Swim::new(Config::lan(), signer, start, now, &mut rng).unwrap();
    let mut bytes = begin(&Body::Gossip);
    (1..4).for_each(|byte| bytes.extend_from_slice(&of_record(&record(byte, 1, 1))));
    swim.handle(now, Input::Received { from: node(1), bytes: bytes.freeze() }, &mut rng);
    assert!(swim.members().map(|member| member.record().node).eq([node(1), node(3)]));
    assert_eq!(swim.counters().denied, 1);
}

#[test]
fn metadata_are_passed_on_by_whoever_has_them_and_forced_on_nobody() {
    let mut bench = Bench::new(2, Config::lan());
    let profile = Profile { metadata: "blue".into(), ..Profile::default() };
    let told = Record::sign(issue(1, 2), profile, &notary(2));
    let (about, hash) = (node(2), told.metadata);
    bench.hear(1, &[of_record(&told)]);
    bench.pass(Duration::from_millis(1));
    let fetch = begin(&Body::AskMetadata { about, hash }).freeze();
    let asked = |output: &Output| matches!(output, Output::Send { to, bytes, .. } if *to == node(1) && *bytes == fetch);
    assert!(bench.outputs().iter().any(asked), "the one who told is asked");

    bench.receive(1, &Body::Metadata { about, bytes: "red".into() }, &[]);
    assert_eq!((bench.swim.metadata(about), bench.swim.counters().unwanted), (None, 1));
    bench.receive(1, &Body::Metadata { about, bytes: "blue".into() }, &[]);
    assert_eq!(bench.swim.metadata(about), Some("blue".into()));
    assert!(bench.outputs().contains(&Output::Event(Event::Described(about))));

    bench.receive(1, &Body::AskMetadata { about, hash }, &[]);
    let answer = begin(&Body::Metadata { about, bytes: "blue".into() }).freeze();
    let outputs = bench.outputs();
    let is_answer =
        |output: &Output| matches!(output, Output::Send { bytes, .. } if *bytes == answer);
    assert!(outputs.iter().any(is_answer), "{outputs:?}");
    bench.receive(1, &Body::AskMetadata { about, hash: [9; 16] }, &[]);
    assert!(!bench.outputs().iter().any(is_answer), "those of another record");
}

/// Settings that nobody wants, all of a kind.
fn senseless(time: Duration, factor: f64, count: usize) -> Config {
    Config {
        probe_interval: time,
        probe_timeout: time,
        indirect_probes: count,
        suspicion_mult: factor,
        suspicion_max_mult: factor,
        retransmit_mult: u32::try_from(count).unwrap_or(u32::MAX),
        gossip_interval: Some(time),
        gossip_fanout: count,
        gossip_to_failed: time,
        exchange_interval: Some(time),
        heal_interval: Some(time),
        packet: count,
        failed_kept: time,
        tombstones_kept: time,
        tombstones_max: count,
        resign_interval: time.max(Duration::from_secs(1)),
        leave_asked: count,
        rumors: Dissemination {
            small: count,
            longest: count,
            per_second: count,
            burst: count,
            bytes_per_second: count,
            kept: time,
            kept_bytes: count,
            repair_interval: Some(time),
            pull_timeout: time,
        },
        ..Config::lan()
    }
}

#[test]
fn senseless_settings_end_nothing() {
    let times = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    for (time, factor) in times.into_iter().zip([f64::NAN, -1.0, f64::INFINITY]) {
        for count in [0, 1, usize::MAX] {
            let mut bench = Bench::new(5, senseless(time, factor, count));
            bench.hear(1, &[accusation(Verdict::Suspect, 2, FIRST, 1)]);
            bench.receive(1, &Body::PingRequest { number: 1, target: node(3) }, &[]);
            bench.swim.broadcast(bench.now, Bytes::new()).ok();
            let heard = [rumor(1, 1, 9, b"").whole().clone(), rumor(1, 1, 8, b"").announced()];
            bench.hear(2, &heard);
            bench.pass(Duration::from_millis(200));
            bench.hear(1, &[accusation(Verdict::Failed, 4, FIRST, 1)]);
            let leave = Input::Leave(Duration::from_millis(100));
            bench.swim.handle(bench.now, leave, &mut bench.rng);
            bench.pass(Duration::from_millis(200));
            assert!(bench.swim.is_over(), "{time:?} {factor} {count}");
        }
    }
}

#[test]
fn a_member_that_others_suspect_is_probed_next_by_some() {
    let probed = |seed: u64, haste: bool| {
        let lifeguard = Lifeguard { haste, ..Lifeguard::ON };
        let mut bench = Bench::new(9, Config { lifeguard, ..Config::lan() });
        bench.rng = StdRng::seed_from_u64(seed);
        bench.hear(3, &[accusation(Verdict::Suspect, 5, FIRST, 3)]);
        bench.outputs();
        bench.pass(Duration::from_secs(1));
        let is_ping = |output: &Output| match output {
            Output::Send { to, bytes, .. } => *to == node(5) && bytes[1] == 1,
            _ => false,
        };
        bench.outputs().iter().any(is_ping)
    };
    let count = |haste| (0..100).filter(|seed| probed(*seed, haste)).count();
    // It is another's turn.
    assert_eq!(count(false), 0);
    let hasty = count(true);
    assert!((35..=65).contains(&hasty), "{hasty} of 100, where half of them should");
}

#[test]
fn a_name_taken_under_suspicion_is_told_of_once() {
    let mut bench = Bench::new(3, probes());
    let named = |n| {
        Record::sign(issue(1, n), Profile { name: "n1".into(), ..Profile::default() }, &notary(2))
    };
    bench.hear(3, &[accusation(Verdict::Suspect, 2, FIRST, 3)]);
    bench.hear(3, &[of_record(&named(2))]);
    let conflict = Event::NameConflict { name: "n1".into(), holder: node(1), rival: node(2) };
    let suspected = Event::Suspected { node: node(2), by: node(3) };
    assert_eq!(bench.events(), [suspected.clone(), Event::Cleared(node(2)), conflict]);

    bench.hear(3, &[accusation(Verdict::Suspect, 2, named(2).version, 3)]);
    bench.hear(3, &[of_record(&named(3))]);
    assert_eq!(bench.events(), [suspected, Event::Cleared(node(2))], "it has had it before");
}

#[test]
fn of_a_name_that_several_claim_each_is_told() {
    let mut bench = Bench::new(4, probes());
    let profile = Profile { name: "n2".into(), ..Profile::default() };
    let claim =
        |byte, epoch| of_record(&Record::sign(issue(epoch, 2), profile.clone(), &notary(byte)));
    let conflicts = |bench: &mut Bench| -> Vec<(u8, u8)> {
        let pair = |event| match event {
            Event::NameConflict { name, holder, rival } if &*name == "n2" => {
                Some((holder.0[0], rival.0[0]))
            }
            _ => None,
        };
        bench.events().into_iter().filter_map(pair).collect()
    };
    bench.hear(3, &[claim(3, 1)]);
    assert_eq!(conflicts(&mut bench), [(2, 3)]);
    bench.hear(4, &[claim(4, 1)]);
    assert_eq!(conflicts(&mut bench), [(2, 4)]);
    bench.hear(1, &[claim(1, 1)]);
    assert_eq!(conflicts(&mut bench), [(1, 2), (1, 3), (1, 4)], "it has been there longest");
    bench.swim.handle(bench.now, Input::Changed(profile.clone()), &mut bench.rng);
    assert_eq!(conflicts(&mut bench), [(0, 1), (0, 2), (0, 3), (0, 4)]);

    bench.hear(1, &[claim(5, 3)]);
    assert_eq!(conflicts(&mut bench), [(0, 5)], "whose it is, whoever hears it");
    (6..30).for_each(|byte| bench.hear(1, &[claim(byte, 3)]));
    conflicts(&mut bench);
    bench.hear(1, &[claim(30, 0)]);
    let told = conflicts(&mut bench);
    assert_eq!((told.len(), told[0], told[1]), (16, (30, 0), (30, 1)), "no more, and itself first");
}
