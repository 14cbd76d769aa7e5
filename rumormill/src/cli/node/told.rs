//! What a node tells of what happens to it, as lines for people or for programs.

use base64::{Engine, engine::general_purpose::STANDARD};
use rumormill::{
    Addr,
    endpoint::Message,
    gossip::{Gap, MemberInfo, Rumor},
    transport::NodeId,
};
use serde_json::{Map, Value, json};

use crate::cli::output;

/// In which form lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// Rumors that are there and will not be heard.
    Gap(&'a Gap),
    Listening(&'a Addr),
    Member {
        what: &'static str,
        node: NodeId,
        by: Option<NodeId>,
        info: Option<&'a MemberInfo>,
    },
    Message(&'a Message),
    /// Things that nobody took in time.
    Missed(u64),
    NameConflict {
        name: &'a str,
        holder: NodeId,
        rival: NodeId,
    },
    Ready,
    Rumor(&'a Rumor),
    Started {
        node: NodeId,
        name: &'a str,
        cluster: &'a str,
    },
}

impl Form {
    pub(super) fn line(self, told: &Told<'_>) -> String {
        match self {
            Self::Json => output::in_line(&told.object()),
            Self::Text => told.text(),
        }
    }
}

impl Told<'_> {
    /// One printable line, whatever peers have said.
    fn text(&self) -> String {
        match self {
            Self::Gap(gap) => {
                let Gap { origin, from, to, .. } = gap;
                format!("gap in the rumors from {origin}: {from} to {to} are lost")
            }
            Self::Listening(addr) => format!("listening on {addr}"),
            Self::Member { what, node, by, info } => {
                let name = info.map(|info| &*info.name).filter(|name| !name.is_empty());
                let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
                let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
                format!("{what} {node}{name}{by}")
            }
            Self::Message(Message { from, bytes, question, .. }) => {
                let what = if question.is_some() { "question" } else { "message" };
                format!("{what} from {from}: {}", shown(bytes))
            }
            Self::Missed(count) => format!("missed {count} lines"),
            Self::NameConflict { name, holder, rival } => {
                format!("conflict of the name {name:?}: it is {holder}, and {rival} claims it, too")
            }
            Self::Ready => "ready".into(),
            Self::Rumor(Rumor { origin, bytes, .. }) => {
                format!("rumor from {origin}: {}", shown(bytes))
            }
            Self::Started { node, name, cluster } => {
                let name = if name.is_empty() { "".into() } else { format!(" {name:?}") };
                format!("node {node}{name} of cluster {cluster:?}")
            }
        }
    }

    fn object(&self) -> Value {
        match self {
            Self::Gap(Gap { origin, epoch, from, to }) => {
                json!({ "event": "gap", "origin": id(origin), "epoch": epoch, "from": from, "to": to })
            }
            Self::Listening(addr) => json!({ "event": "listening", "address": addr.to_string() }),
            Self::Member { what, node, by, info } => member(what, node, by.as_ref(), *info),
            Self::Message(Message { from, via, bytes, question }) => {
                let event = if question.is_some() { "question" } else { "message" };
                let said = json!({ "event": event, "from": id(from), "via": via.to_string() });
                with_payload(said, bytes)
            }
            Self::Missed(count) => json!({ "event": "missed", "count": count }),
            Self::NameConflict { name, holder, rival } => {
                let (holder, rival) = (id(holder), id(rival));
                json!({ "event": "name-conflict", "name": name, "holder": holder, "rival": rival })
            }
            Self::Ready => json!({ "event": "ready" }),
            Self::Rumor(Rumor { origin, epoch, number, bytes, .. }) => {
                let origin = id(origin);
                let said =
                    json!({ "event": "rumor", "origin": origin, "epoch": epoch, "number": number });
                with_payload(said, bytes)
            }
            Self::Started { node, name, cluster } => {
                json!({ "event": "started", "node": id(node), "name": name, "cluster": cluster })
            }
        }
    }
}

fn member(what: &str, node: &NodeId, by: Option<&NodeId>, info: Option<&MemberInfo>) -> Value {
    let mut said = Map::new();
    said.insert("event".into(), what.into());
    said.insert("node".into(), id(node).into());
    if let Some(by) = by {
        said.insert("by".into(), id(by).into());
    }
    if let Some(info) = info {
        let addresses: Value = info.addresses.iter().map(|addr| json!(addr.to_string())).collect();
        said.insert("name".into(), (&*info.name).into());
        said.insert("addresses".into(), addresses);
    }
    said.into()
}

fn id(node: &NodeId) -> String {
    node.to_string()
}

/// Text as it is; else bytes, in the common alphabet of 64 characters.
fn with_payload(mut said: Value, bytes: &[u8]) -> Value {
    let (name, text) = match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.into()),
        Err(_) => ("base64", STANDARD.encode(bytes)),
    };
    if let Value::Object(fields) = &mut said {
        fields.insert(name.into(), text.into());
    }
    said
}

