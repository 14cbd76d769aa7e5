//! Whether transports are in this build, and take their options.

use rumormill_identity::SecretKey;
use rumormill_transport_api::{Context, Factory, Options, excerpt};

use super::Checks;
use crate::config::{
    key::{TRANSPORTS, option_path},
    kind::Kind,
    place::Place,
    problem::Fault,
};

impl<K: Kind> Checks<'_, K> {
    pub(in crate::config) fn check_transports(&mut self) {
        for (scheme, options) in self.draft.transports().clone() {
            if let Some(problem) = self.scheme_problem(&scheme) {
                let first = options.iter().next().map_or("", |(name, _)| name);
                let place = self.place_of(&option_path(&scheme, first));
                let fault = Fault::Transport { problem: problem.into() };
                self.findings.push(&place, format!("{TRANSPORTS}.{scheme}"), None, fault);
                continue;
            }
            self.check_options(&scheme, &options);
        }
    }

    /// Each option by itself first, so that the one at fault is known.
    fn check_options(&mut self, scheme: &str, options: &Options) {
        let mut is_fine = true;
        for (name, text) in options.iter() {
            if self.findings.are_full() {
                return self.findings.count();
            }
            let alone = [(name, text)].into_iter().collect();
            let Some(problem) = self.options_problem(scheme, &alone) else { continue };
            is_fine = false;
            self.against_option(&option_path(scheme, name), problem);
        }
        let (true, Some((first, _))) = (is_fine, options.iter().next()) else { return };
        if let Some(problem) = self.options_problem(scheme, options) {
            self.against_option(&option_path(scheme, first), problem);
        }
    }

    fn against_option(&mut self, path: &str, problem: String) {
        let (place, fault) = (self.place_of(path), Fault::Transport { problem: problem.into() });
        self.findings.push(&place, excerpt(path), None, fault);
    }

    /// What the registry has against a scheme.
    pub(in crate::config) fn scheme_problem(&self, scheme: &str) -> Option<String> {
        match self.registry.contains(scheme) {
            true => None,
            // Nothing is built for a scheme that is not there.
            false => self.registry.transport(scheme).err().map(|error| error.to_string()),
        }
    }

    /// What the registry has against a scheme, or its transport against these options.
    pub(in crate::config) fn options_problem(
        &self,
        scheme: &str,
        options: &Options,
    ) -> Option<String> {
        let Some(factory) = self.factory(scheme) else { return self.scheme_problem(scheme) };
        if options.is_empty() {
            return None;
        }
        // Some refuse to be built without, and whose they are makes no difference to options.
        let credentials = self.anybody.get_or_init(|| SecretKey::generate().credentials().into());
        let context = Context {
            options: options.clone(),
            credentials: Some(credentials.clone()),
            ..Context::default()
        };
        let known = options.check(factory.options);
        let built = known.and_then(|()| (factory.build)(&context).map(drop));
        built.err().map(|error| error.to_string())
    }

    pub(in crate::config) fn factory(&self, scheme: &str) -> Option<Factory> {
        self.registry.factories().find(|factory| factory.scheme == scheme).copied()
    }

    pub(in crate::config) fn place_of(&self, path: &str) -> Place {
        self.places.get(path).map_or_else(Place::nowhere, |placed| placed.place.clone())
    }
}
