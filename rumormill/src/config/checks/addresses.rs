//! Whether addresses are some that this build and this node can use.

use rumormill_gossip::{Profile, ProfileError, pack};
use rumormill_transport_api::{Addr, HostPort, excerpt};

use super::Checks;
use crate::config::{place::Place, problem::Fault};

impl Checks<'_> {
    pub(super) fn check_addresses(&mut self) {
        for key in ["listen", "advertise", "join"] {
            self.check_carriers(key);
        }
        self.check_schemes();
        self.check_doubles();
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

    fn check_carriers(&mut self, key: &'static str) {
        for (at, addr) in self.of(key).iter().enumerate() {
            if let Some(problem) = self.options_problem(addr.scheme(), addr.options()) {
                self.against_item(key, at, addr, Fault::Transport { problem: problem.into() });
            }
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

    fn check_doubles(&mut self) {
        let addrs = self.of("listen");
        // A free port is another one each time.
        let is_free = |addr: &Addr| HostPort::parse(addr).is_ok_and(|place| place.port() == 0);
        let place = |addr: &Addr| addr.clone().without_options();
        for (at, addr) in addrs.iter().enumerate() {
            let before = addrs.iter().take(at);
            if !is_free(addr) && before.map(place).any(|before| before == place(addr)) {
                let problem = "but it listens there already; keep one of them".into();
                self.against_item("listen", at, addr, Fault::Contradiction { problem });
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

    fn against_item(&mut self, key: &'static str, at: usize, addr: &Addr, fault: Fault) {
        let value = format!("\"{}\"", excerpt(&addr.to_string())).into();
        let place = self.item_place(key, at);
        self.findings.push(&place, key, Some(value), fault);
    }

    fn item_place(&self, key: &str, at: usize) -> Place {
        let placed = self.places.get(key);
        let place = placed.map(|placed| placed.items.get(at).unwrap_or(&placed.place).clone());
        place.unwrap_or_else(Place::nowhere)
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
