//! A node's configuration that can be used, and where each part of it comes from.

use std::cell::OnceCell;

use rumormill_registry::Registry;

use super::{
    Config, Preset,
    checks::Checks,
    draft::Draft,
    files::Files,
    findings::Findings,
    layer::Entry,
    place::Origin,
    problem::Error,
    reading::{Reading, entries_of, settings},
    rule::{Rule, Word},
    sources::{Completeness, Places, Setting, Sources},
    table::PRESETS,
};

/// A node's configuration that can be used, and where each part of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// What the node is told.
    pub config: Config,
    /// What the files that it names hold.
    pub files: Files,
    places: Places,
}

impl Sources {
    /// Reads and checks everything, the files that the configuration names included. Addresses and
    /// options have to be some that transports of `registry` take; none is built in it.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn load(&self, registry: &Registry) -> Result<Loaded, Error> {
        let mut findings = Findings::default();
        let (entries, completeness) = self.entries::<Draft>(&mut findings);
        Loaded::read(entries, completeness, findings, registry)
    }
}

impl Loaded {
    /// What a program has put together itself, held against the same rules; with the files that it names.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn of(config: Config, registry: &Registry) -> Result<Self, Error> {
        let mut default = Draft::new(config.node.preset);
        let entries =
            entries_of(&mut Draft::of(config.clone()), &mut default, |path| path == PRESET);
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
        let mut reading = Reading::new(Draft::new(preset(&entries)), &mut findings);
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
        let preset = self.config.node.preset;
        let (mut lan, mut presets) = (Draft::new(Preset::default()), Draft::new(preset));
        settings(&mut Draft::of(self.config.clone()), &self.places, |spot| {
            match spot.show(&mut lan) == spot.show(&mut presets) {
                true => Origin::Default,
                false => Origin::Preset(preset),
            }
        })
    }
}

/// The preset that counts in the end, on which the defaults of others depend.
fn preset(entries: &[Entry]) -> Preset {
    let said = entries.iter().rfind(|entry| entry.path == PRESET);
    let preset = said.and_then(|entry| Word(PRESETS).read(&entry.written, &mut Vec::new()));
    preset.unwrap_or_default()
}

impl Preset {
    pub(super) fn name(self) -> &'static str {
        let name = PRESETS.iter().find(|(_, preset)| *preset == self);
        name.expect("invariant: every preset is in the table").0
    }
}

const PRESET: &str = "node.preset";
