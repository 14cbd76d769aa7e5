//! What there is to tell of a broker, as JSON.

use std::{collections::BTreeMap, fmt::Debug};

use rumormill_broker::{
    ConnStats, Dropped, Policy, Remainder, Routing, Stats, StopReport, TopicStats, Traffic,
};
use serde_json::{Map, Value, json};

/// The topics by name.
pub(super) fn topics(stats: &Stats) -> Value {
    stats.topics.iter().map(|(name, stats)| topic(name.as_str(), stats)).collect()
}

fn topic(name: &str, stats: &TopicStats) -> Value {
    let Dropped { oldest, newest, ended, abandoned } = stats.dropped;
    json!({
        "topic": name,
        "routing": match stats.routing {
            Routing::Fanout => "fanout",
            Routing::Queue => "queue",
        },
        "policy": match stats.policy {
            Policy::Block => "block",
            Policy::Disconnect => "disconnect",
            Policy::DropNewest => "drop-newest",
            Policy::DropOldest => "drop-oldest",
        },
        "subscribers": stats.subscribers,
        "next": stats.next,
        "published": traffic(stats.published),
        "delivered": traffic(stats.delivered),
        "confirmed": stats.confirmed,
        "redelivered": stats.redelivered,
        "given_up": stats.given_up,
        "dead_lettered": stats.dead_lettered,
        "dropped": { "oldest": oldest, "newest": newest, "ended": ended, "abandoned": abandoned },
        "refused": by_reason(&stats.refused),
        "queued": traffic(stats.queued),
        "deepest": traffic(stats.deepest),
        "parked": traffic(stats.parked),
        "blocked": stats.blocked,
        "gaps": stats.gaps,
    })
}

fn traffic(traffic: Traffic) -> Value {
    json!({ "messages": traffic.messages, "bytes": traffic.bytes })
}

fn by_reason<T: Debug>(counts: &BTreeMap<T, u64>) -> Value {
    let counts = counts.iter().map(|(why, count)| (crate::node::snake(why), json!(count)));
    Value::Object(counts.collect::<Map<_, _>>())
}

/// The conns, oldest first.
pub(super) fn conns(conns: &[ConnStats]) -> Value {
    let conn = |conn: &ConnStats| {
        json!({
            "conn": conn.label,
            "age_seconds": conn.age.as_secs_f64(),
            "silent_seconds": conn.silent.as_secs_f64(),
            "subscriptions": conn.subscriptions,
            "waiting_bytes": conn.waiting,
        })
    };
    conns.iter().map(conn).collect()
}

/// What a broker has left behind.
pub(super) fn stopped(report: &StopReport) -> Value {
    let left = report.left.iter().map(|Remainder { conn, left }| {
        json!({
            "topic": left.topic.as_str(),
            "conn": conn,
            "from": left.from,
            "to": left.to,
            "messages": left.messages,
            "state": crate::node::snake(&left.state),
        })
    });
    json!({ "left": left.collect::<Value>(), "aborted": report.aborted })
}
