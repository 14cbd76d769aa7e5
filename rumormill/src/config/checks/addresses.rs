//! Whether addresses are some that this build and this node can use.

use rumormill_gossip::{Profile, ProfileError, pack};
use rumormill_transport_api::{Addr, HostPort, excerpt};

use super::Checks;
use crate::config::{draft::Draft, problem::Fault};

impl Checks<'_, Draft> {
    pub(super) fn check_addresses(&mut self) {
        for key in ["listen", "advertise", "join"] {
            self.check_carriers(key, &self.of(key));
        }
        self.check_schemes();
        self.check_doubles("listen", &self.of("listen"));
        self.check_dialled();
        self.check_confidential();
        self.check_advertised();
    }

    fn of(&self, key: &str) -> Vec<Addr> {
        match key {
            "listen" => self.draft.listen.clone(),
            "advertise" => self.draft.advertise.clone(),
            _ => self.draft.join.clone(),
        }
    }

    fn check_schemes(&mut self) {
        let schemes = self.draft.reach.schemes.clone().unwrap_or_default();
        for scheme in &schemes {
            if let Some(problem) = self.scheme_problem(scheme) {
                let place = self.place_of("reach.schemes");
                let value = format!("\"{}\"", excerpt(scheme)).into();
                let fault = Fault::Transport { problem: problem.into() };
                self.findings.push(&place, "reach.schemes", Some(value), fault);
            }
        }
    }

    /// What others dial, or this node does, is a place and not any.
    fn check_dialled(&mut self) {
        for key in ["advertise", "join"] {
            for (at, addr) in self.of(key).iter().enumerate() {
                let is_local =
                    self.factory(addr.scheme()).is_none_or(|factory| factory.caps.local_only);
                if !is_local && HostPort::parse(addr).is_ok_and(|place| is_nowhere(&place)) {
                    let problem = "where nobody can be dialled; write the address and port that \
                                   others reach"
                        .into();
                    self.against_item(key, at, addr, Fault::Contradiction { problem });
                }
            }
        }
    }

    fn check_confidential(&mut self) {
        if !self.draft.endpoint.confidential {
            return;
        }
        for key in ["listen", "advertise", "join"] {
            for (at, addr) in self.of(key).iter().enumerate() {
                let caps = self.factory(addr.scheme()).map(|factory| factory.caps);
                if caps.is_some_and(|caps| !caps.secure && !caps.local_only) {
                    let problem =
                        "which others can read, but endpoint.confidential is true; use a \
                                   transport that encrypts"
                            .into();
                    self.against_item(key, at, addr, Fault::Contradiction { problem });
                }
            }
        }
    }

    fn check_advertised(&mut self) {
        let addrs = self.of("advertise");
        if !addrs.is_empty() && self.draft.listen.is_empty() {
            let problem = "but it listens nowhere; set listen, too";
            return self.against_beside("advertise", "listen", problem);
        }
        for (at, addr) in addrs.iter().enumerate() {
            if pack(addr).is_none() {
                let fault = Fault::Refused { problem: "is too long for a record".into() };
                return self.against_item("advertise", at, addr, fault);
            }
        }
        if let Some(error) = too_many(&addrs) {
            self.against("advertise", &format!("but that is too much for a record: {error}"));
        }
    }
}

/// Whether it is a place to listen at only: any address, or any port.
fn is_nowhere(place: &HostPort) -> bool {
    let is_any = matches!(place, HostPort::Socket(socket) if socket.ip().is_unspecified());
    is_any || place.port() == 0
}

fn too_many(addrs: &[Addr]) -> Option<ProfileError> {
    let addresses = addrs.iter().filter_map(pack).collect();
    Profile { addresses, ..Profile::default() }.check().err()
}
