//! Each message to every subscriber.

use bytes::Bytes;

use super::rig::{ALL, EPOCH, Got, Heard, Rig, block, fanout, settings, some};
use crate::{
    Policy, Routing,
    config::Topic as Settings,
    stats::LeftState,
    topic::Most,
    wire::{EndReason, GapReason, RefusedWhy, Resume},
};

#[test]
fn every_subscriber_gets_every_message_in_order_and_is_called_once() {
    let mut rig = fanout(Policy::DropOldest, 100);
    (1..4).for_each(|conn| rig.subscribe(conn));
    rig.said();
    rig.publish(9, block(["a", "b"])).expect("accepted");
    rig.publish(8, block(["c"])).expect("accepted");
    assert_eq!(rig.said(), [Heard::Ready(1), Heard::Ready(2), Heard::Ready(3)]);
    for conn in 1..4 {
        let texts = ["a", "b", "c"].map(Bytes::from);
        let expected: Vec<_> =
            (1..).zip(texts).map(|(seq, text)| Got::Message(seq, text)).collect();
        assert_eq!(rig.take(conn, ALL), (expected, false));
    }
    rig.publish(9, some(1)).expect("accepted");
    assert_eq!(rig.said().len(), 3);
}

#[test]
fn a_receipt_says_where_messages_are_and_how_many_get_them() {
    let mut rig = fanout(Policy::DropOldest, 100);
    rig.submit(9, Some(5), some(2)).expect("accepted");
    rig.subscribe(1);
    rig.submit(9, Some(6), some(3)).expect("accepted");
    let said = rig.said();
    assert!(said.contains(&Heard::Receipt(9, 5, 1, 2, 0)), "{said:?}");
    assert!(said.contains(&Heard::Subscribed(1, 3)), "{said:?}");
    assert!(said.contains(&Heard::Receipt(9, 6, 3, 3, 1)), "{said:?}");
}

#[test]
fn dropping_the_oldest_leaves_exactly_the_limit() {
    let mut rig = fanout(Policy::DropOldest, 5);
    rig.subscribe(1);
    rig.publish(9, some(4)).expect("accepted");
    rig.publish(9, some(4)).expect("accepted");
    assert_eq!(rig.topic.stats().queued.messages, 5);
    assert_eq!(rig.numbers(1), [-1, -3, 4, 5, 6, 7, 8]);
    rig.publish(9, some(12)).expect("accepted");
    assert_eq!(rig.numbers(1), [-9, -15, 16, 17, 18, 19, 20]);
    assert_eq!((rig.topic.stats().dropped.oldest, rig.topic.stats().gaps), (10, 2));
}

#[test]
fn dropping_the_newest_leaves_exactly_the_limit() {
    let mut rig = fanout(Policy::DropNewest, 5);
    rig.subscribe(1);
    rig.publish(9, some(4)).expect("accepted");
    rig.publish(9, some(4)).expect("accepted");
    rig.publish(9, some(4)).expect("accepted");
    assert_eq!(rig.take(1, Most { messages: 3, ..ALL }).0.len(), 3);
    rig.publish(9, some(2)).expect("accepted");
    assert_eq!(rig.numbers(1), [4, 5, -6, -12, 13, 14]);
    assert_eq!(rig.topic.stats().dropped.newest, 7);
}

#[test]
fn bytes_are_limited_as_messages_are() {
    for (policy, expected) in
        [(Policy::DropOldest, vec![-1, -1, 2, 3]), (Policy::DropNewest, vec![1, 2, -3, -3])]
    {
        let limits = Settings { max_bytes: 10, ..settings(Routing::Fanout, policy, 100) };
        let mut rig = Rig::new(limits);
        rig.subscribe(1);
        rig.publish(9, block(["12345", "12345", "1"])).expect("accepted");
        assert_eq!(rig.numbers(1), expected, "{policy:?}");
    }
}

