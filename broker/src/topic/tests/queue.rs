//! Each message to one subscriber.

use std::{collections::BTreeMap, time::Duration};

use super::rig::{ALL, Got, Heard, Rig, block, queue, settings, some};
use crate::{
    Policy, Routing,
    config::Topic as Settings,
    stats::LeftState,
    topic::Most,
    wire::{EndReason, RefusedWhy, Verdict},
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn again(got: &[Got]) -> Vec<(u64, u8)> {
    let each = got.iter().filter_map(|got| match got {
        Got::Again(seq, times) => Some((*seq, *times)),
        _ => None,
    });
    each.collect()
}

/// How many messages each of four equal consumers gets, of blocks of so many; all settle at once, or
/// only when they have a few.
fn shares(blocks: &[usize], settles_at: usize) -> Vec<usize> {
    let mut rig = queue(Policy::DropOldest, 1_000_000);
    (1..5).for_each(|conn| rig.subscribe(conn));
    let mut gotten = [0; 5];
    let mut unsettled = [const { Vec::new() }; 5];
    for count in blocks {
        rig.publish(9, some(*count)).expect("accepted");
        for conn in 1..5 {
            let numbers = rig.numbers(conn);
            gotten[conn as usize] += numbers.len();
            let waiting = &mut unsettled[conn as usize];
            waiting.extend(numbers.into_iter().map(|seq| (seq as u64, 1)));
            if settles_at <= waiting.len() {
                rig.done(conn, &std::mem::take(waiting));
            }
        }
    }
    assert_eq!(gotten.iter().sum::<usize>(), blocks.iter().sum());
    gotten[1..].to_vec()
}

#[test]
fn equal_consumers_get_equal_shares() {
    for size in [1, 3, 4, 5, 7, 63, 64, 65, 1_000] {
        for settles_at in [1, 10, 1_000] {
            let shares = shares(&vec![size; 4_000 / size], settles_at);
            let (least, most) = (shares.iter().min(), shares.iter().max());
            let (least, most) = (least.expect("four"), most.expect("four"));
            assert!(most * 10 <= least * 11, "{size} {settles_at}: {shares:?}");
        }
    }
}

#[test]
fn whoever_is_free_gets_what_the_slow_do_not_take() {
    let mut rig = queue(Policy::DropOldest, 10_000);
    (1..5).for_each(|conn| rig.resume(conn, 100, None).expect("subscribed"));
    rig.publish(9, some(1_000)).expect("accepted");
    let mut fast = 0;
    while let numbers = rig.numbers(4)
        && !numbers.is_empty()
    {
        fast += numbers.len();
        numbers.iter().for_each(|seq| rig.done(4, &[(*seq as u64, 1)]));
    }
    // The others have a window full of 20 messages each, and no more.
    assert_eq!(fast, 1_000 - 3 * 20);
}

#[test]
fn whoever_settles_gets_more_than_whoever_only_takes() {
    let mut rig = queue(Policy::DropOldest, 10_000);
    (1..3).for_each(|conn| rig.subscribe(conn));
    let mut taken = [0, 0];
    for _ in 0..100 {
        rig.publish(9, some(1)).expect("accepted");
        taken[0] += rig.numbers(1).len();
        for seq in rig.numbers(2) {
            taken[1] += 1;
            rig.done(2, &[(seq as u64, 1)]);
        }
    }
    assert!(taken[0] <= 1, "{taken:?}");
}

#[test]
fn without_a_consumer_messages_are_held() {
    let mut rig = queue(Policy::DropOldest, 3);
    rig.publish(9, some(5)).expect("accepted");
    assert_eq!(rig.topic.left()[0].state, LeftState::Held);
    rig.subscribe(1);
    assert_eq!(rig.numbers(1), [3, 4, 5]);
    assert_eq!(rig.topic.stats().dropped.oldest, 2);
}

#[test]
fn messages_of_a_taker_that_vanishes_go_to_others_flagged_and_in_order() {
    let mut rig = queue(Policy::DropOldest, 100);
    rig.subscribe(1);
    rig.publish(9, some(6)).expect("accepted");
    assert_eq!(rig.take(1, Most { messages: 4, ..ALL }).0.len(), 4);
    rig.done(1, &[(2, 1)]);
    rig.forget(1);
    rig.publish(9, some(1)).expect("accepted");
    rig.subscribe(2);
    let (got, _) = rig.take(2, ALL);
    assert_eq!(again(&got), [(1, 1), (3, 1), (4, 1)]);
    let seqs: Vec<_> = got
        .iter()
        .filter_map(|got| if let Got::Message(seq, _) = got { Some(*seq) } else { None })
        .collect();
    assert_eq!(seqs, [1, 3, 4, 5, 6, 7]);
    rig.done(2, &[(1, 7)]);
    assert_eq!((rig.topic.stats().redelivered, rig.topic.stats().confirmed), (3, 7));
    assert!(rig.topic.is_drained() && rig.memory.used() == 0);
}

#[test]
fn what_is_not_settled_in_time_goes_to_another() {
    let mut rig = queue(Policy::DropOldest, 100);
    (1..3).for_each(|conn| rig.subscribe(conn));
    rig.publish(9, some(1)).expect("accepted");
    assert_eq!(rig.numbers(1), [1]);
    assert_eq!(rig.topic.deadline(), Some(rig.now + TIMEOUT));
    rig.later(TIMEOUT - Duration::from_nanos(1));
    rig.wake();
    assert_eq!(rig.numbers(2), []);
    rig.later(Duration::from_nanos(1));
    rig.said();
    rig.wake();
    assert_eq!(rig.said(), [Heard::Ready(2)]);
    assert_eq!(again(&rig.take(2, ALL).0), [(1, 1)]);
    rig.done(1, &[(1, 1)]);
    assert_eq!((rig.topic.stats().ignored, rig.topic.stats().confirmed), (1, 0));
    rig.done(2, &[(1, 1)]);
    assert_eq!((rig.topic.deadline(), rig.topic.stats().confirmed), (None, 1));
}

#[test]
fn what_is_given_back_goes_to_somebody_else() {
    let mut rig = queue(Policy::DropOldest, 100);
    (1..3).for_each(|conn| rig.subscribe(conn));
    rig.publish(9, some(1)).expect("accepted");
    for taker in [1, 2, 1, 2] {
        assert_eq!(rig.numbers(taker), [1]);
        rig.settle(taker, Verdict::GiveBack, &[(1, 1)]).expect("subscribed");
    }
}

#[test]
fn what_was_delivered_too_often_is_given_up() {
    let mut rig = queue(Policy::DropOldest, 100);
    let dead_letter = Some("dead".parse().expect("name"));
    let twice = settings(Routing::Queue, Policy::DropOldest, 100);
    rig.reconfigure(Settings { max_deliveries: 2, dead_letter, ..twice.clone() });
    rig.subscribe(1);
    rig.publish(9, block(["a", "b", "c"])).expect("accepted");
    let give_back = |rig: &mut Rig| {
        let got = rig.take(1, ALL).0;
        rig.said();
        rig.settle(1, Verdict::GiveBack, &[(1, 2)]).expect("subscribed");
        got
    };
    assert_eq!(again(&give_back(&mut rig)), []);
    assert_eq!(again(&give_back(&mut rig)), [(1, 1), (2, 1)]);
    assert_eq!(rig.said(), [Heard::DeadLetter(vec!["a".into(), "b".into()])]);
    assert_eq!(rig.topic.stats().dead_lettered, 2);
    let mut drained = queue(Policy::DropNewest, 4);
    drained.topic.stop_accepting();
    assert_eq!(drained.publish(9, some(1)), Err(RefusedWhy::Stopping));
    drained.publish(0, some(1)).expect("what another topic gives up is kept");
    rig.reconfigure(Settings { max_deliveries: 1, ..twice });
    rig.settle(1, Verdict::GiveBack, &[(3, 1)]).expect("subscribed");
    assert_eq!((rig.topic.stats().given_up, rig.topic.is_drained()), (1, true));
    assert_eq!(rig.memory.used(), 0);
}

#[test]
fn a_full_queue_refuses_or_drops_what_nobody_has() {
    for policy in [Policy::DropNewest, Policy::Disconnect] {
        let mut rig = queue(policy, 4);
        rig.publish(9, some(3)).expect("accepted");
        assert_eq!(rig.submit(9, Some(1), some(2)), Err(RefusedWhy::Full), "a receipt is for all");
        rig.publish(9, some(3)).expect("one fits");
        assert_eq!(rig.said(), [Heard::Refused(9, RefusedWhy::Full, 2)], "{policy:?}");
        assert_eq!(rig.publish(9, some(1)), Err(RefusedWhy::Full));
        let stats = rig.topic.stats();
        assert_eq!((stats.queued.messages, stats.refused[&RefusedWhy::Full]), (4, 5));
    }
    let mut rig = queue(Policy::DropOldest, 4);
    [3, 2].into_iter().for_each(|count| rig.publish(9, some(count)).expect("accepted"));
    assert_eq!(rig.topic.stats().queued.messages, 4);
    let mut rig = queue(Policy::DropOldest, 4);
    rig.subscribe(1);
    rig.publish(9, some(4)).expect("accepted");
    assert_eq!(rig.publish(9, some(1)), Err(RefusedWhy::Full), "all of them are somebody's");
    rig.numbers(1);
    rig.done(1, &[(1, 1)]);
    rig.publish(9, some(1)).expect("accepted");
}

#[test]
fn a_taker_has_no_more_than_its_window() {
    let mut rig = queue(Policy::DropOldest, 100);
    rig.resume(1, 11, None).expect("subscribed");
    rig.publish(9, some(5)).expect("accepted");
    rig.publish(9, block(["longer than the window"])).expect("accepted");
    assert_eq!(rig.numbers(1), [1, 2]);
    rig.done(1, &[(1, 2)]);
    assert_eq!(rig.numbers(1), [3, 4]);
    rig.done(1, &[(4, 1)]);
    assert_eq!(rig.numbers(1), [5]);
    rig.done(1, &[(3, 3)]);
    assert_eq!(rig.numbers(1), [6]);
}

#[test]
fn runs_are_settled_in_any_parts() {
    let mut rig = queue(Policy::DropOldest, 1_000);
    rig.subscribe(1);
    for count in [10, 1, 5, 4] {
        rig.publish(9, some(count)).expect("accepted");
    }
    assert_eq!(rig.numbers(1).len(), 20);
    let left = |rig: &Rig| -> BTreeMap<u64, u64> {
        rig.topic.left().iter().map(|left| (left.from, left.to)).collect()
    };
    rig.done(1, &[(3, 2), (9, 4), (20, u32::MAX), (0, 0), (5, 0)]);
    assert_eq!(left(&rig), BTreeMap::from([(1, 2), (5, 8), (13, 19)]));
    rig.done(1, &[(0, 2), (6, 1), (6, 1)]);
    assert_eq!(left(&rig), BTreeMap::from([(2, 2), (5, 5), (7, 8), (13, 19)]));
    rig.done(1, &[(0, u32::MAX), (u64::MAX, u32::MAX)]);
    assert!(rig.topic.is_drained() && rig.memory.used() == 0);
    assert_eq!((rig.topic.deadline(), rig.topic.stats().confirmed), (None, 20));
}

#[test]
fn an_end_reports_what_each_has_and_what_is_held() {
    let mut rig = queue(Policy::DropOldest, 100);
    rig.resume(1, 20, None).expect("subscribed");
    rig.publish(9, some(6)).expect("accepted");
    rig.take(1, Most { messages: 2, ..ALL });
    let left: Vec<_> =
        rig.end(EndReason::Removed).iter().map(|l| (l.from, l.to, l.state)).collect();
    let expected =
        [(1, 2, LeftState::Unconfirmed), (3, 4, LeftState::Queued), (5, 6, LeftState::Held)];
    assert_eq!(left, expected);
    assert_eq!(rig.said().last(), Some(&Heard::Ended(1, EndReason::Removed)));
    assert_eq!((rig.memory.used(), rig.topic.stats().dropped.ended), (0, 6));
}