/// The beginning of what a peer sent, with nothing in it that could steer a terminal or begin a line.
fn shown(bytes: &[u8]) -> String {
    let (most, _) = bytes.split_at(bytes.len().min(SHOWN));
    let whole = most.len() == bytes.len();
    let text = match std::str::from_utf8(most) {
        Ok(text) => Some(text),
        // Cut within a character.
        Err(error) if !whole && error.error_len().is_none() => {
            std::str::from_utf8(&most[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    match (text, whole) {
        (Some(text), true) => format!("{text:?}"),
        (Some(text), false) => format!("{text:?}… ({} bytes)", bytes.len()),
        (None, _) => format!("{} bytes that are no text", bytes.len()),
    }
}

/// Bytes of a payload that people are shown.
const SHOWN: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: impl Into<bytes::Bytes>) -> Message {
        let via = std::sync::Arc::new("tcp://127.0.0.1:1".parse().unwrap());
        Message { from: NodeId([7; 32]), via, bytes: bytes.into(), question: None }
    }

    #[test]
    fn what_peers_say_is_one_printable_line() {
        let from = NodeId([7; 32]);
        for (bytes, expected) in [
            (b"hi".to_vec(), "\"hi\""),
            (b"a\nlistening on x\x1b[2J\"".to_vec(), r#""a\nlistening on x\u{1b}[2J\"""#),
            ("\u{202e}".into(), r#""\u{202e}""#),
            (b"\xff".to_vec(), "1 bytes that are no text"),
        ] {
            let text = Form::Text.line(&Told::Message(&message(bytes)));
            assert_eq!(text, format!("message from {from}: {expected}"));
        }
        let long = Form::Text.line(&Told::Message(&message("ö".repeat(501))));
        assert!(long.ends_with("ö\"… (1002 bytes)"), "{long}");
        let cut = Form::Text.line(&Told::Message(&message(format!("x{}", "ö".repeat(501)))));
        assert!(cut.ends_with("ö\"… (1003 bytes)"), "{cut}");
        let long = Form::Text.line(&Told::Message(&message(vec![0xff; 5000])));
        assert!(long.ends_with(": 5000 bytes that are no text"), "{long}");
    }

    #[test]
    fn programs_get_all_of_it() {
        let parse =
            |told: &Told<'_>| serde_json::from_str::<Value>(&Form::Json.line(told)).unwrap();
        let said = parse(&Told::Message(&message("a\n\u{1b}")));
        assert_eq!((&said["event"], &said["text"]), (&json!("message"), &json!("a\n\u{1b}")));
        let said = parse(&Told::Message(&message(vec![0xff; 3])));
        assert_eq!((&said["base64"], said.get("text")), (&json!("////"), None));
        let steering = "a\nb\u{9b}2J\u{7f}\u{202e}\u{e0001}é";
        let line = Form::Json.line(&Told::Message(&message(steering)));
        assert!(!line.contains(['\n', '\u{9b}', '\u{7f}', '\u{202e}', '\u{e0001}']), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], steering);
    }
}
