//! A configuration to begin with, which explains itself.

use super::{
    Admission, Config, Preset,
    draft::Draft,
    key::{self, Key, Reload},
    kind::Kind,
};
#[cfg(feature = "broker")]
use super::{broker, topic};

/// A configuration to begin with, as TOML: every key with its meaning, what it takes, and its value in
/// this preset, behind a `#` where it need not be set. It loads as it is.
pub fn sample(cluster: &str, preset: Preset) -> String {
    let mut draft = Draft::of(Config::preset(cluster, Admission::Open, preset));
    let text = HEAD.to_owned()
        + &sections(&mut draft, |key| {
            CHOSEN.contains(&key.path) || key.path == "node.preset" && preset != Preset::default()
        });
    #[cfg(feature = "broker")]
    let text = text + HOSTED;
    text + TAIL
}

/// The same for a broker that is no node: a topic is in it.
#[cfg(feature = "broker")]
pub fn broker_sample() -> String {
    let sections = sections(&mut broker::Draft::default(), |_| false);
    let mut topic = topic::example();
    let rows = topic::KEYS.iter().map(|key| {
        let row = row(key, &mut topic, ["name", "routing"].contains(&key.path));
        format!("\n{row}")
    });
    format!("{BROKER_HEAD}{sections}{TAIL}{TOPICS_HEAD}{}", rows.collect::<String>())
}

fn sections<K: Kind>(draft: &mut K, is_chosen: impl Fn(&Key<K>) -> bool) -> String {
    let (mut text, mut section) = (String::new(), "");
    for key in key::all() {
        if key.section() != section {
            section = key.section();
            text.push_str(&headline::<K>(section));
        }
        text.push('\n');
        text.push_str(&row(key, draft, is_chosen(key)));
    }
    text
}

fn headline<K: Kind>(section: &str) -> String {
    match key::find::<K>(section) {
        // TOML has one or the other: the key of this name, or keys below it.
        Some(key) => format!("\n# In place of {} = …:\n# [{section}]\n", key.path),
        None => format!("\n[{section}]\n"),
    }
}

fn row<K>(key: &Key<K>, draft: &mut K, is_chosen: bool) -> String {
    let live = if key.reload == Reload::Live { " (live)" } else { "" };
    let comment = wrapped(&format!("{} Takes {}.{live}", key.doc, key.slot.takes()));
    match key.slot.show(draft) {
        Some(value) => {
            let mark = if is_chosen { "" } else { "#" };
            format!("{comment}{mark}{} = {value}\n", key.name())
        }
        None => format!("{comment}# {} = …\n", key.name()),
    }
}

/// Text as lines of a comment.
fn wrapped(text: &str) -> String {
    let mut lines = String::from("#");
    let mut width = 1;
    for word in text.split(' ') {
        if WIDTH < width + 1 + word.chars().count() {
            lines.push_str("\n#");
            width = 1;
        }
        lines.push(' ');
        lines.push_str(word);
        width += 1 + word.chars().count();
    }
    lines + "\n"
}

/// Keys without a default.
const CHOSEN: [&str; 2] = ["admission", "node.cluster"];
const WIDTH: usize = 100;
const HEAD: &str = "\
# The configuration of a node. What stands behind a # without a space has its default, and need not
# be set. A variable such as RUMORMILL__GOSSIP__PACKET overrides gossip.packet here, and a flag such
# as `--set gossip.packet=1400` overrides both. A running node that reads this again takes over what
# is marked (live), unless anything else has changed, too.
";
#[cfg(feature = "broker")]
const HOSTED: &str = "
# Topics of the broker that it hosts, each a table; `rumormill config reference` lists their keys.
# [[topics]]
# name = \"events\"
";
#[cfg(feature = "broker")]
const BROKER_HEAD: &str = "\
# The configuration of a broker. What stands behind a # without a space has its default, and need not
# be set. A variable such as RUMORMILL__SERVER__MEMORY overrides server.memory here, and a flag such
# as `--set server.memory=1GiB` overrides both. A running broker that reads this again takes over what
# is marked (live), unless anything else has changed, too; topics come and go with their tables.
";
#[cfg(feature = "broker")]
const TOPICS_HEAD: &str = "
# A topic. Repeat the table for each.
[[topics]]
";
const TAIL: &str = "
# Options of transports, which `rumormill transports` lists. Take any value as an address would.
# [transports.tcp]
# nodelay = true
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load;

    fn check(preset: Preset, text: &str) {
        let loaded = load(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.config, Config::preset("a cluster", Admission::Open, preset));
    }

    #[test]
    fn it_loads_as_it_is_and_yields_the_defaults() {
        for preset in [Preset::Lan, Preset::Wan, Preset::Satellite, Preset::Local] {
            let text = sample("a cluster", preset);
            check(preset, &text);
            let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_alphabetic()) => rest,
                _ => line,
            });
            let uncommented: Vec<_> = uncommented.collect();
            check(preset, &uncommented.join("\n"));
        }
    }

    #[test]
    fn every_key_is_explained_within_the_width() {
        let text = sample("a cluster", Preset::Lan);
        for key in key::all::<Draft>() {
            let setting = format!("{} = ", key.name());
            assert!(text.contains(&setting), "{}", key.path);
        }
        let longest =
            text.lines().filter(|line| line.starts_with("# ")).max_by_key(|it| it.chars().count());
        assert!(longest.is_some_and(|line| line.chars().count() <= WIDTH), "{longest:?}");
    }
}
