//! Where a configuration comes from, and how the sources become one.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    path::PathBuf,
};

use rumormill_registry::Registry;

use super::{
    Config, Preset,
    checks::Checks,
    draft::Draft,
    file::File,
    files::Files,
    findings::Findings,
    key::{self, Key},
    layer::{self, Entry},
    place::{Layer, Origin, Place},
    problem::{Error, Fault},
    rule::{Rule, Word},
    table::PRESETS,
    value::Value,
    written::{Form, Written},
};

/// Where a configuration comes from. What comes later overrides what comes before.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A file in TOML.
    pub file: Option<PathBuf>,
    /// Variables of the environment, of which those count that begin with `RUMORMILL__`:
    /// `RUMORMILL__GOSSIP__PACKET` is gossip.packet.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags, each as `key=value`.
    pub flags: Vec<String>,
}

/// A configuration that can be used, and where each part of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// What the node is told.
    pub config: Config,
    /// What the files that it names hold.
    pub files: Files,
    places: Places,
}

/// A key, its value, and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: Box<str>,
    /// Its value.
    pub value: Value,
    /// Where that comes from.
    pub origin: Origin,
}

/// Where keys were set that were set at all.
pub(super) type Places = BTreeMap<String, Placed>;

/// Where a key was set, and each item of its list.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) place: Place,
    pub(super) items: Vec<Place>,
}

impl Sources {
    /// A file, or none; the environment of this process; and flags, each as `key=value`.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        Self { file, environment: env::vars_os().collect(), flags }
    }

    /// Reads and checks everything, the files that the configuration names included. Addresses and
    /// options have to be some that transports of `registry` take; none is built in it.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn load(&self, registry: &Registry) -> Result<Loaded, Error> {
        let mut findings = Findings::default();
        let (entries, is_whole) = self.entries(&mut findings);
        let completeness = if is_whole { Completeness::Whole } else { Completeness::Partial };
        Loaded::read(entries, completeness, findings, registry)
    }

    /// What all sources say, each after what it overrides, and whether the file could be read.
    fn entries(&self, findings: &mut Findings) -> (Vec<Entry>, bool) {
        let file = match &self.file {
            Some(path) => File::read(path, findings).and_then(|file| file.entries(findings)),
            None => Some(Vec::new()),
        };
        let is_whole = file.is_some();
        let mut entries = file.unwrap_or_default();
        entries.extend(layer::environment(&self.environment, findings));
        entries.extend(layer::flags(&self.flags, findings));
        (entries, is_whole)
    }
}

/// Whether all that was to be read could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completeness {
    Whole,
    Partial,
}

impl Loaded {
    /// What a program has put together itself, held against the same rules; with the files that it names.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn of(config: Config, registry: &Registry) -> Result<Self, Error> {
        let entries = entries_of(&config);
        let read = Self::read(entries, Completeness::Whole, Findings::default(), registry)?;
        // What is read may be rounded.
        Ok(Self { config, ..read })
    }

    fn read(
        entries: Vec<Entry>,
        completeness: Completeness,
        mut findings: Findings,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let mut reading = Reading::new(preset(&entries), &mut findings);
        entries.into_iter().for_each(|entry| reading.take(entry));
        let Reading { draft, places, broken, .. } = reading;
        // Without the file, much of what is found would be missing only there.
        if completeness == Completeness::Partial {
            findings = findings.finish()?;
        }
        let mut checks =
            Checks { draft, places, broken, findings, registry, anybody: OnceCell::new() };
        checks.run();
        let Checks { draft, places, broken, mut findings, .. } = checks;
        let config = draft.finish();
        let files = Files::read(&config, &places, &broken, &mut findings);
        findings.finish()?;
        Ok(Self { config, files, places })
    }

    /// All settings with their values, in the order of the table.
    pub fn settings(&self) -> Vec<Setting> {
        let mut draft = Draft::of(self.config.clone());
        let preset = self.config.node.preset;
        let (mut lan, mut presets) = (Draft::new(Preset::default()), Draft::new(preset));
        let of_table = key::all().filter_map(|key| {
            let value = key.slot.show(&mut draft)?;
            let origin = match self.places.get(key.path) {
                Some(placed) => placed.place.origin.clone(),
                None if key.slot.show(&mut lan) == key.slot.show(&mut presets) => Origin::Default,
                None => Origin::Preset(preset),
            };
            Some(Setting { key: key.path.into(), value, origin })
        });
        of_table.chain(self.of_transports()).collect()
    }

    fn of_transports(&self) -> impl Iterator<Item = Setting> {
        let all = self.config.transports.iter();
        let all = all.flat_map(|(scheme, options)| {
            options.iter().map(move |(name, text)| (key::option_path(scheme, name), text))
        });
        all.map(|(key, text)| {
            let placed = self.places.get(&key);
            let origin = placed.map_or(Origin::Default, |placed| placed.place.origin.clone());
            Setting { key: key.into(), value: Value::text(text), origin }
        })
    }
}