#[test]
fn a_laggard_is_disconnected_and_nobody_else() {
    let mut rig = fanout(Policy::Disconnect, 3);
    (1..4).for_each(|conn| rig.subscribe(conn));
    rig.publish(9, some(2)).expect("accepted");
    assert_eq!((rig.numbers(1), rig.numbers(3)), (vec![1, 2], vec![1, 2]));
    rig.said();
    rig.publish(9, some(2)).expect("accepted");
    let said = rig.said();
    assert_eq!(said[..2], [Heard::Ended(2, EndReason::Lagging), Heard::Cut(2)]);
    assert_eq!((rig.numbers(1), rig.numbers(2), rig.numbers(3)), (vec![3, 4], vec![], vec![3, 4]));
    assert_eq!((rig.topic.stats().subscribers, rig.topic.stats().dropped.ended), (2, 4));
}

#[test]
fn a_window_holds_back_until_what_was_sent_is_seen() {
    let mut rig = fanout(Policy::DropOldest, 100);
    // Room for two blocks of one message of a byte.
    rig.resume(1, 10, None).expect("subscribed");
    (0..5).for_each(|_| rig.publish(9, some(1)).expect("accepted"));
    assert_eq!(rig.numbers(1), [1, 2]);
    rig.said();
    assert_eq!(rig.seen(1, 3), Ok(()));
    assert_eq!((rig.said(), rig.topic.stats().ignored), (vec![], 1));
    rig.seen(1, 1).expect("subscribed");
    assert_eq!(rig.said(), [Heard::Ready(1)]);
    assert_eq!(rig.numbers(1), [3]);
    rig.seen(1, 3).expect("subscribed");
    assert_eq!(rig.numbers(1), [4, 5]);
    assert!(!rig.topic.is_drained());
    rig.seen(1, 5).expect("subscribed");
    assert!(rig.topic.is_drained());
    assert_eq!((rig.topic.stats().confirmed, rig.memory.used()), (5, 0));
}

#[test]
fn a_block_longer_than_the_window_goes_alone() {
    let mut rig = fanout(Policy::DropOldest, 100);
    rig.resume(1, 0, None).expect("subscribed");
    rig.publish(9, some(9)).expect("accepted");
    rig.publish(9, some(1)).expect("accepted");
    assert_eq!(rig.numbers(1).len(), 9);
    rig.seen(1, 5).expect("subscribed");
    assert_eq!(rig.numbers(1), []);
    rig.seen(1, 9).expect("subscribed");
    assert_eq!(rig.numbers(1), [10]);
}

#[test]
fn many_dropped_ranges_are_told_as_one_gap() {
    let mut rig = fanout(Policy::DropOldest, 2);
    rig.resume(1, 1, None).expect("subscribed");
    rig.publish(9, some(1)).expect("accepted");
    assert_eq!(rig.numbers(1), [1]);
    rig.said();
    (0..10).for_each(|_| rig.publish(9, some(1)).expect("accepted"));
    assert_eq!(rig.said(), []);
    rig.seen(1, 1).expect("subscribed");
    assert_eq!(rig.take(1, ALL).0.len(), 2);
    assert_eq!(rig.topic.stats().gaps, 1);
}

#[test]
fn whoever_comes_back_is_told_what_it_missed() {
    let mut rig = fanout(Policy::DropOldest, 100);
    rig.publish(9, some(5)).expect("accepted");
    let resumed = |epoch, after| {
        let mut rig = fanout(Policy::DropOldest, 100);
        rig.publish(9, some(5)).expect("accepted");
        rig.resume(1, 100, Some(Resume { epoch, after })).expect("subscribed");
        rig.said()
    };
    let gap = |from, reason| [Heard::Subscribed(1, 6), Heard::Gap(1, from, 5, reason)];
    assert_eq!(resumed(EPOCH, 2), gap(3, GapReason::Away));
    assert_eq!(resumed(EPOCH, 5), [Heard::Subscribed(1, 6)]);
    assert_eq!(resumed(EPOCH, u64::MAX), [Heard::Subscribed(1, 6)]);
    assert_eq!(resumed(EPOCH + 1, 9), gap(1, GapReason::Restarted));
}

