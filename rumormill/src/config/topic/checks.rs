//! Whether the topics can stand beside each other, and what is said of each.

use std::collections::BTreeMap;

use rumormill_broker::{Policy, Routing, TopicName};

use super::{Draft, KEYS, LIST, called, path, split};
use crate::config::{checks::Checks, kind::Kind, place::Place, problem::Fault};

impl<K: Kind> Checks<'_, K> {
    pub(in crate::config) fn check_topics(&mut self) {
        let topics = self.draft.topics().clone();
        self.check_names(&topics);
        for (at, topic) in topics.iter().enumerate() {
            self.check_room(at, topic);
            self.check_use(at, topic);
        }
        self.check_dead_letters(&topics);
    }

    fn check_names(&mut self, topics: &[Draft]) {
        let mut known: BTreeMap<&TopicName, usize> = BTreeMap::new();
        for (at, topic) in topics.iter().enumerate() {
            let key = path(at, "name");
            let Some(name) = &topic.name else {
                if !self.broken.contains(&key) {
                    let place = self.place_of(&format!("{LIST}[{at}]"));
                    let fault = Fault::Missing { remedy: "give the topic a name" };
                    self.findings.push(&place, key, None, fault);
                }
                continue;
            };
            if let Some(first) = known.insert(name, at) {
                known.insert(name, first);
                let first = self.place_of(&path(first, "name"));
                self.against_path(
                    &key,
                    &format!("but so is a topic at {}; choose another name", first.origin),
                );
            }
        }
    }

    /// A limit by the key `key`, if somebody has set it, and what would not fit.
    pub(in crate::config) fn check_largest(&mut self, key: &'static str, most: Option<usize>) {
        let Some(most) = most.filter(|_| !self.broken.contains(key)) else { return };
        let longest = |topic: &Draft| topic.topic.max_message_size;
        let topics = self.draft.topics().clone();
        let too_long = topics.iter().position(|topic| most < longest(topic));
        if let Some(at) = too_long {
            let size = path(at, "max_message_size");
            let shown = self.shown(&size).unwrap_or_default();
            let problem = format!("but {size} is {shown}; make it at least as large");
            self.against(key, &problem);
        }
    }

    fn check_room(&mut self, at: usize, topic: &Draft) {
        let longest = topic.topic.max_message_size;
        let (size, bytes) = (path(at, "max_message_size"), path(at, "buffer_bytes"));
        let is_broken = self.broken.contains(&size) || self.broken.contains(&bytes);
        if !is_broken && topic.bytes.is_some_and(|bytes| bytes < longest) {
            let problem = "but one message of max_message_size needs more; make room for it";
            self.against_path(&bytes, problem);
        }
    }

    /// What is said and would do nothing.
    fn check_use(&mut self, at: usize, topic: &Draft) {
        let mut draft = topic.clone();
        if topic.topic.routing == Routing::Fanout && !self.broken.contains(&path(at, "routing")) {
            for key in ["ack_timeout", "max_deliveries", "dead_letter"] {
                let problem =
                    "but this topic is no queue; set routing = \"queue\", or leave it out";
                self.against_set(&path(at, key), &mut draft, problem);
            }
        }
        if topic.topic.policy != Policy::Block && !self.broken.contains(&path(at, "policy")) {
            let problem = "but this topic does not block; set policy = \"block\", or leave it out";
            self.against_set(&path(at, "block_timeout"), &mut draft, problem);
        }
    }

    fn check_dead_letters(&mut self, topics: &[Draft]) {
        let by_name: BTreeMap<_, _> =
            topics.iter().filter_map(|topic| Some((topic.name.as_ref()?, topic))).collect();
        let next = |topic: &Draft| topic.topic.dead_letter.clone();
        for (at, topic) in topics.iter().enumerate() {
            let key = path(at, "dead_letter");
            let Some(target) = next(topic) else { continue };
            // A name that was refused may be this one.
            let is_known = by_name.contains_key(&target);
            if !is_known && by_name.len() == topics.len() {
                let names: Vec<_> = by_name.keys().map(|name| name.as_str()).take(10).collect();
                let problem = format!("which is no topic here; there are {}", names.join(", "));
                self.against_path(&key, &problem);
                continue;
            }
            let longest = topic.topic.max_message_size;
            if by_name.get(&target).is_some_and(|it| it.topic.max_message_size < longest) {
                let problem =
                    "but that one's max_message_size is smaller than this one's; make it as large";
                self.against_path(&key, problem);
                continue;
            }
            let (mut seen, mut then) = (0, Some(target));
            while let Some(name) = then.filter(|_| seen <= topics.len()) {
                seen += 1;
                if Some(&name) == topic.name.as_ref() {
                    let problem = format!(
                        "but from there messages come back to {}; break the circle",
                        called(at, topic)
                    );
                    self.against_path(&key, &problem);
                    break;
                }
                then = by_name.get(&name).and_then(|topic| next(topic));
            }
        }
    }

    /// Something against what somebody has set to something else than it is anyway.
    fn against_set(&mut self, path: &str, topic: &mut Draft, problem: &str) {
        let (_, Some(name)) = split(path).unwrap_or_default() else { return };
        let Some(key) = KEYS.iter().find(|key| key.path == name) else { return };
        let is_default = key.slot.show(topic) == key.slot.show(&mut Draft::default());
        if !is_default && !self.broken.contains(path) {
            self.against_path(path, problem);
        }
    }

    /// Something against a key of a topic, wherever it comes from.
    pub(in crate::config) fn against_path(&mut self, path: &str, problem: &str) {
        let place: Place = self.place_of(path);
        let (value, fault) = (self.shown(path), Fault::Contradiction { problem: problem.into() });
        self.findings.push(&place, path, value, fault);
    }
}
