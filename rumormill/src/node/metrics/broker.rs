//! What a broker counts: a page of its own, or behind that of the node that hosts it.

use rumormill_broker::{Stats, TopicStats};

use super::{
    Family,
    Kind::{Counter, Gauge, Histogram},
    Series,
    families::snake,
    page,
};

/// All of it in the text format of Prometheus.
pub(crate) fn broker_page(stats: &Stats) -> String {
    page(BROKER, stats)
}

macro_rules! of_topics {
    ($name:literal, $kind:ident, $help:literal, $number:expr) => {
        Family {
            name: $name,
            kind: $kind,
            labels: &["topic"],
            help: $help,
            fill: |all, series| each_topic(all, series, $number),
        }
    };
}

macro_rules! of_broker {
    ($name:literal, $kind:ident, $help:literal, $number:expr) => {
        Family {
            name: $name,
            kind: $kind,
            labels: &[],
            help: $help,
            fill: |all, series| series.put(&[], ($number)(all)),
        }
    };
}

pub(super) const BROKER: &[Family<Stats>] = &[
    of_topics!(
        "rumormill_topic_published_messages_total",
        Counter,
        "Messages that were accepted and numbered.",
        |topic| topic.published.messages
    ),
    of_topics!("rumormill_topic_published_bytes_total", Counter, "And their bytes.", |topic| topic
        .published
        .bytes),
    of_topics!(
        "rumormill_topic_delivered_messages_total",
        Counter,
        "Messages that were handed to writers, once for each subscriber.",
        |topic| topic.delivered.messages
    ),
    of_topics!("rumormill_topic_delivered_bytes_total", Counter, "And their bytes.", |topic| topic
        .delivered
        .bytes),
    of_topics!(
        "rumormill_topic_confirmed_total",
        Counter,
        "Messages that subscribers have seen, or takers of a queue are done with.",
        |topic| topic.confirmed
    ),
    of_topics!(
        "rumormill_topic_redelivered_total",
        Counter,
        "Messages of a queue that were delivered again.",
        |topic| topic.redelivered
    ),
    of_topics!(
        "rumormill_topic_given_up_total",
        Counter,
        "Messages of a queue that were delivered too often, and had nowhere to go.",
        |topic| topic.given_up
    ),
    of_topics!(
        "rumormill_topic_dead_lettered_total",
        Counter,
        "Messages of a queue that were delivered too often, and went to its topic for dead letters.",
        |topic| topic.dead_lettered
    ),
    Family {
        name: "rumormill_topic_dropped_total",
        kind: Counter,
        labels: &["topic", "reason"],
        help: "Messages that were accepted and then dropped, once for each subscriber that missed them: the oldest or newest for want of room, those of subscribers whose subscription ended, and those of publishers that left while they waited.",
        fill: dropped,
    },
    Family {
        name: "rumormill_topic_refused_total",
        kind: Counter,
        labels: &["topic", "reason"],
        help: "Messages that were not accepted.",
        fill: refused,
    },
    of_topics!(
        "rumormill_topic_gaps_total",
        Counter,
        "Gaps that subscribers were told of.",
        |topic| topic.gaps
    ),
    of_topics!(
        "rumormill_topic_queued_messages",
        Gauge,
        "Messages that wait, once for each subscriber; in a queue also those that are not settled.",
        |topic| topic.queued.messages
    ),
    of_topics!("rumormill_topic_queued_bytes", Gauge, "And their bytes.", |topic| topic
        .queued
        .bytes),
    of_topics!(
        "rumormill_topic_deepest_messages",
        Gauge,
        "Messages that wait for the subscriber for whom most do.",
        |topic| topic.deepest.messages
    ),
    of_topics!(
        "rumormill_topic_parked_messages",
        Gauge,
        "Messages of publishers that wait for room, in a topic that blocks.",
        |topic| topic.parked.messages
    ),
    of_topics!(
        "rumormill_topic_blocked",
        Gauge,
        "1 if publishers wait for room; else 0.",
        |topic| u64::from(topic.blocked)
    ),
    of_topics!("rumormill_topic_subscribers", Gauge, "Subscriptions.", |topic| topic.subscribers
        as u64),
    of_broker!("rumormill_broker_conns", Gauge, "Conns that are open.", |all: &Stats| all.conns),
    of_broker!(
        "rumormill_broker_conns_accepted_total",
        Counter,
        "Conns that were let in.",
        |all: &Stats| all.accepted
    ),
    of_broker!(
        "rumormill_broker_conns_refused_total",
        Counter,
        "Conns for which there was no place.",
        |all: &Stats| all.refused
    ),
    of_broker!(
        "rumormill_broker_accepts_failed_total",
        Counter,
        "Attempts to accept a conn that failed for want of something on this side.",
        |all: &Stats| all.failed_accepts
    ),
    of_broker!(
        "rumormill_broker_conns_closed_total",
        Counter,
        "Conns that ended as they should.",
        |all: &Stats| all.closed
    ),
    Family {
        name: "rumormill_broker_conns_cut_total",
        kind: Counter,
        labels: &["reason"],
        help: "Conns that were cut off, or broke.",
        fill: |all, series| {
            all.cut.iter().for_each(|(why, count)| series.put(&[&snake(why)], count))
        },
    },
    of_broker!(
        "rumormill_broker_dead_letters_lost_total",
        Counter,
        "Messages that were given up, and that the topic for dead letters did not take.",
        |all: &Stats| all.dead_letters_lost
    ),
    of_broker!(
        "rumormill_broker_memory_bytes",
        Gauge,
        "Bytes of messages that are held, each counted once.",
        |all: &Stats| all.memory_used
    ),
    of_broker!(
        "rumormill_broker_memory_limit_bytes",
        Gauge,
        "The most that may be held.",
        |all: &Stats| all.memory_limit
    ),
    Family {
        name: "rumormill_broker_routing_seconds",
        kind: Histogram,
        labels: &[],
        help: "How long it took to route what came together, of one in 16.",
        fill: |all, series| series.put_times_within(&[], &all.routing, SHORT),
    },
];

fn each_topic(all: &Stats, series: &mut Series<'_>, number: fn(&TopicStats) -> u64) {
    for (name, topic) in &all.topics {
        series.put(&[name.as_str()], number(topic));
    }
}

fn dropped(all: &Stats, series: &mut Series<'_>) {
    for (name, topic) in &all.topics {
        let dropped = topic.dropped;
        for (reason, count) in [
            ("oldest", dropped.oldest),
            ("newest", dropped.newest),
            ("ended", dropped.ended),
            ("abandoned", dropped.abandoned),
        ] {
            series.put(&[name.as_str(), reason], count);
        }
    }
}

fn refused(all: &Stats, series: &mut Series<'_>) {
    for (name, topic) in &all.topics {
        for (why, count) in &topic.refused {
            series.put(&[name.as_str(), &snake(why)], count);
        }
    }
}

/// Bounds in seconds, as they are written, and in nanoseconds.
const SHORT: &[(&str, u64)] = &[
    ("0.00000025", 250),
    ("0.0000005", 500),
    ("0.000001", 1_000),
    ("0.0000025", 2_500),
    ("0.000005", 5_000),
    ("0.00001", 10_000),
    ("0.000025", 25_000),
    ("0.00005", 50_000),
    ("0.0001", 100_000),
    ("0.001", 1_000_000),
    ("0.01", 10_000_000),
];
