//! The reference page, made from the table.

use std::collections::BTreeMap;

use super::{
    Admission, Config, Preset,
    draft::Draft,
    key::{self, Key, Reload},
    kind::Kind,
    table::PRESETS,
};
#[cfg(feature = "broker")]
use super::{broker, topic};

/// The reference of all keys, in Markdown: docs/configuration.md.
pub fn reference() -> String {
    let of_node = sections(default);
    let page = format!("{HEAD}{of_node}{TAIL}");
    #[cfg(feature = "broker")]
    let page = page + TOPICS + &of_topics() + BROKER + &of_broker();
    page
}

#[cfg(feature = "broker")]
fn of_topics() -> String {
    let mut default = topic::Draft::default();
    let rows = topic::KEYS.iter().map(|key| {
        let default = match (key.path, key.slot.show(&mut default)) {
            ("name", _) => "none: choose".into(),
            (_, Some(value)) => format!("`{value}`"),
            (_, None) => "none".into(),
        };
        row(key, &default)
    });
    rows.collect()
}

#[cfg(feature = "broker")]
fn of_broker() -> String {
    sections(|key: &Key<broker::Draft>| {
        let value = key.slot.show(&mut broker::Draft::default());
        value.map_or_else(|| "none".into(), |value| format!("`{value}`"))
    })
}

fn sections<K: Kind>(default: impl Fn(&Key<K>) -> String) -> String {
    let (mut text, mut section) = (String::new(), None);
    for key in key::all() {
        let top = key.path.split_once('.').map_or("", |(top, _)| top);
        if section != Some(top) {
            section = Some(top);
            text.push_str(&headline(top));
        }
        text.push_str(&row(key, &default(key)));
    }
    text
}

fn headline(section: &str) -> String {
    let title = match section {
        "" => "Before all sections".into(),
        section => format!("[{section}]"),
    };
    format!("\n## {title}\n{COLUMNS}")
}

fn row<K>(key: &Key<K>, default: &str) -> String {
    let change = match key.reload {
        Reload::Live => "live",
        Reload::Restart => "restart",
    };
    let (path, takes, meaning) = (key.path, cell(&key.slot.takes()), cell(key.doc));
    format!("| `{path}` | {takes} | {} | {change} | {meaning} |\n", cell(default))
}

/// The default, and where presets have others, theirs.
fn default(key: &Key<Draft>) -> String {
    if ["admission", "node.cluster"].contains(&key.path) {
        return "none: choose".into();
    }
    let of = |preset| {
        let mut draft = Draft::of(Config::preset("", Admission::Open, preset));
        draft.config.node.preset = Preset::default();
        key.slot.show(&mut draft)
    };
    let Some(lan) = of(Preset::Lan) else { return "none".into() };
    let mut others: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, preset) in PRESETS {
        match of(*preset) {
            Some(value) if value != lan => others.entry(value.to_string()).or_default().push(name),
            _ => (),
        }
    }
    let others = others.iter().map(|(value, names)| format!("; {}: `{value}`", names.join(", ")));
    format!("`{lan}`{}", others.collect::<String>())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const COLUMNS: &str = "
| key | takes | default | change | meaning |
|---|---|---|---|---|
";
const HEAD: &str = r#"# Configuration of a node

Every key, from the table that the program reads by: `rumormill config reference` prints this page.

- A file in TOML says `probe_interval = "2s"` under `[gossip]`. It is named by `--config FILE`, or by the
  variable `RUMORMILL_CONFIG`.
- The environment overrides the file: `RUMORMILL__GOSSIP__PROBE_INTERVAL=2s`.
- Flags override both: `--set gossip.probe_interval=2s`.

In variables and flags, text has no quotes, and commas separate the items of a list. Durations have units
from `h` to `ms`, as in `"1m30s"`; sizes have `KiB`, `MiB`, `GiB`. `"off"` stands for none, where none is
allowed. Relative paths begin at the directory in which the program is started.

`rumormill config check` tells everything that is wrong, each with its file and line; `config print` tells
each value and where it comes from; `config default` writes a file to begin with.

A node that reads its configuration again takes over what is *live* here, if nothing else has changed:
`config check FILE --against OLD` tells beforehand. A default that depends on `node.preset` stands here for
`lan`, and behind it for the others.
"#;
const TAIL: &str = r#"
## [transports.SCHEME]

| key | takes | default | change | meaning |
|---|---|---|---|---|
| `transports.SCHEME.OPTION` | true or false, a number, or text | that of the transport | restart | An option of a transport, which takes what its addresses take: `rumormill transports` lists all, with their defaults. |
"#;

#[cfg(feature = "broker")]
const TOPICS: &str = r#"
## [[topics]]

A topic is a table of a list: `[[topics]]` in a file, in the configuration of a node whose `broker.listen` is
set and in that of a broker. Problems name them by number, from 0: `topics[2].policy`; so do variables
(`RUMORMILL__TOPICS__2__POLICY=block`) and flags (`--set topics[2].policy=block`). A list of names in a variable
or a flag adds to those of the file: `topics=events,tasks:queue`. A reload adds, removes and changes topics
by name, whatever their order. The routing of one changes only if a reload removes it, and another one adds it
again.

| key | takes | default | change | meaning |
|---|---|---|---|---|
"#;
#[cfg(feature = "broker")]
const BROKER: &str = r#"
# Configuration of a broker

A broker that is no node (`rumormill broker`) has these keys, besides `[[topics]]` and `[transports.SCHEME]` from
above. Files, variables and flags are the same. `config check`, `config print` and `config default --broker` are
for brokers, too; they take a file for a broker's if it has `[server]`, `[performance]`, or topics and nothing
of a node, and any with `--broker`.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "broker")]
    #[test]
    fn the_page_in_docs_is_current() {
        let page = include_str!("../../../docs/configuration.md");
        assert!(
            page == reference(),
            "docs/configuration.md is not current; run `cargo run -p rumormill -- config reference \
             > docs/configuration.md`"
        );
    }

    #[test]
    fn it_has_a_row_for_every_key_with_the_default_of_the_struct() {
        let page = reference();
        let mut draft = Draft::of(Config::new("", Admission::Open));
        for key in key::all::<Draft>() {
            let begin = format!("| `{}` | ", key.path);
            let row = page.lines().find(|line| line.starts_with(&begin));
            let row = row.unwrap_or_else(|| panic!("no row for {}", key.path));
            let default = match key.slot.show(&mut draft) {
                Some(value) if !["admission", "node.cluster"].contains(&key.path) => {
                    format!("| `{value}`")
                }
                _ => "| none".into(),
            };
            assert!(row.contains(&default), "{row}");
        }
    }
}
