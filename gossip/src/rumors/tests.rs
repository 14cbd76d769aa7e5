//! What is known of rumors, without a network.

use std::collections::BTreeSet;

use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    rumor::tests::rumor,
    rumors::words::{Line, Mark},
};

struct Bench {
    mill: Mill,
    now: Time,
    rng: StdRng,
}

fn node(byte: u8) -> NodeId {
    NodeId([byte; 32])
}

fn id(by: u8, epoch: u64, number: u64) -> RumorId {
    RumorId { origin: node(by), epoch, number }
}

fn line_of(by: u8, epoch: u64, prefix: u64, highest: u64) -> Line {
    Line { by: [by; 8], epoch, prefix, highest }
}

impl Bench {
    fn new(settings: &Dissemination) -> Self {
        let now = Time(Duration::from_secs(1_000_000));
        let mill = Mill::new(settings, (node(0), 1), 8, now);
        Self { mill, now, rng: StdRng::seed_from_u64(7) }
    }

    /// Takes a rumor if it is wanted; what is given up by that.
    fn hear(&mut self, by: u8, epoch: u64, number: u64) -> Result<Vec<(u64, u64)>, Verdict> {
        match self.mill.judge(id(by, epoch, number), 1, 1, self.now) {
            Verdict::Wanted => {
                let rumor = rumor(by, epoch, number, b"a");
                let gaps = self.mill.hear(&rumor, self.now);
                self.mill.keep(rumor, 1000, self.now);
                Ok(gaps.into_iter().map(|gap| (gap.from, gap.to)).collect())
            }
            verdict => Err(verdict),
        }
    }

    fn lacks(&mut self, line: Line) -> Vec<u64> {
        let lacks = self.mill.lacks(NodeId([line.by[0]; 32]), &line, 1, &mut self.rng);
        lacks.into_iter().map(|id| id.number).collect()
    }

    fn pass(&mut self, seconds: u64) -> Vec<Gap> {
        self.now = self.now + Duration::from_secs(seconds);
        self.mill.expire(self.now);
        self.mill.give_up(self.now)
    }
}

#[test]
fn a_rumor_is_heard_once_whatever_is_repeated() {
    let mut bench = Bench::new(&Dissemination::default());
    assert_eq!(bench.hear(1, 1, 1), Ok(vec![]));
    assert_eq!(bench.hear(1, 1, 1), Err(Verdict::Stale));
    assert_eq!(bench.hear(1, 1, 0), Err(Verdict::Stale), "there is no number 0");
    assert_eq!(bench.hear(2, 0, 1), Err(Verdict::Stale), "before the start that its record is of");
    bench.pass(1000);
    assert!(!bench.mill.is_active());
    assert_eq!(bench.hear(1, 1, 1), Err(Verdict::Stale), "long after nobody keeps it");
}

#[test]
fn a_new_start_begins_at_one_and_ends_the_one_before() {
    let mut bench = Bench::new(&Dissemination::default());
    assert_eq!((bench.hear(1, 1, 3), bench.hear(1, 1, 4)), (Ok(vec![]), Ok(vec![])));
    assert_eq!(bench.hear(1, 2, 2), Ok(vec![(1, 2)]), "what was lacking of the first start");
    assert_eq!(bench.hear(1, 1, 5), Err(Verdict::Stale));
    assert_eq!(bench.lacks(line_of(1, 2, 2, 2)), [1]);
    assert_eq!(bench.lacks(line_of(1, 1, 9, 9)), [0; 0]);
    assert_eq!(bench.hear(1, 2, 1), Ok(vec![]));
    assert_eq!(bench.pass(1000), []);
}

#[test]
fn what_nobody_has_is_given_up_once() {
    let mut bench = Bench::new(&Dissemination::default());
    assert_eq!(bench.hear(1, 1, 4), Ok(vec![]));
    assert_eq!(bench.mill.next_due(), Some(bench.now + Duration::from_secs(120)));
    assert_eq!(bench.pass(119), []);
    assert_eq!(bench.pass(1), [Gap { origin: node(1), epoch: 1, from: 1, to: 3 }]);
    assert_eq!((bench.hear(1, 1, 2), bench.pass(1000)), (Err(Verdict::Stale), vec![]));
    assert_eq!(
        (bench.mill.next_due(), bench.mill.count(Counters::default()).rumors_lost),
        (None, 3)
    );
}

