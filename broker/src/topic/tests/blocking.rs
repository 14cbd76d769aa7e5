//! Publishers that wait for room.

use std::time::Duration;

use super::rig::{ALL, Heard, Rig, WINDOW, block, fanout, queue, settings, some};
use crate::{
    Policy, Routing,
    config::Topic as Settings,
    stats::LeftState,
    topic::Most,
    wire::{EndReason, RefusedWhy},
};

const TIMEOUT: Duration = Duration::from_secs(5);

#[test]
fn parked_blocks_keep_their_order_and_come_in_as_there_is_room() {
    let mut rig = fanout(Policy::Block, 4);
    rig.subscribe(1);
    rig.said();
    rig.submit(7, Some(1), some(3)).expect("accepted");
    rig.submit(8, Some(2), some(3)).expect("parked");
    rig.submit(9, Some(3), some(1)).expect("parked");
    let receipt = |conn, number, first, count| Heard::Receipt(conn, number, first, count, 1);
    assert_eq!(rig.said(), [Heard::Ready(1), receipt(7, 1, 1, 3)]);
    let stats = rig.topic.stats();
    assert_eq!((stats.queued.messages, stats.parked.messages, stats.blocked), (4, 3, true));
    assert_eq!(rig.take(1, Most { messages: 2, ..ALL }).0.len(), 2);
    assert_eq!(rig.said(), [receipt(8, 2, 4, 3)]);
    assert_eq!(rig.numbers(1), [3, 4, 5, 6, 7]);
    assert_eq!(rig.said(), [receipt(9, 3, 7, 1)]);
    assert_eq!((rig.topic.stats().parked.messages, rig.topic.deadline()), (0, None));
}

#[test]
fn the_slowest_subscriber_is_what_everybody_waits_for() {
    let mut rig = fanout(Policy::Block, 2);
    (1..3).for_each(|conn| rig.subscribe(conn));
    rig.publish(9, some(4)).expect("parked");
    assert_eq!(rig.numbers(1), [1, 2]);
    rig.said();
    assert_eq!(rig.take(2, Most { messages: 1, ..ALL }).0.len(), 1);
    assert_eq!(rig.said(), [Heard::Ready(1)]);
    assert_eq!((rig.numbers(1), rig.topic.stats().parked.messages), (vec![3], 1));
    rig.unsubscribe(2).expect("subscribed");
    assert_eq!(rig.numbers(1), [4]);
}

#[test]
fn who_blocks_for_too_long_is_cut() {
    let mut rig = fanout(Policy::Block, 1);
    (1..3).for_each(|conn| rig.subscribe(conn));
    rig.publish(9, some(2)).expect("parked");
    assert_eq!(rig.topic.deadline(), Some(rig.now + TIMEOUT));
    rig.later(TIMEOUT / 2);
    assert_eq!(rig.numbers(1), [1]);
    rig.wake();
    rig.later(TIMEOUT / 2);
    rig.said();
    rig.wake();
    assert_eq!(rig.said(), [Heard::Ended(2, EndReason::Blocking), Heard::Cut(2), Heard::Ready(1)]);
    assert_eq!((rig.numbers(1), rig.topic.deadline()), (vec![2], None));
}

#[test]
fn who_takes_only_a_little_is_not_cut() {
    let mut rig = fanout(Policy::Block, 1);
    rig.subscribe(1);
    rig.publish(9, some(9)).expect("parked");
    for seq in 1..10 {
        rig.later(TIMEOUT - Duration::from_millis(1));
        rig.wake();
        assert_eq!(rig.take(1, Most { messages: 1, ..ALL }).0.len(), 1, "{seq}");
    }
    assert!(rig.topic.is_drained() || rig.topic.stats().queued.messages == 0);
}

