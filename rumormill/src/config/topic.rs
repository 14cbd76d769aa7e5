//! Topics: each is a table of the list `[[topics]]`, in configurations of nodes and of brokers.

mod access;
mod checks;

use std::{collections::BTreeMap, time::Duration};

use rumormill_broker::{Config, Limits, Policy, Routing, Topic, TopicName};
use rumormill_transport_api::excerpt;

use self::access::Principals;
use super::{
    change::Difference,
    key::{Key, Reload, keys},
    kind::Kind,
    layer::Entry,
    problem::Fault,
    reading::Reading,
    rule::{AnyCase, Given, Or, Parsed, Size, Span, Whole, Word},
    sources::Placed,
    spot::Spot,
    value::Value,
    written::Written,
};

/// A topic while it is put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) name: Option<TopicName>,
    pub(super) topic: Topic,
    /// The bytes that may wait, if somebody has said how many.
    bytes: Option<usize>,
}

pub(super) const KEYS: &[Key<Draft>] = keys! {
    Draft:
    "name", Restart Given(name()), |c| c.name,
        "What publishers and subscribers call it. It has to be chosen.";
    "routing", Restart AnyCase(Word(ROUTING)), |c| c.topic.routing,
        "Who gets a message: \"fanout\" every subscriber, \"queue\" one of them, until one has acknowledged it.";
    "buffer_size", Live Whole { least: 1, most: 16_777_216 }, |c| c.topic.max_messages,
        "Messages that may wait for one subscriber, or in a queue for all together.";
    "buffer_bytes", Live Given(Size { least: 1, most: 64 << 30 }), |c| c.bytes,
        "And their bytes, whatever buffer_size allows; at least max_message_size. Unless set: 16MiB, or max_message_size if that is more.";
    "max_message_size", Live Size { least: 1, most: 1 << 30 }, |c| c.topic.max_message_size,
        "The longest message; a longer one is refused.";
    "policy", Live AnyCase(Word(POLICY)), |c| c.topic.policy,
        "What happens when more would wait: \"drop-oldest\" and \"drop-newest\" drop messages, and tell the subscriber of the gap; \"disconnect\" cuts the subscriber off; \"block\" makes publishers wait. A queue refuses the new message for \"drop-newest\" and \"disconnect\".";
    "block_timeout", Live Span { least: MS, most: DAY }, |c| c.topic.block_timeout,
        "How long one subscriber may make publishers wait before it is cut off; for policy = \"block\".";
    "ack_timeout", Live Span { least: MS, most: DAY }, |c| c.topic.ack_timeout,
        "How long a subscriber of a queue may take to acknowledge a message before another one gets it.";
    "max_deliveries", Live Whole { least: 1, most: 255 }, |c| c.topic.max_deliveries,
        "How often a message of a queue is delivered before it is given up.";
    "dead_letter", Live Or("off", name()), |c| c.topic.dead_letter,
        "The topic to which messages of a queue go that were given up. \"off\": they are dropped, and counted.";
    "publish", Live Principals, |c| c.topic.publish,
        "Who may publish: [\"anybody\"], or a list of node ids, \"name:NAME\" of a certificate, and \"uid:1000\" or \"gid:100\" of a process over a Unix socket. Empty: nobody.";
    "subscribe", Live Principals, |c| c.topic.subscribe,
        "Who may subscribe, likewise.";
};

const ROUTING: &[(&str, Routing)] = &[("fanout", Routing::Fanout), ("queue", Routing::Queue)];
const POLICY: &[(&str, Policy)] = &[
    ("drop-oldest", Policy::DropOldest),
    ("drop-newest", Policy::DropNewest),
    ("disconnect", Policy::Disconnect),
    ("block", Policy::Block),
];

