//! What each key of a broker takes, and not beside another.

use std::path::Path;

use super::Draft;
use crate::config::{checks::Checks, place::Place, problem::Fault};

impl Checks<'_, Draft> {
    pub(super) fn run_of_broker(&mut self) {
        self.check_places();
        self.check_largest("server.publish_window", self.draft.window);
        self.check_largest("server.memory", Some(self.draft.config.broker.limits.memory));
        self.check_topics();
        self.check_admin(&self.draft.config.admin.clone());
        self.check_transports();
        if self.draft.topics.is_empty() && !self.broken.contains("topics") {
            let remedy = "add a table [[topics]] with a name, or --topic NAME";
            self.findings.push(&Place::nowhere(), "topics", None, Fault::Missing { remedy });
        }
    }

    fn check_places(&mut self) {
        let server = self.draft.config.server.clone();
        self.check_carriers("server.listen", &server.listen);
        self.check_doubles("server.listen", &server.listen);
        self.check_streams("server.listen", &server.listen);
        let tcp = server.bind_address.map(|_| ("server.bind_address", "tcp"));
        let unix = server.socket_path.as_ref().map(|_| ("server.socket_path", "unix"));
        for (key, scheme) in tcp.into_iter().chain(unix) {
            if let Some(problem) = self.scheme_problem(scheme) {
                let (place, value) = (self.place_of(key), self.shown(key));
                let fault = Fault::Transport { problem: problem.into() };
                self.findings.push(&place, key, value, fault);
            }
        }
        if server.socket_path.is_some_and(|path| !is_whole(&path)) {
            let problem = "but a socket's path begins at the root; write it whole";
            self.against("server.socket_path", problem);
        }
    }
}

/// Whether it is a path of a socket as its transport takes it.
fn is_whole(path: &Path) -> bool {
    path.is_absolute() && path.file_name().is_some()
}
