//! What a node counts, as a page for Prometheus and as the reference of that page.

#[cfg(feature = "broker")]
mod broker;
mod families;
mod histogram;

use std::fmt::Display;

use rumormill_endpoint::{Endpoint, Snapshot, pool};
use rumormill_gossip::{Counters, Gossip, MemberInfo, Standing};
use rumormill_transport_api::NodeId;

#[cfg(feature = "broker")]
pub(crate) use self::broker::broker_page;
use self::families::FAMILIES;
#[cfg(feature = "broker")]
pub(crate) use self::families::snake;

/// The numbers of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whose.
    pub node: NodeId,
    /// Messages, frames, conns and transports.
    pub endpoint: Snapshot,
    /// What membership refused or dropped.
    pub gossip: Counters,
    /// Messages of membership that the endpoint did not take, and that are repeated.
    pub unsent: u64,
    /// Conns that are lent.
    pub pool: pool::Snapshot,
    /// Other members, by what they are held for, each standing once.
    pub members: [(Standing, usize); 4],
}

/// Series with one name.
#[derive(Debug)]
struct Family<T> {
    name: &'static str,
    kind: Kind,
    /// The names of the labels that each of its series has.
    labels: &'static [&'static str],
    help: &'static str,
    fill: fn(&T, &mut Series<'_>),
}

/// What a number does over time.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It only grows.
    Counter,
    /// It grows and shrinks.
    Gauge,
    /// It is many: how many of all took how long.
    Histogram,
}

/// Where the series of one family are written.
#[derive(Debug)]
struct Series<'a> {
    name: &'static str,
    labels: &'static [&'static str],
    text: &'a mut String,
}

/// The reference of all metrics, in Markdown: docs/metrics.md.
pub fn metrics_reference() -> String {
    let page = format!("{HEAD}{}{TAIL}", rows(FAMILIES));
    #[cfg(feature = "broker")]
    let page = page + BROKER_HEAD + &rows(broker::BROKER);
    page
}

fn rows<T>(families: &[Family<T>]) -> String {
    let rows = families.iter().map(|family| {
        let Family { name, kind, labels, help, .. } = family;
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {} | {help} |\n", kind.name(), labels.join(", "))
    });
    rows.collect()
}

/// The page of some families.
fn page<T>(families: &[Family<T>], of: &T) -> String {
    let mut text = String::with_capacity(PAGE);
    for Family { name, kind, labels, help, fill } in families {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()));
        fill(of, &mut Series { name, labels, text: &mut text });
    }
    text
}

/// What every page begins with: of which version it is.
#[cfg(feature = "broker")]
pub(crate) fn build_page() -> String {
    const BUILD: &[Family<()>] = &[Family {
        name: families::BUILD_INFO,
        kind: Kind::Gauge,
        labels: &["version"],
        help: "Always 1; the label is the version of the broker.",
        fill: |(), series| families::build_info(series),
    }];
    page(BUILD, &())
}

impl Metrics {
    pub(super) fn of(endpoint: &Endpoint, gossip: &Gossip) -> Self {
        Self {
            node: endpoint.node(),
            endpoint: endpoint.snapshot(),
            gossip: gossip.counters(),
            unsent: gossip.unsent(),
            pool: endpoint.pool().snapshot(),
            members: counted(&gossip.members()),
        }
    }

    /// All of it in the text format of Prometheus, version 0.0.4.
    pub fn prometheus(&self) -> String {
        page(FAMILIES, self)
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Series<'_> {
    /// A number, behind the values of the family's labels.
    fn put(&mut self, labels: &[&str], value: impl Display) {
        self.put_part("", labels, None, value);
    }

    /// A number of a histogram, whose name has an ending and which may have a bound.
    fn put_part(
        &mut self,
        ending: &str,
        labels: &[&str],
        bound: Option<&str>,
        value: impl Display,
    ) {
        let named = self.labels.iter().copied().zip(labels.iter().copied());
        let pairs = named.chain(bound.map(|bound| ("le", bound)));
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        self.text.push_str(self.name);
        self.text.push_str(ending);
        if !pairs.is_empty() {
            self.text.push_str(&format!("{{{}}}", pairs.join(",")));
        }
        self.text.push_str(&format!(" {value}\n"));
    }
}

fn counted(members: &[MemberInfo]) -> [(Standing, usize); 4] {
    [Standing::Alive, Standing::Suspected, Standing::Failed, Standing::Left].map(|standing| {
        (standing, members.iter().filter(|member| member.standing == standing).count())
    })
}

/// Bytes of a page, or thereabouts.
const PAGE: usize = 32 << 10;

const HEAD: &str = r#"# Metrics of a node

What `GET /metrics` of a node's administration answers, in the text format of Prometheus, and `rumormill
status --metrics` prints; in a program of one's own, `Node::metrics().prometheus()`. `rumormill status
--reference` prints this page.

All begin at zero when the node starts. No label holds the name or id of a peer, so the number of series does not
depend on how many there are: `class` is control, gossip or bulk; `scheme` is that of a transport of this build;
`direction` is in or out; `standing` is alive, suspected, failed or left; and each `reason` is one of a few,
which the docs of the crates explain.

| metric | type | labels | meaning |
|---|---|---|---|
"#;
const TAIL: &str = r#"
The administration adds what it counts of itself:

| metric | type | labels | meaning |
|---|---|---|---|
| `rumormill_ready` | gauge | | 1 if the node listens, and has joined if it was told to; else 0. |
| `rumormill_admin_requests_total` | counter | `answer` | Requests that were answered, by the first digit of their status: 2xx, 4xx, 5xx. |
| `rumormill_admin_conns` | gauge | | Conns that are open to the administration. |
| `rumormill_admin_turned_away_total` | counter | | Conns that were cut off because they took too long, or others needed their place. |
| `rumormill_admin_streams` | gauge | | Streams of events that are open. |
| `rumormill_admin_missed_total` | counter | | Events that readers of streams were too slow to take. |
"#;

#[cfg(feature = "broker")]
const BROKER_HEAD: &str = r#"
A broker, and a node that hosts one, have these, too. `topic` is the name of a topic of the configuration, and there
are no series of others. The page of a broker that is no node has them behind `rumormill_build_info`.

| metric | type | labels | meaning |
|---|---|---|---|
"#;

#[cfg(test)]
mod tests;
