//! What a node is told by whoever has started it: a JSON object in each line.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{chaos::Chaos, said::texts};

/// What a node is told. The end of its input tells it to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Ask a member something again and again.
    Ask { whom: String },
    /// Let nothing in by a transport any more.
    Block(String),
    /// Tell how many bytes have come in, and what for that is asked.
    Count(String),
    /// Stop asking.
    Hush,
    /// Join whoever is at one of these addresses.
    Join(Vec<String>),
    /// Say goodbye, and end.
    Leave,
    /// Let everything in again.
    Open,
    /// Who it is. This comes first.
    Start(Start),
    /// Tell all members.
    Tell(String),
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) cluster: String,
    pub(super) name: String,
    /// The folder of its socket, and of its key: a file with its name and `.key`.
    pub(super) folder: PathBuf,
    pub(super) listen: Vec<String>,
    /// The name and id of every node that may be a member.
    pub(super) nodes: Vec<(String, String)>,
    pub(super) chaos: Chaos,
}

impl Order {
    /// The line, without its end.
    pub(super) fn to_line(&self) -> String {
        let line = match self {
            Self::Ask { whom } => json!({ "do": "ask", "whom": whom }),
            Self::Block(scheme) => json!({ "do": "block", "scheme": scheme }),
            Self::Count(when) => json!({ "do": "count", "when": when }),
            Self::Hush => json!({ "do": "hush" }),
            Self::Join(addrs) => json!({ "do": "join", "addrs": addrs }),
            Self::Leave => json!({ "do": "leave" }),
            Self::Open => json!({ "do": "open" }),
            Self::Start(start) => start.to_value(),
            Self::Tell(text) => json!({ "do": "tell", "text": text }),
        };
        line.to_string()
    }

    /// What a line tells, if anything.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| line[key].as_str().map(String::from);
        match line["do"].as_str()? {
            "ask" => Some(Self::Ask { whom: text("whom")? }),
            "block" => Some(Self::Block(text("scheme")?)),
            "count" => Some(Self::Count(text("when")?)),
            "hush" => Some(Self::Hush),
            "join" => Some(Self::Join(texts(&line["addrs"])?)),
            "leave" => Some(Self::Leave),
            "open" => Some(Self::Open),
            "start" => Start::parse(&line).map(Self::Start),
            "tell" => Some(Self::Tell(text("text")?)),
            _ => None,
        }
    }
}

impl Start {
    fn to_value(&self) -> Value {
        let Self { cluster, name, folder, listen, nodes, chaos } = self;
        json!({
            "do": "start",
            "cluster": cluster,
            "name": name,
            // JSON has no other form for it, and a folder of temporary files seldom needs one.
            "folder": folder.to_string_lossy(),
            "listen": listen,
            "nodes": nodes,
            "chaos": chaos.to_string(),
        })
    }

    fn parse(line: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(String::from);
        let pair = |pair: &Value| Some((text(&pair[0])?, text(&pair[1])?));
        Some(Self {
            cluster: text(&line["cluster"])?,
            name: text(&line["name"])?,
            folder: text(&line["folder"])?.into(),
            listen: texts(&line["listen"])?,
            nodes: line["nodes"].as_array()?.iter().map(pair).collect::<Option<_>>()?,
            chaos: Chaos::parse(line["chaos"].as_str()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn orders_are_understood() {
        let start = Start {
            cluster: "demo".into(),
            name: "bob".into(),
            folder: "/tmp/here".into(),
            listen: vec!["udp://127.0.0.1:0".into()],
            nodes: vec![("bob".into(), "node1".into())],
            chaos: Chaos { loss: 10, delay: Duration::from_millis(50) },
        };
        let orders = [
            Order::Ask { whom: "alice".into() },
            Order::Block("tcp".into()),
            Order::Count("before".into()),
            Order::Hush,
            Order::Join(vec!["tcp://127.0.0.1:1".into()]),
            Order::Leave,
            Order::Open,
            Order::Start(start),
            Order::Tell("hello\n".into()),
        ];
        for order in orders {
            let line = order.to_line();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Order::parse(&line), Some(order));
        }
        assert_eq!(Order::parse("hello"), None);
    }
}