const fn name() -> Parsed<TopicName> {
    Parsed {
        one: "the name of a topic",
        many: "names of topics",
        example: "events",
        parse: |text| {
            text.parse().map_err(|error: rumormill_broker::NameError| {
                // What stands before it is the text, which whoever tells of it has told already.
                let told = error.to_string();
                let problem = told.rsplit_once("' ").map_or(&*told, |(_, problem)| problem);
                problem.to_owned()
            })
        },
        show: TopicName::to_string,
    }
}

impl Draft {
    fn of(name: &TopicName, topic: &Topic) -> Self {
        Self { name: Some(name.clone()), topic: topic.clone(), bytes: Some(topic.max_bytes) }
    }

    /// The bytes that may wait, in the end.
    fn max_bytes(&self) -> usize {
        let least = || Topic::default().max_bytes.max(self.topic.max_message_size);
        self.bytes.unwrap_or_else(least)
    }
}

/// A topic to begin with.
pub(super) fn example() -> Draft {
    Draft { name: "events".parse().ok(), ..Draft::default() }
}

/// Topics as drafts, by name.
pub(super) fn drafts(topics: &BTreeMap<TopicName, Topic>) -> Vec<Draft> {
    topics.iter().map(|(name, topic)| Draft::of(name, topic)).collect()
}

/// What a broker is told, once the checks of its topics have found nothing.
pub(super) fn config(config: Config, drafts: Vec<Draft>, window: Option<usize>) -> Config {
    let finish = |draft: Draft| {
        let max_bytes = draft.max_bytes();
        Some((draft.name?, Topic { max_bytes, ..draft.topic }))
    };
    let topics: BTreeMap<_, _> = drafts.into_iter().filter_map(finish).collect();
    let publish_window = window.unwrap_or_else(|| least_window(&topics));
    Config { topics, limits: Limits { publish_window, ..config.limits } }
}

/// What somebody has said that a conn may publish ahead; `None` if it is what it would be anyway.
pub(super) fn window_of(config: &Config) -> Option<usize> {
    let window = config.limits.publish_window;
    (window != least_window(&config.topics)).then_some(window)
}

fn least_window(topics: &BTreeMap<TopicName, Topic>) -> usize {
    let longest = topics.values().map(|topic| topic.max_message_size).max();
    longest.unwrap_or_default().max(Limits::default().publish_window)
}

/// Whether this is the list of topics.
pub(super) fn is_list(path: &str) -> bool {
    path == LIST
}

/// The number of the topic and the name of its key, if `path` is of a topic: `topics[2].policy`.
pub(super) fn split(path: &str) -> Option<(usize, Option<&str>)> {
    let (at, rest) = path.strip_prefix(LIST)?.strip_prefix('[')?.split_once(']')?;
    let name = if rest.is_empty() { None } else { Some(rest.strip_prefix('.')?) };
    Some((at.parse().ok()?, name))
}

/// The key of the topic with this number.
pub(super) fn path(at: usize, name: &str) -> String {
    format!("{LIST}[{at}].{name}")
}

/// A path as files have it, of what variables write as `topics.2.policy`.
pub(super) fn canonical(path: String) -> String {
    let of_topic = || {
        let rest = path.strip_prefix(LIST)?.strip_prefix('.')?;
        let (at, name) = rest.split_once('.').map_or((rest, None), |(at, name)| (at, Some(name)));
        let at: usize = at.parse().ok()?;
        Some(name.map_or_else(|| format!("{LIST}[{at}]"), |name| self::path(at, name)))
    };
    of_topic().unwrap_or(path)
}