#[test]
fn refusals_leave_nothing_behind() {
    let short = Settings { max_message_size: 3, ..settings(Routing::Fanout, Policy::Block, 9) };
    let mut rig = Rig::new(short);
    rig.subscribe(1);
    assert_eq!(rig.resume(1, 1, None), Err(RefusedWhy::AlreadySubscribed));
    assert_eq!(rig.publish(9, block(["abc", "abcd"])), Err(RefusedWhy::TooLarge));
    assert_eq!(rig.unsubscribe(2), Err(RefusedWhy::NotSubscribed));
    assert_eq!(rig.seen(2, 1), Err(RefusedWhy::NotSubscribed));
    rig.memory.set_limit(10);
    assert_eq!(rig.publish(9, some(1)), Err(RefusedWhy::Memory));
    rig.topic.stop_accepting();
    assert_eq!(rig.publish(9, some(1)), Err(RefusedWhy::Stopping));
    assert_eq!(rig.resume(3, 1, None), Err(RefusedWhy::Stopping));
    assert_eq!((rig.numbers(1), rig.memory.used(), rig.topic.stats().next), (vec![], 0, 1));
    assert_eq!(rig.topic.stats().refused[&RefusedWhy::TooLarge], 2);
}

#[test]
fn credit_is_granted_when_half_of_it_is_used_also_by_what_is_refused() {
    let mut rig = fanout(Policy::DropOldest, 1_000);
    let hundred = || block(["x".repeat(96)]);
    (0..4).for_each(|_| rig.publish(9, hundred()).expect("accepted"));
    assert_eq!(rig.said(), []);
    rig.topic.stop_accepting();
    assert_eq!(rig.publish(9, hundred()), Err(RefusedWhy::Stopping));
    assert_eq!(rig.said(), [Heard::Credit(9, 1_500)]);
}

#[test]
fn smaller_limits_apply_to_what_is_queued() {
    for (policy, expected) in [
        (Policy::DropOldest, vec![-1, -7, 8, 9]),
        (Policy::DropNewest, vec![1, 2, -3, -9]),
        (Policy::Disconnect, vec![]),
        (Policy::Block, (1..10).collect()),
    ] {
        let mut rig = fanout(policy, 100);
        rig.subscribe(1);
        [4, 4, 1].into_iter().for_each(|count| rig.publish(9, some(count)).expect("accepted"));
        rig.reconfigure(settings(Routing::Fanout, policy, 2));
        assert_eq!(rig.numbers(1), expected, "{policy:?}");
        assert_eq!(rig.memory.used(), 0);
    }
}

#[test]
fn who_goes_while_a_topic_drains_is_in_the_report() {
    let mut rig = fanout(Policy::DropOldest, 2);
    rig.subscribe(1);
    rig.publish(9, some(3)).expect("accepted");
    rig.topic.stop_accepting();
    rig.forget(1);
    let left: Vec<_> =
        rig.end(EndReason::Stopping).iter().map(|left| (left.from, left.to, left.state)).collect();
    assert_eq!(left, [(1, 1, LeftState::Dropped), (2, 3, LeftState::Queued)]);
}

#[test]
fn what_is_left_is_reported_by_subscriber_and_range() {
    let mut rig = fanout(Policy::DropNewest, 3);
    rig.subscribe(1);
    rig.publish(9, some(2)).expect("accepted");
    rig.numbers(1);
    rig.seen(1, 1).expect("subscribed");
    [2, 5, 2].into_iter().for_each(|count| rig.publish(9, some(count)).expect("accepted"));
    rig.take(1, Most { messages: 2, ..ALL });
    rig.publish(9, some(1)).expect("accepted");
    let left: Vec<_> =
        rig.end(EndReason::Stopping).iter().map(|left| (left.from, left.to, left.state)).collect();
    let expected = [
        (2, 4, LeftState::Unconfirmed),
        (5, 5, LeftState::Queued),
        (6, 11, LeftState::Dropped),
        (12, 12, LeftState::Queued),
    ];
    assert_eq!(left, expected);
    let told = [Heard::Gap(1, 6, 11, GapReason::Dropped), Heard::Ended(1, EndReason::Stopping)];
    assert!(rig.said().ends_with(&told));
    assert!(rig.topic.is_drained() && rig.memory.used() == 0);
}

#[test]
fn a_slow_subscriber_pins_only_what_it_waits_for() {
    let mut rig = fanout(Policy::DropNewest, 10);
    (1..3).for_each(|conn| rig.subscribe(conn));
    for _ in 0..1_000 {
        rig.publish(9, some(1)).expect("accepted");
        rig.numbers(1);
    }
    let one = rig.memory.used() / 10;
    assert!(one < 300, "{one}");
    assert_eq!(rig.numbers(2).len(), 12);
    assert_eq!(rig.memory.used(), 0);
}
