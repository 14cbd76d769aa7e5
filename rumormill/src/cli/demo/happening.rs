//! What is worth telling, as a line for people and as one for programs.

use rumormill::gossip::Standing;
use serde_json::{Value, json};

use super::{claim::Claim, said::name};

/// What is worth telling. Moments are in microseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happening {
    /// A part of the play begins.
    Act { at: u64, name: &'static str, about: String },
    /// Bytes that a node got by each transport, for each span of time.
    Bytes { at: u64, node: &'static str, schemes: Vec<String>, spans: Vec<(String, Vec<u64>)> },
    /// Something came true, or did not.
    Claim { at: u64, claim: Claim },
    /// Something that nobody has claimed.
    Note { at: u64, text: String },
    /// The play begins.
    Opening { at: u64, nodes: usize, schemes: Vec<&'static str>, chaos: Option<String> },
    /// A node sees all others, for the first time.
    SeesAll { at: u64, by: &'static str, others: usize },
    /// A node has started.
    Started { at: u64, node: &'static str, pid: u32, addrs: Vec<String> },
    /// A node holds another one for something else than before.
    Turned { at: u64, by: &'static str, of: &'static str, to: Standing },
}

impl Happening {
    /// Whether it is told beside a table that shows what every node sees.
    pub(super) fn is_news_beside_a_table(&self) -> bool {
        !matches!(self, Self::SeesAll { .. } | Self::Started { .. } | Self::Turned { .. })
    }

    pub(super) fn at(&self) -> u64 {
        match self {
            Self::Act { at, .. }
            | Self::Bytes { at, .. }
            | Self::Claim { at, .. }
            | Self::Note { at, .. }
            | Self::Opening { at, .. }
            | Self::SeesAll { at, .. }
            | Self::Started { at, .. }
            | Self::Turned { at, .. } => *at,
        }
    }

    /// Its lines for people, without the time.
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Self::Act { name, about, .. } => vec![format!("{name:<6} {about}")],
            Self::Bytes { node, schemes, spans, .. } => bytes(node, schemes, spans),
            Self::Claim { claim, .. } => claimed(claim),
            Self::Note { text, .. } => vec![indented(text)],
            Self::Opening { nodes, schemes, chaos, .. } => {
                let chaos = chaos.as_ref().map_or_else(String::new, |it| format!(", with {it}"));
                vec![format!("a cluster of {nodes} processes over {}{chaos}", schemes.join(", "))]
            }
            Self::SeesAll { by, others, .. } => {
                vec![indented(&format!("{by} sees all {others} others"))]
            }
            Self::Started { node, pid, addrs, .. } => {
                let schemes: Vec<_> = addrs.iter().map(|addr| scheme(addr)).collect();
                vec![indented(&format!("{node} is process {pid}, at {}", schemes.join(", ")))]
            }
            Self::Turned { by, of, to, .. } => vec![indented(&turned(by, of, *to))],
        }
    }

    /// Its object for programs; `began` is when the play did.
    pub(super) fn to_value(&self, began: u64) -> Value {
        let mut value = match self {
            Self::Act { name, about, .. } => json!({ "what": "act", "act": name, "about": about }),
            Self::Bytes { node, schemes, spans, .. } => {
                let span = |(span, bytes): &(String, Vec<u64>)| {
                    let bytes: Value =
                        schemes.iter().cloned().zip(bytes.iter().map(|it| json!(it))).collect();
                    json!({ "span": span, "bytes": bytes })
                };
                let spans: Vec<_> = spans.iter().map(span).collect();
                json!({ "what": "bytes", "node": node, "spans": spans })
            }
            Self::Claim { claim, .. } => json!({
                "what": "claim",
                "claim": claim.name,
                "expected": claim.expected,
                "seen": claim.seen,
                "detail": claim.detail,
                "ok": claim.holds,
            }),
            Self::Note { text, .. } => json!({ "what": "note", "text": text }),
            Self::Opening { nodes, schemes, chaos, .. } => {
                json!({ "what": "opening", "nodes": nodes, "transports": schemes, "chaos": chaos })
            }
            Self::SeesAll { by, others, .. } => {
                json!({ "what": "sees_all", "node": by, "others": others })
            }
            Self::Started { node, pid, addrs, .. } => {
                json!({ "what": "started", "node": node, "pid": pid, "addrs": addrs })
            }
            Self::Turned { by, of, to, .. } => {
                json!({ "what": "turned", "by": by, "node": of, "to": name(*to) })
            }
        };
        value["at"] = seconds(self.at(), began).into();
        value
    }
}

/// Seconds since the play began, to a thousandth.
pub(super) fn seconds(at: u64, began: u64) -> f64 {
    (at.saturating_sub(began) / 1000) as f64 / 1e3
}

fn turned(by: &str, of: &str, to: Standing) -> String {
    match to {
        Standing::Alive => format!("{by} sees {of} again"),
        Standing::Suspected => format!("{by} suspects {of}"),
        Standing::Failed => format!("{by} holds {of} for failed"),
        Standing::Left => format!("{by} knows that {of} has left"),
    }
}

fn claimed(claim: &Claim) -> Vec<String> {
    let Claim { name, expected, seen, detail, holds } = claim;
    let verdict = match holds {
        true => format!("{OK:<6} {name}: {seen}"),
        false => format!("{FAILED:<6} {name}: {seen}, not {expected}"),
    };
    if detail.is_empty() {
        return vec![verdict];
    }
    match format!("{verdict}; {detail}") {
        whole if whole.len() <= LONGEST => vec![whole],
        _ => vec![verdict, indented(detail)],
    }
}

fn bytes(node: &str, schemes: &[String], spans: &[(String, Vec<u64>)]) -> Vec<String> {
    let row = |head: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: String = cells.map(|cell| format!("{cell:>8}")).collect();
        indented(&format!("{head:<22}{cells}"))
    };
    let head = row(&format!("bytes that {node} got"), &mut schemes.iter().cloned());
    let spans =
        spans.iter().map(|(span, bytes)| row(span, &mut bytes.iter().map(|bytes| short(*bytes))));
    [head].into_iter().chain(spans).collect()
}

/// A number of bytes in at most six letters.
fn short(bytes: u64) -> String {
    match bytes {
        0..10_000 => bytes.to_string(),
        10_000..10_000_000 => format!("{} k", bytes / 1000),
        _ => format!("{} M", bytes / 1_000_000),
    }
}

fn scheme(addr: &str) -> &str {
    addr.split_once("://").map_or(addr, |(scheme, _)| scheme)
}

/// Beneath the text of an act.
fn indented(text: &str) -> String {
    format!("{:6} {text}", "")
}

/// Letters of a line that fit beside its time.
const LONGEST: usize = 72;
/// What a claim is called that came true, and one that did not.
pub(super) const OK: &str = "ok";
pub(super) const FAILED: &str = "FAILED";
