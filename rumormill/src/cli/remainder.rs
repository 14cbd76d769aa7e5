//! What a broker leaves behind when it stops, for people and for programs.

use rumormill::broker::{LeftState, Remainder, StopReport};
use serde_json::{Value, json};

use super::output;

/// Tells each range of messages that did not arrive, or may not have.
pub(crate) fn tell(report: &StopReport) {
    report.left.iter().map(line).for_each(output::note);
    if 0 < report.aborted {
        output::note(format_args!(
            "conns that had not ended in time, and were cut: {}",
            report.aborted
        ));
    }
}

fn line(Remainder { conn, left }: &Remainder) -> String {
    let (topic, messages) = (&left.topic, left.messages);
    let range = match (left.from, left.to) {
        (0, 0) => "not numbered yet".into(),
        (from, to) => format!("numbers {from} to {to}"),
    };
    let of = conn.as_deref().unwrap_or("a subscriber that has gone");
    let became = match left.state {
        LeftState::Dropped => format!("dropped, since {of} lagged"),
        LeftState::Held => "not taken by anybody".into(),
        LeftState::Parked => format!("not taken from {of}, which waits for room"),
        LeftState::Queued => format!("not sent to {of}"),
        LeftState::Unconfirmed => format!("sent to {of}, which has not confirmed them"),
    };
    format!("left in {topic}: {messages} messages, {range}, {became}")
}

pub(crate) fn value(report: &StopReport) -> Value {
    let left = report.left.iter().map(|Remainder { conn, left }| {
        let state = match left.state {
            LeftState::Dropped => "dropped",
            LeftState::Held => "held",
            LeftState::Parked => "parked",
            LeftState::Queued => "queued",
            LeftState::Unconfirmed => "unconfirmed",
        };
        json!({
            "topic": left.topic.as_str(),
            "conn": conn,
            "from": left.from,
            "to": left.to,
            "messages": left.messages,
            "state": state,
        })
    });
    json!({ "event": "stopped", "left": left.collect::<Value>(), "aborted": report.aborted })
}
