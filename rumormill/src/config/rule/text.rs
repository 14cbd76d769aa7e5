//! Rules for words, text, and what is parsed from text.

use std::{
    fmt::Display,
    net::SocketAddr,
    path::{Component, Path, PathBuf},
};

use rumormill_endpoint::IpNetwork;
use rumormill_identity::PublicKey;
use rumormill_transport_api::{self as api, Addr, NodeId};

use super::{Rule, Wrong};
use crate::config::{problem::Fault, value::Value, written::Written};

/// One of some words, each of which means something.
pub(in crate::config) struct Word<T: 'static>(pub(in crate::config) &'static [(&'static str, T)]);

/// Text whose bytes are counted.
pub(in crate::config) struct Text {
    pub(in crate::config) least: usize,
    pub(in crate::config) most: usize,
    pub(in crate::config) letters: Letters,
}

/// What may stand in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Letters {
    Any,
    /// No control characters: people will read it in a terminal.
    Printable,
}

/// What is parsed from text.
pub(in crate::config) struct Parsed<T> {
    /// What one of them is called, with its article.
    pub(in crate::config) one: &'static str,
    pub(in crate::config) many: &'static str,
    pub(in crate::config) example: &'static str,
    /// What is wrong with the text, to follow "which".
    pub(in crate::config) parse: fn(&str) -> Result<T, String>,
    pub(in crate::config) show: fn(&T) -> String,
}

impl<T: Copy + PartialEq + Sync> Word<T> {
    fn parsed(&self, from: &Written) -> Result<T, Wrong> {
        let known = self.0.iter().find(|(word, _)| from.text() == Some(word));
        known.map(|(_, value)| *value).ok_or_else(|| Wrong::malformed(from, self))
    }
}

impl<T: Copy + PartialEq + Sync> Rule for Word<T> {
    type Value = T;

    fn takes(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        match &*words {
            [word] => word.clone(),
            words => format!("one of {}", words.join(", ")),
        }
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<T> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &T) -> Option<Value> {
        self.0.iter().find(|(_, known)| known == value).map(|(word, _)| Value::text(word))
    }
}

impl Text {
    fn parsed(&self, from: &Written) -> Result<Box<str>, Wrong> {
        let in_quotes = || Fault::Malformed { takes: (self.takes() + ", in quotes").into() };
        let text = from.text().ok_or_else(|| Wrong::new(from, in_quotes()))?;
        let is_printable = self.letters == Letters::Any || !text.contains(char::is_control);
        match (self.least..=self.most).contains(&text.len()) && is_printable {
            true => Ok(text.into()),
            false => Err(Wrong::malformed(from, self)),
        }
    }
}

impl Rule for Text {
    type Value = Box<str>;

    fn takes(&self) -> String {
        let (least, most) = (self.least, self.most);
        let length =
            if least == 0 { format!("up to {most}") } else { format!("{least} to {most}") };
        match self.letters {
            Letters::Any => format!("text of {length} bytes"),
            Letters::Printable => format!("text of {length} bytes without control characters"),
        }
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Box<str>> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &Box<str>) -> Option<Value> {
        Some(Value::text(value))
    }
}

impl<T> Parsed<T> {
    fn parsed(&self, from: &Written) -> Result<T, Wrong> {
        let text = from.text().ok_or_else(|| Wrong::malformed(from, self))?;
        (self.parse)(text).map_err(|problem| Wrong::refused(from, problem))
    }
}

impl<T> Rule for Parsed<T> {
    type Value = T;

    fn takes(&self) -> String {
        format!("{}, as in \"{}\"", self.one, self.example)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<T> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &T) -> Option<Value> {
        Some(Value::text((self.show)(value)))
    }
}

pub(in crate::config) const fn address() -> Parsed<Addr> {
    Parsed {
        one: "an address",
        many: "addresses",
        example: "tcp://192.0.2.1:7946",
        parse: |text| text.parse().map_err(problem),
        show: Addr::to_string,
    }
}

/// A directory for [`Reach`](rumormill_endpoint::Reach), which takes no others.
pub(in crate::config) const fn directory() -> Parsed<PathBuf> {
    Parsed {
        one: "the path of a directory",
        many: "directories",
        example: "/run/rumormill",
        parse: |text| {
            let path = Path::new(text);
            let goes_up = path.components().any(|part| part == Component::ParentDir);
            match path.is_absolute() && !goes_up && !text.contains('\0') {
                true => Ok(path.into()),
                false => Err("is no path from the root; write it whole, without `..`".into()),
            }
        },
        show: |path| path.to_string_lossy().into_owned(),
    }
}

pub(in crate::config) const fn file(one: &'static str, example: &'static str) -> Parsed<PathBuf> {
    Parsed {
        one,
        many: "files",
        example,
        parse: |text| match text.is_empty() || text.contains('\0') {
            true => Err("is no path; write one, or leave the key out".into()),
            false => Ok(text.into()),
        },
        show: |path| path.to_string_lossy().into_owned(),
    }
}

pub(in crate::config) const fn network() -> Parsed<IpNetwork> {
    Parsed {
        one: "a network",
        many: "networks",
        example: "10.0.0.0/8",
        parse: |text| text.parse().map_err(|error| format!("cannot be taken: {}", told(&error))),
        show: IpNetwork::to_string,
    }
}

pub(in crate::config) const fn node() -> Parsed<NodeId> {
    Parsed {
        one: "a node id",
        many: "node ids",
        example: "node1…",
        parse: |text| {
            let node = text.parse().map_err(problem)?;
            let is_key = PublicKey::of(node).is_some();
            is_key.then_some(node).ok_or_else(|| "is no node's key; copy it again".into())
        },
        show: NodeId::to_string,
    }
}

pub(in crate::config) const fn scheme() -> Parsed<Box<str>> {
    Parsed {
        one: "a scheme",
        many: "schemes",
        example: "tcp",
        // Which there are, the registry knows.
        parse: |text| Addr::new(text, "").map(|_| text.into()).map_err(problem),
        show: |scheme| scheme.to_string(),
    }
}

pub(in crate::config) const fn socket() -> Parsed<SocketAddr> {
    Parsed {
        one: "an IP address with a port",
        many: "IP addresses with ports",
        example: "127.0.0.1:7947",
        parse: |text| {
            let wanted = || "is no IP address with a port, such as 127.0.0.1:7947 or [::1]:7947";
            text.parse().map_err(|_| wanted().into())
        },
        show: SocketAddr::to_string,
    }
}

/// What the contract has against a text, without the text.
fn problem(error: api::Error) -> String {
    match error {
        api::Error::Address { problem, .. } | api::Error::Node { problem, .. } => problem.into(),
        error => told(&error),
    }
}

fn told(error: &impl Display) -> String {
    error.to_string()
}