#[test]
fn only_what_is_lacking_is_asked_for() {
    let mut bench = Bench::new(&Dissemination::default());
    for number in [1, 2, 4, 6] {
        assert_eq!(bench.hear(1, 1, number), Ok(vec![]));
    }
    assert_eq!(bench.lacks(line_of(1, 1, 4, 4)), [3]);
    assert_eq!(bench.lacks(line_of(1, 1, 8, 8)), [3, 5, 7, 8, 8]);
    assert_eq!(bench.lacks(line_of(2, 1, 2, 2)), [1, 2, 2], "of one that was never heard");
    assert_eq!(bench.lacks(line_of(2, 0, 2, 2)), [0; 0], "in a start that is over");
}

#[test]
fn a_digest_that_lies_gives_nothing_up() {
    let mut bench = Bench::new(&Dissemination::default());
    assert_eq!(bench.hear(1, 1, 1), Ok(vec![]));
    for highest in [1_000_000_000_000_000_000, u64::MAX] {
        let lacks = bench.lacks(line_of(1, 1, highest, highest));
        assert_eq!((lacks.len(), lacks.last()), (64, Some(&highest)));
        let lacks = bench.lacks(line_of(1, u64::MAX, highest, highest));
        assert_eq!((lacks.len(), lacks[0]), (64, 1));
    }
    assert_eq!((bench.mill.next_due(), bench.pass(1000)), (None, vec![]));
    assert_eq!(bench.hear(1, 1, 2), Ok(vec![]), "nothing has moved");
}

#[test]
fn who_may_lack_something_is_told() {
    let mut bench = Bench::new(&Dissemination::default());
    for number in [1, 3] {
        assert_eq!(bench.hear(1, 1, number), Ok(vec![]));
    }
    let check = |theirs, expected: Option<Line>| {
        assert_eq!(bench.mill.more_than(node(1), &theirs, bench.now), expected, "{theirs:?}");
    };
    let ours = line_of(1, 1, 1, 3);
    check(line_of(1, 1, 2, 2), Some(ours));
    check(line_of(1, 1, 1, 3), Some(ours));
    check(line_of(1, 1, 3, 3), None);
    check(line_of(1, 0, 9, 9), Some(ours));
    check(line_of(1, 2, 0, 0), None);
    assert_eq!(bench.mill.lines(9, bench.now, &mut bench.rng), [ours]);
    bench.pass(120);
    assert_eq!(bench.mill.more_than(node(1), &line_of(1, 0, 0, 0), bench.now), None, "too late");
    assert_eq!(bench.mill.lines(9, bench.now, &mut bench.rng), []);
    bench.mill.marks.hear(Mark { by: [6; 8], epoch: 2, highest: 5 });
    assert_eq!(bench.lacks(line_of(6, 1, 0, 0)), [0; 0]);
}

#[test]
fn digests_have_the_latest_and_the_others_in_turn() {
    let mut bench = Bench::new(&Dissemination::default());
    for by in 1..=8 {
        assert_eq!(bench.hear(by, 1, 1), Ok(vec![]));
        bench.pass(1);
    }
    let mut told = BTreeSet::new();
    for _ in 0..50 {
        let lines = bench.mill.lines(4, bench.now, &mut bench.rng);
        let by: Vec<u8> = lines.iter().map(|line| line.by[0]).collect();
        assert_eq!((by.len(), &by[..2]), (4, &[8, 7][..]));
        told.extend(by);
    }
    assert_eq!(told.len(), 8);
}

#[test]
fn an_origin_has_its_share_here_and_twice_that_elsewhere() {
    let settings = Dissemination { per_second: 10, burst: 10, ..Dissemination::default() };
    let mut bench = Bench::new(&settings);
    for number in 1..=10 {
        assert_eq!(bench.mill.speak(1, bench.now), Ok((1, number)));
    }
    let wait = Duration::from_millis(100);
    assert_eq!(bench.mill.speak(1, bench.now), Err(BroadcastError::Full { wait }));
    bench.now = bench.now + wait;
    assert_eq!(bench.mill.speak(1, bench.now), Ok((1, 11)));
    for number in 1..=20 {
        assert_eq!(bench.hear(1, 1, number), Ok(vec![]));
    }
    assert_eq!(bench.hear(1, 1, 21), Err(Verdict::Excessive));
    assert_eq!(bench.hear(2, 1, 1), Ok(vec![]), "others have their own");
    bench.pass(1);
    assert_eq!(bench.hear(1, 1, 21), Ok(vec![]), "it was not taken for heard");
}

