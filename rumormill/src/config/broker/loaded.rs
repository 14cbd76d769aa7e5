//! A broker's configuration that can be used, and where each part of it comes from.

use std::cell::OnceCell;

use rumormill_identity::SecretKey;
use rumormill_registry::Registry;

use super::{Config, Draft};
use crate::config::{
    Change,
    checks::Checks,
    file::File,
    files::{self, Token},
    findings::Findings,
    layer::Entry,
    place::Origin,
    problem::Error,
    reading::{self, Reading, entries_of},
    sources::{Completeness, Places, Setting, Sources},
};

/// A broker's configuration that can be used, and where each part of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// What the broker is told.
    pub config: Config,
    /// What the files that it names hold.
    pub files: Files,
    places: Places,
}

/// What the files hold that a broker's configuration names, once they have been read and checked.
#[derive(Clone, Debug)]
pub struct Files {
    /// The broker's key; `None` if no file is named.
    pub key: Option<SecretKey>,
    /// What whoever asks by TCP has to know.
    pub token: Option<Token>,
}

impl Sources {
    /// As [`load`](Self::load), for a broker that is no node.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn load_broker(&self, registry: &Registry) -> Result<Loaded, Error> {
        let mut findings = Findings::default();
        let (entries, completeness) = self.entries::<Draft>(&mut findings);
        Loaded::read(entries, completeness, findings, registry)
    }

    /// Whether the file is a broker's: it says something of `[server]` or `[performance]`, or of topics
    /// and of nothing that only a node has. False if it cannot be read.
    pub fn is_of_broker(&self) -> bool {
        let mut findings = Findings::default();
        let file = self.file.as_ref().and_then(|path| File::read(path, &mut findings));
        file.is_some_and(|file| {
            let names = file.names();
            let has = |name: &str| names.iter().any(|it| it == name);
            let is_shared = |name: &str| ["topics", "admin", "log", "transports"].contains(&name);
            has("server")
                || has("performance")
                || has("topics") && names.iter().all(|name| is_shared(name))
        })
    }
}

impl Change {
    /// What is different in `new`.
    pub fn between_brokers(old: &Config, new: &Config) -> Self {
        Self::of(Draft::of(old.clone()), Draft::of(new.clone()))
    }
}

impl Loaded {
    /// What a program has put together itself, held against the same rules; with the files that it names.
    ///
    /// # Errors
    /// [`Error`] with all that is wrong.
    pub fn of(config: Config, registry: &Registry) -> Result<Self, Error> {
        let (mut draft, mut default) = (Draft::of(config.clone()), Draft::default());
        let entries = entries_of(&mut draft, &mut default, |_| false);
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
        let mut reading = Reading::new(Draft::default(), &mut findings);
        entries.into_iter().for_each(|entry| reading.take(entry));
        let Reading { draft, places, broken, .. } = reading;
        // Without the file, much of what is found would be missing only there.
        if completeness == Completeness::Partial {
            findings = findings.finish()?;
        }
        let mut checks =
            Checks { draft, places, broken, findings, registry, anybody: OnceCell::new() };
        checks.run_of_broker();
        let Checks { draft, places, broken, mut findings, .. } = checks;
        let config = draft.finish();
        let mut reading =
            files::Reading { places: &places, broken: &broken, findings: &mut findings };
        let key = reading.file("server.identity", config.server.identity.as_deref(), files::key);
        let token = reading.file("admin.token", config.admin.token.as_deref(), files::token);
        findings.finish()?;
        Ok(Self { config, files: Files { key, token }, places })
    }

    /// All settings with their values, in the order of the table.
    pub fn settings(&self) -> Vec<Setting> {
        reading::settings(&mut Draft::of(self.config.clone()), &self.places, |_| Origin::Default)
    }
}