#[test]
fn more_than_was_granted_is_refused_while_the_topic_blocks() {
    let mut rig = fanout(Policy::Block, 1);
    rig.subscribe(1);
    rig.publish(9, some(1)).expect("accepted");
    rig.said();
    let large = || block(["x".repeat(WINDOW - 10)]);
    rig.publish(9, large()).expect("parked");
    rig.publish(9, large()).expect("one may be longer than what is left");
    assert_eq!(rig.publish(9, some(1)), Err(RefusedWhy::Overrun));
    rig.publish(8, some(1)).expect("another's");
    assert_eq!(rig.said(), []);
    assert_eq!(rig.numbers(1), [1, 2, 3, 4]);
    assert_eq!(rig.said().len(), 2, "credit for what was parked");
}

#[test]
fn what_a_conn_had_parked_goes_with_it() {
    let mut rig = fanout(Policy::Block, 1);
    rig.subscribe(1);
    rig.publish(7, some(2)).expect("parked");
    rig.publish(8, some(1)).expect("parked");
    rig.forget(7);
    assert_eq!(rig.topic.stats().dropped.abandoned, 1);
    assert_eq!(rig.numbers(1), [1, 2]);
    assert_eq!(rig.memory.used(), 0);
}

#[test]
fn a_topic_that_ends_refuses_what_is_parked() {
    let mut rig = fanout(Policy::Block, 1);
    rig.subscribe(1);
    rig.publish(9, some(3)).expect("parked");
    rig.said();
    let left = rig.end(EndReason::Removed);
    assert_eq!(left.last().map(|left| (left.messages, left.state)), Some((2, LeftState::Parked)));
    let said = rig.said();
    assert_eq!(
        said,
        [Heard::Refused(9, RefusedWhy::UnknownTopic, 2), Heard::Ended(1, EndReason::Removed)]
    );
    assert_eq!(rig.memory.used(), 0);
}

#[test]
fn another_policy_lets_in_what_is_parked() {
    let mut rig = fanout(Policy::Block, 2);
    rig.subscribe(1);
    rig.publish(9, some(5)).expect("parked");
    rig.reconfigure(settings(Routing::Fanout, Policy::DropOldest, 2));
    assert_eq!((rig.numbers(1), rig.topic.deadline()), (vec![-1, -3, 4, 5], None));
}

#[test]
fn what_will_never_fit_is_refused_on_reload() {
    let mut rig = fanout(Policy::Block, 1);
    rig.subscribe(1);
    rig.publish(9, some(1)).expect("accepted");
    rig.publish(9, block(["x".repeat(50)])).expect("parked");
    rig.publish(9, some(1)).expect("parked");
    rig.said();
    let small = Settings { max_bytes: 20, ..settings(Routing::Fanout, Policy::Block, 1) };
    rig.reconfigure(small);
    assert_eq!(rig.said(), [Heard::Refused(9, RefusedWhy::TooLarge, 1)]);
    assert_eq!(rig.numbers(1), [1, 2]);
}

#[test]
fn a_queue_that_blocks_waits_for_room_however_long() {
    let mut rig = queue(Policy::Block, 2);
    rig.submit(9, Some(1), some(5)).expect("parked");
    assert_eq!((rig.topic.deadline(), rig.topic.stats().queued.messages), (None, 2));
    rig.subscribe(1);
    assert_eq!(rig.numbers(1), [1, 2]);
    rig.done(1, &[(1, 1)]);
    assert_eq!(rig.numbers(1), [3]);
    rig.said();
    rig.done(1, &[(2, 2)]);
    assert_eq!(rig.numbers(1), [4, 5]);
    assert!(rig.said().contains(&Heard::Receipt(9, 1, 1, 5, 1)));
    let mut full = Rig::new(settings(Routing::Queue, Policy::Block, 1));
    full.publish(9, some(1)).expect("accepted");
    full.publish(9, some(1)).expect("parked");
    full.forget(9);
    assert_eq!(full.topic.stats().dropped.abandoned, 1);
}