/// A configuration of which some is read.
struct Reading<'a> {
    draft: Draft,
    places: Places,
    /// Keys whose value was refused: what does not go with it is no use to know.
    broken: BTreeSet<String>,
    findings: &'a mut Findings,
}

impl<'a> Reading<'a> {
    fn new(preset: Preset, findings: &'a mut Findings) -> Self {
        let (draft, places, broken) = (Draft::new(preset), Places::new(), BTreeSet::new());
        Self { draft, places, broken, findings }
    }

    fn take(&mut self, entry: Entry) {
        match (key::find(&entry.path), key::of_transport(&entry.path)) {
            (Some(key), _) => self.set(key, entry),
            (None, Some((Some(scheme), Some(option)))) if !entry.is_section => {
                let (scheme, option) = (scheme.to_owned(), option.to_owned());
                self.set_option(&scheme, option, entry);
            }
            _ if key::is_section(&entry.path) => {
                let takes = format!("keys below it, as in {}", key::example_in(&entry.path));
                let fault = Fault::Malformed { takes: takes.into() };
                let value = Some(entry.written.excerpt());
                self.findings.push(&entry.place, key::shown(&entry.path), value, fault);
            }
            _ if self.findings.are_full() => self.findings.count(),
            _ => {
                let nearest = key::nearest_to(&entry.path);
                let fault = Fault::Unknown { nearest };
                self.findings.push(&entry.place, key::shown(&entry.path), None, fault);
            }
        }
    }

    fn set(&mut self, key: &Key, mut entry: Entry) {
        let wrong = key.slot.read(&entry.written, &mut self.draft);
        match wrong.is_empty() {
            true => self.broken.remove(key.path),
            false => self.broken.insert(key.path.into()),
        };
        for wrong in wrong {
            if self.findings.are_full() {
                self.findings.count();
                continue;
            }
            let place = item_at(&entry, wrong.at).and_then(|at| entry.items.get(at));
            let place = place.unwrap_or(&entry.place);
            self.findings.push(place, key.path, Some(wrong.value), wrong.fault);
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
                let (value, fault) = (entry.written.excerpt(), Fault::Malformed { takes });
                return self.findings.push(
                    &entry.place,
                    key::shown(&entry.path),
                    Some(value),
                    fault,
                );
            }
        };
        self.draft.config.transports.entry(scheme.into()).or_default().insert(option, text);
        self.places.insert(entry.path, Placed { place: entry.place, items: entry.items });
    }
}

/// What a file would have to say for this to be read from it.
fn entries_of(config: &Config) -> Vec<Entry> {
    let (mut draft, mut default) = (Draft::of(config.clone()), Draft::new(config.node.preset));
    let of_table = key::all().filter_map(|key| {
        let value = key.slot.show(&mut draft)?;
        let is_set = key.path == PRESET || Some(&value) != key.slot.show(&mut default).as_ref();
        is_set.then(|| (key.path.to_owned(), value))
    });
    let mut all: Vec<_> = of_table.collect();
    for (scheme, options) in &config.transports {
        let of_scheme = options.iter();
        all.extend(
            of_scheme.map(|(name, text)| (key::option_path(scheme, name), Value::text(text))),
        );
    }
    let of_program = |(at, (path, value)): (usize, (String, Value))| {
        let place = Place { origin: Origin::Program, order: (Layer::Flags, at) };
        let written = Written::shown(&value);
        Entry { path, place, items: Vec::new(), written, is_section: false }
    };
    all.into_iter().enumerate().map(of_program).collect()
}

/// The item that begins there in the file.
fn item_at(entry: &Entry, at: usize) -> Option<usize> {
    entry.items.iter().position(|item| item.order == (Layer::File, at))
}

/// The preset that counts in the end, on which the defaults of others depend.
fn preset(entries: &[Entry]) -> Preset {
    let said = entries.iter().rfind(|entry| entry.path == PRESET);
    let preset = said.and_then(|entry| Word(PRESETS).read(&entry.written, &mut Vec::new()));
    preset.unwrap_or_default()
}

const PRESET: &str = "node.preset";

impl Preset {
    pub(super) fn name(self) -> &'static str {
        let name = PRESETS.iter().find(|(_, preset)| *preset == self);
        name.expect("invariant: every preset is in the table").0
    }
}