#[test]
fn what_is_too_long_is_an_error() {
    let mut bench = Bench::new(&Dissemination { longest: 100, ..Dissemination::default() });
    assert_eq!(
        bench.mill.speak(101, bench.now),
        Err(BroadcastError::TooLong { len: 101, most: 100 })
    );
    assert_eq!(bench.mill.speak(100, bench.now), Ok((1, 1)));
    let mut bench = Bench::new(&Dissemination { longest: usize::MAX, ..Dissemination::default() });
    let (len, most) = (MAX_RUMOR + 1, MAX_RUMOR);
    assert_eq!(bench.mill.speak(len, bench.now), Err(BroadcastError::TooLong { len, most }));
}

#[test]
fn a_joiner_begins_at_its_marks_whatever_it_heard_before_them() {
    let mut bench = Bench::new(&Dissemination::default());
    bench.mill.marks.begin(bench.now);
    assert_eq!((bench.hear(1, 1, 50), bench.hear(2, 1, 50)), (Ok(vec![]), Ok(vec![])));
    assert_eq!(
        (bench.lacks(line_of(1, 1, 50, 50)), bench.lacks(line_of(3, 1, 9, 9))),
        (vec![], vec![])
    );
    for (by, highest) in [(1, 47), (3, 7), (4, 90)] {
        bench.mill.marks.hear(Mark { by: [by; 8], epoch: 1, highest });
    }
    bench.mill.end_marks(bench.now);
    assert_eq!(bench.lacks(line_of(1, 1, 50, 50)), [48, 49]);
    assert_eq!(bench.lacks(line_of(2, 1, 50, 50)).len(), 49, "nobody had heard of it");
    assert_eq!(bench.lacks(line_of(3, 1, 9, 9)), [8, 9, 9]);
    assert_eq!(bench.lacks(line_of(6, 1, 0, 0)), [0; 0]);
    assert_eq!(bench.hear(3, 1, 9), Ok(vec![]));
    assert_eq!(bench.hear(4, 1, 80), Ok(vec![]), "older ones may come");
    assert_eq!(bench.lacks(line_of(4, 1, 80, 80)), [0; 0]);
    assert_eq!(bench.hear(5, 1, 2), Ok(vec![]));
    assert_eq!(bench.lacks(line_of(5, 1, 2, 2)), [1], "it has come since");
    let marks: Vec<(u8, u64)> =
        bench.mill.all_marks().iter().map(|mark| (mark.by[0], mark.highest)).collect();
    assert_eq!(marks, [(1, 50), (2, 50), (3, 9), (4, 90), (5, 2)]);
}

#[test]
fn those_who_are_gone_make_room_and_are_not_heard_again_while_there_is() {
    let mut bench = Bench::new(&Dissemination::default());
    assert_eq!(bench.hear(1, 1, 5), Ok(vec![]));
    assert_eq!(bench.mill.forget(node(1)), [Gap { origin: node(1), epoch: 1, from: 1, to: 4 }]);
    assert_eq!(
        (bench.hear(1, 1, 5), bench.hear(1, 1, 4)),
        (Err(Verdict::Stale), Err(Verdict::Stale))
    );
    for by in 2..=9 {
        assert_eq!(bench.hear(by, 1, 1), Ok(vec![]));
    }
    assert_eq!((bench.mill.origins.len(), bench.mill.origins.contains_key(&node(1))), (8, false));
}

#[test]
fn what_is_served_is_bounded_for_each_and_for_all() {
    let mut bench = Bench::new(&Dissemination::default());
    let page = 64 << 10;
    let mut served = |by: u8| {
        (0..1000).take_while(|_| bench.mill.may_serve(node(by), page, bench.now)).count() as u64
    };
    assert_eq!(served(1), SERVED / page as u64);
    assert_eq!((2..=50).map(&mut served).sum::<u64>(), (SERVED_ALL - SERVED) / page as u64);
    (1..=50).for_each(|by| _ = bench.mill.forget(node(by)));
    assert!(bench.mill.served.is_empty(), "nothing is kept for those who are gone");
}
