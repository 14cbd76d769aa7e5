//! What there is to tell, as JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use rumormill_endpoint::{CarrierSnapshot, ClassSnapshot};
use rumormill_gossip::{Event, Gap, Heard, MemberInfo, Rumor, RumorId, Standing};
use rumormill_transport_api::{Addr, Histogram};
use serde_json::{Map, Value, json};

use super::{hooks::Mirrored, subject::About};
use crate::{config::Difference, node::Metrics};

/// A value in one line, with nothing in it that could steer a terminal: what JSON leaves as it is of
/// that is escaped, too.
pub(super) fn line(value: &Value) -> String {
    let mut line = String::new();
    for letter in value.to_string().chars() {
        match is_harmless(letter) {
            true => line.push(letter),
            // Such letters stand in texts alone, where this means the same.
            false => {
                let units = &mut [0; 2];
                for unit in letter.encode_utf16(units) {
                    line.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    line
}

fn is_harmless(letter: char) -> bool {
    let mut escaped = letter.escape_debug();
    letter.is_ascii() && letter != '\u{7f}' || !letter.is_ascii() && escaped.next() != Some('\\')
}

/// What a node says of itself.
pub(super) fn node(about: &About) -> Value {
    json!({
        "node": about.node.to_string(),
        "name": about.name,
        "cluster": about.cluster,
        "addresses": texts(&about.addresses),
        "ready": about.is_ready,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// All members by id, the node itself among them.
pub(super) fn members(about: &About, others: &[MemberInfo]) -> Value {
    let own = json!({
        "node": about.node.to_string(),
        "name": about.name,
        "standing": "alive",
        "addresses": texts(&about.addresses),
        "self": true,
    });
    let place = others.partition_point(|member| member.node < about.node);
    let (before, after) = others.split_at(place);
    let rows = before.iter().map(member).chain([own]).chain(after.iter().map(member));
    rows.collect()
}

fn member(member: &MemberInfo) -> Value {
    json!({
        "node": member.node.to_string(),
        "name": member.name,
        "standing": standing(member.standing),
        "addresses": texts(&member.addresses),
        "self": false,
        "metadata": member.metadata.as_ref().map(|bytes| payload(bytes)),
        "started_ms": member.version.epoch,
        "version": member.version.n,
    })
}

/// A page about the node: who it is, who is there, and what became of messages.
pub(super) fn status(about: &About, metrics: &Metrics) -> Value {
    let members: Map<_, _> = metrics
        .members
        .iter()
        .map(|(standing_of, count)| (standing(*standing_of).into(), json!(count)))
        .collect();
    let classes = ["control", "gossip", "bulk"].into_iter().zip(&metrics.endpoint.classes);
    let messages: Map<_, _> =
        classes.map(|(name, numbers)| (name.into(), class(numbers))).collect();
    let carriers = &metrics.endpoint.carriers;
    let transports: Map<_, _> =
        carriers.iter().map(|it| (it.scheme.as_ref().into(), carrier(it))).collect();
    let rejected: u64 = metrics.endpoint.rejected.iter().map(|(_, count)| count).sum();
    let mut status = node(about);
    status["members"] = members.into();
    status["messages"] = messages.into();
    status["transports"] = transports.into();
    status["rejected"] = rejected.into();
    status["rumors_lost"] = metrics.gossip.rumors_lost.into();
    status
}

fn class(class: &ClassSnapshot) -> Value {
    let dropped: u64 = class.dropped.iter().map(|(_, count)| count).sum();
    json!({
        "sent": class.sent,
        "carried": class.carried,
        "in_flight": class.in_flight(),
        "uncertain": class.uncertain,
        "dropped": dropped,
        "delivered": class.delivered,
        "overflowed": class.overflowed,
    })
}

fn carrier(carrier: &CarrierSnapshot) -> Value {
    let failed: u64 = carrier.unopened.iter().map(|(_, count)| count).sum();
    json!({
        "conns": carrier.active,
        "dialled": carrier.dialled,
        "accepted": carrier.accepted,
        "failed_dials": failed,
        "bytes_in": carrier.bytes_in,
        "bytes_out": carrier.bytes_out,
        "round_trip_seconds": round_trip(&carrier.round_trip),
    })
}

fn round_trip(times: &Histogram) -> Value {
    match times.count() {
        0 => Value::Null,
        count => json!({
            "count": count,
            "p50": times.quantile(0.5).as_secs_f64(),
            "p99": times.quantile(0.99).as_secs_f64(),
        }),
    }
}

/// News of a member.
pub(super) fn event(event: &Event) -> Value {
    let of = |what: &str, node: &dyn ToString| json!({ "event": what, "node": node.to_string() });
    match event {
        Event::Joined(node) => of("joined", node),
        Event::Cleared(node) => of("cleared", node),
        Event::Returned(node) => of("returned", node),
        Event::Updated(node) => of("updated", node),
        Event::Described(node) => of("described", node),
        Event::Left(node) => of("left", node),
        Event::Suspected { node, by } => {
            json!({ "event": "suspected", "node": node.to_string(), "by": by.to_string() })
        }
        Event::Failed { node, by } => {
            json!({ "event": "failed", "node": node.to_string(), "by": by.to_string() })
        }
        Event::NameConflict { name, holder, rival } => json!({
            "event": "name_conflict",
            "name": name,
            "holder": holder.to_string(),
            "rival": rival.to_string(),
        }),
        Event::IdentityConflict { version, session } => json!({
            "event": "identity_conflict",
            "started_ms": version.epoch,
            "version": version.n,
            "session": session,
        }),
    }
}

/// What a member has said to all, or that it is lost.
pub(super) fn heard(heard: &Heard) -> Value {
    match heard {
        Heard::Rumor(Rumor { origin, epoch, number, bytes, .. }) => json!({
            "event": "rumor",
            "origin": origin.to_string(),
            "epoch": epoch,
            "number": number,
            "payload": payload(bytes),
        }),
        Heard::Gap(Gap { origin, epoch, from, to }) => json!({
            "event": "gap",
            "origin": origin.to_string(),
            "epoch": epoch,
            "from": from,
            "to": to,
        }),
        Heard::Missed(count) => missed("rumors", *count),
    }
}

/// A message of an application.
pub(super) fn message(message: &Mirrored) -> Value {
    json!({
        "event": "message",
        "from": message.from.to_string(),
        "via": message.via.to_string(),
        "question": message.is_question,
        "bytes": message.len,
        "payload": payload(&message.bytes),
    })
}

/// That whoever reads was too slow.
pub(super) fn missed(what: &str, count: u64) -> Value {
    json!({ "event": "missed", "what": what, "count": count })
}

/// The only end of a stream that is none of its reader's doing.
pub(super) fn end() -> Value {
    json!({ "event": "end", "reason": "the node has left" })
}

/// Which rumor it is.
pub(super) fn rumor(id: RumorId) -> Value {
    json!({ "origin": id.origin.to_string(), "epoch": id.epoch, "number": id.number })
}

/// A key whose value is another one.
pub(super) fn difference(difference: &Difference) -> Value {
    let Difference { key, from, to } = difference;
    let [from, to] = [from, to].map(|value| value.as_ref().map(ToString::to_string));
    json!({ "key": key, "from": from, "to": to })
}

/// Bytes as text where they are some.
fn payload(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn texts(addresses: &[Addr]) -> Value {
    addresses.iter().map(ToString::to_string).collect()
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Alive => "alive",
        Standing::Suspected => "suspected",
        Standing::Failed => "failed",
        Standing::Left => "left",
    }
}

#[cfg(test)]
mod tests {
    use rumormill_transport_api::NodeId;

    use super::*;

    #[test]
    fn nothing_in_a_line_steers_a_terminal_and_it_means_the_same() {
        for text in
            ["a\nb", "\u{1b}[2J", "\u{9b}2J", "\u{202e}evil", "\u{7f}", "é日本𝄞", "\u{e0001}"]
        {
            let value = json!({ "text": text });
            let line = line(&value);
            assert!(line.chars().all(is_harmless), "{line}");
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
        assert_eq!(line(&json!("é日本 \"q\"")), r#""é日本 \"q\"""#);
    }

    #[test]
    fn bytes_are_text_where_they_can_be() {
        assert_eq!(payload(b"caf\xc3\xa9"), json!({ "text": "café" }));
        assert_eq!(payload(b"\xff\x00"), json!({ "base64": "/wA=" }));
        assert_eq!(payload(b""), json!({ "text": "" }));
    }

    #[test]
    fn every_event_says_which_it_is() {
        let (node, by) = (NodeId([1; 32]), NodeId([2; 32]));
        let value = event(&Event::Failed { node, by });
        assert_eq!(value["event"], "failed");
        assert_eq!(
            (value["node"].as_str(), value["by"].as_str()),
            (Some(&*node.to_string()), Some(&*by.to_string()))
        );
        let name = "\u{1b}[31m".into();
        let value = event(&Event::NameConflict { name, holder: node, rival: by });
        assert!(line(&value).contains(r#""name":"\u001b[31m""#), "{value}");
    }
}