/// What is different between topics of the same name, and which have come and gone.
pub(super) fn differences(old: &mut [Draft], new: &mut [Draft]) -> Vec<(Reload, Difference)> {
    let names = |drafts: &[Draft]| {
        let named = drafts.iter().enumerate();
        named.filter_map(|(at, draft)| Some((draft.name.clone()?, at))).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (names(old), names(new));
    let all: BTreeMap<_, ()> = before.keys().chain(after.keys()).map(|name| (name, ())).collect();
    let mut differences = Vec::new();
    for name in all.into_keys() {
        let from = before.get(name).and_then(|at| old.get_mut(*at));
        let to = after.get(name).and_then(|at| new.get_mut(*at));
        match (from, to) {
            (Some(from), Some(to)) => differences.extend(between(name, from, to)),
            (from, to) => {
                let routing = |draft: Option<&mut Draft>| {
                    draft.map(|draft| Value::text(word(ROUTING, draft.topic.routing)))
                };
                let key = format!("{LIST}.{name}").into();
                let (from, to) = (routing(from), routing(to));
                differences.push((Reload::Live, Difference { key, from, to }));
            }
        }
    }
    differences
}

fn between(name: &TopicName, from: &mut Draft, to: &mut Draft) -> Vec<(Reload, Difference)> {
    (from.bytes, to.bytes) = (Some(from.max_bytes()), Some(to.max_bytes()));
    let mut differences = Vec::new();
    for key in KEYS {
        let (from, to) = (key.slot.show(from), key.slot.show(to));
        if from != to {
            let key_of = format!("{LIST}.{name}.{}", key.path).into();
            differences.push((key.reload, Difference { key: key_of, from, to }));
        }
    }
    differences
}

fn word<T: Copy + PartialEq>(words: &'static [(&str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

impl<K: Kind> Reading<'_, K> {
    /// The entry, if it is of no topic.
    pub(super) fn take_topic(&mut self, entry: Entry) -> Option<Entry> {
        if is_list(&entry.path) {
            self.take_names(&entry);
            return None;
        }
        let Some((at, name)) = split(&entry.path) else { return Some(entry) };
        let there = self.draft.topics().len();
        if there < at {
            let problem = match there {
                0 => format!("is not there: there are no topics yet; begin with {LIST}[0]"),
                _ => format!("is not there: the next new topic is {LIST}[{there}]"),
            };
            self.refuse(&entry, Fault::Refused { problem: problem.into() });
            return None;
        }
        if there == at {
            self.add(at, &entry);
        }
        match name {
            Some(_) => Some(entry),
            None if entry.is_section => None,
            None => {
                let takes = format!("keys below it, as in {}", path(at, "name")).into();
                self.refuse(&entry, Fault::Malformed { takes });
                None
            }
        }
    }

    fn add(&mut self, at: usize, entry: &Entry) {
        self.draft.topics().push(Draft::default());
        let placed = Placed { place: entry.place.clone(), items: Vec::new() };
        self.places.insert(format!("{LIST}[{at}]"), placed);
    }

    /// Topics as a list of names, which flags and variables add to those of the file.
    fn take_names(&mut self, entry: &Entry) {
        let names = entry.written.list().filter(|items| items.iter().all(|it| it.text().is_some()));
        let Some(names) = names else {
            self.broken.insert(LIST.into());
            return self.refuse(entry, Fault::Malformed { takes: NAMES.into() });
        };
        for (number, written) in names.iter().enumerate() {
            let text = written.text().unwrap_or_default();
            let (name, routing) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
            let at = self.draft.topics().len();
            let place = entry.items.get(number).unwrap_or(&entry.place).clone();
            let entry = |key: &str, text: &str| Entry {
                path: path(at, key),
                place: place.clone(),
                items: Vec::new(),
                written: Written::plain(text),
                is_section: false,
            };
            self.add(at, &entry("name", name));
            for (key, text) in [("name", Some(name)), ("routing", routing)] {
                let spot = Spot::find(&path(at, key));
                if let (Some(spot), Some(text)) = (spot, text) {
                    self.set(&spot, entry(key, text));
                }
            }
        }
    }
}

/// What is called a topic where it has no name yet.
fn called(at: usize, draft: &Draft) -> String {
    match &draft.name {
        Some(name) => excerpt(name.as_str()),
        None => format!("{LIST}[{at}]"),
    }
}

pub(super) const LIST: &str = "topics";
const NAMES: &str =
    "tables with [[topics]], or a list of names, as in [\"events\", \"tasks:queue\"]";
const MS: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
