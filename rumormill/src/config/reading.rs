//! How entries become a configuration, one after the other.

use std::collections::BTreeSet;

use super::{
    findings::Findings,
    key,
    kind::Kind,
    layer::Entry,
    place::{Layer, Origin, Place},
    problem::Fault,
    sources::{Placed, Places, Setting},
    spot::Spot,
    value::Value,
    written::{Form, Written},
};

/// A configuration of which some is read.
pub(super) struct Reading<'a, K> {
    pub(super) draft: K,
    pub(super) places: Places,
    /// Keys whose value was refused: what does not go with it is no use to know.
    pub(super) broken: BTreeSet<String>,
    pub(super) findings: &'a mut Findings,
}

impl<'a, K: Kind> Reading<'a, K> {
    /// Begins with what counts where nothing is said.
    pub(super) fn new(draft: K, findings: &'a mut Findings) -> Self {
        let (places, broken) = (Places::new(), BTreeSet::new());
        Self { draft, places, broken, findings }
    }

    pub(super) fn take(&mut self, entry: Entry) {
        let Some(entry) = self.take_topic(entry) else { return };
        match (Spot::find(&entry.path), key::of_transport(&entry.path)) {
            (Some(spot), _) => self.set(&spot, entry),
            (None, Some((Some(scheme), Some(option)))) if !entry.is_section => {
                let (scheme, option) = (scheme.to_owned(), option.to_owned());
                self.set_option(&scheme, option, entry);
            }
            _ if key::is_section::<K>(&entry.path) => {
                let takes = format!("keys below it, as in {}", key::example_in::<K>(&entry.path));
                self.refuse(&entry, Fault::Malformed { takes: takes.into() });
            }
            _ if self.findings.are_full() => self.findings.count(),
            _ => {
                let nearest = key::nearest_to::<K>(&entry.path);
                let fault = Fault::Unknown { nearest };
                self.findings.push(&entry.place, key::shown(&entry.path), None, fault);
            }
        }
    }

    /// Has something against a value as a whole.
    pub(super) fn refuse(&mut self, entry: &Entry, fault: Fault) {
        let value = Some(entry.written.excerpt());
        self.findings.push(&entry.place, key::shown(&entry.path), value, fault);
    }

    pub(super) fn set(&mut self, spot: &Spot<K>, mut entry: Entry) {
        let wrong = spot.read(&entry.written, &mut self.draft);
        match wrong.is_empty() {
            true => self.broken.remove(&entry.path),
            false => self.broken.insert(entry.path.clone()),
        };
        for wrong in wrong {
            if self.findings.are_full() {
                self.findings.count();
                continue;
            }
            let place = item_at(&entry, wrong.at).and_then(|at| entry.items.get(at));
            let place = place.unwrap_or(&entry.place);
            self.findings.push(place, &*entry.path, Some(wrong.value), wrong.fault);
            // What is left are the places of what was taken.
            if let Some(at) = item_at(&entry, wrong.at) {
                entry.items.remove(at);
            }
        }
        self.places.insert(entry.path, Placed { place: entry.place, items: entry.items });
    }

    fn set_option(&mut self, scheme: &str, option: String, entry: Entry) {
        let text = match &entry.written.form {
            Form::Boolean(is_so) => is_so.to_string(),
            Form::Number(text) | Form::Plain(text) | Form::Text(text) => text.clone(),
            Form::List(_) | Form::Other(_) => {
                let takes = "one value, as in true, 128 or \"8MiB\"".into();
                return self.refuse(&entry, Fault::Malformed { takes });
            }
        };
        self.draft.transports().entry(scheme.into()).or_default().insert(option, text);
        self.places.insert(entry.path, Placed { place: entry.place, items: entry.items });
    }
}

/// All settings with their values, in the order of the table, those of topics last; `origin` tells of what nobody has set.
pub(super) fn settings<K: Kind>(
    draft: &mut K,
    places: &Places,
    mut origin: impl FnMut(&Spot<K>) -> Origin,
) -> Vec<Setting> {
    let (mut settings, mut of_topics) = (Vec::new(), Vec::new());
    for spot in Spot::all(draft) {
        let Some(value) = spot.show(draft) else { continue };
        let key = spot.path();
        let origin = match places.get(&key) {
            Some(placed) => placed.place.origin.clone(),
            None => origin(&spot),
        };
        let setting = Setting { key: key.into(), value, origin };
        match spot {
            Spot::Key(_) => settings.push(setting),
            Spot::OfTopic(..) => of_topics.push(setting),
        }
    }
    settings.extend(of_transports(draft).into_iter().map(|(key, value)| {
        let origin = places.get(&key).map(|placed| placed.place.origin.clone());
        Setting { key: key.into(), value, origin: origin.unwrap_or(Origin::Default) }
    }));
    // Last, since TOML has nothing else behind the tables of a list.
    settings.extend(of_topics);
    settings
}

/// What a file would have to say for this to be read from it, where `default` is read from none.
pub(super) fn entries_of<K: Kind>(
    draft: &mut K,
    default: &mut K,
    is_always: impl Fn(&str) -> bool,
) -> Vec<Entry> {
    let mut all = Vec::new();
    for spot in Spot::all(draft) {
        let (path, Some(value)) = (spot.path(), spot.show(draft)) else { continue };
        if is_always(&path) || Some(&value) != spot.show(default).as_ref() {
            all.push((path, value));
        }
    }
    all.extend(of_transports(draft));
    let of_program = |(at, (path, value)): (usize, (String, Value))| {
        let place = Place { origin: Origin::Program, order: (Layer::Flags, at) };
        let written = Written::shown(&value);
        Entry { path, place, items: Vec::new(), written, is_section: false }
    };
    all.into_iter().enumerate().map(of_program).collect()
}

fn of_transports(draft: &mut impl Kind) -> Vec<(String, Value)> {
    let all = draft.transports().iter();
    let all = all.flat_map(|(scheme, options)| {
        options.iter().map(move |(name, text)| (key::option_path(scheme, name), Value::text(text)))
    });
    all.collect()
}

/// The item that begins there in the file.
fn item_at(entry: &Entry, at: usize) -> Option<usize> {
    entry.items.iter().position(|item| item.order == (Layer::File, at))
}
