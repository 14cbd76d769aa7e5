//! Whether addresses are some that this build can listen at or dial.

#[cfg(feature = "broker")]
use rumormill_transport_api::Delivery;
use rumormill_transport_api::{Addr, HostPort, excerpt};

use super::Checks;
use crate::config::{kind::Kind, place::Place, problem::Fault};

impl<K: Kind> Checks<'_, K> {
    pub(in crate::config) fn check_carriers(&mut self, key: &'static str, addrs: &[Addr]) {
        for (at, addr) in addrs.iter().enumerate() {
            if let Some(problem) = self.options_problem(addr.scheme(), addr.options()) {
                self.against_item(key, at, addr, Fault::Transport { problem: problem.into() });
            }
        }
    }

    pub(in crate::config) fn check_doubles(&mut self, key: &'static str, addrs: &[Addr]) {
        // A free port is another one each time.
        let is_free = |addr: &Addr| HostPort::parse(addr).is_ok_and(|place| place.port() == 0);
        let place = |addr: &Addr| addr.clone().without_options();
        for (at, addr) in addrs.iter().enumerate() {
            let before = addrs.iter().take(at);
            if !is_free(addr) && before.map(place).any(|before| before == place(addr)) {
                let problem = "but it listens there already; keep one of them".into();
                self.against_item(key, at, addr, Fault::Contradiction { problem });
            }
        }
    }

    /// Brokers speak over streams alone: what was said stays said, and in order.
    #[cfg(feature = "broker")]
    pub(in crate::config) fn check_streams(&mut self, key: &'static str, addrs: &[Addr]) {
        for (at, addr) in addrs.iter().enumerate() {
            let caps = self.factory(addr.scheme()).map(|factory| factory.caps);
            if caps.is_some_and(|caps| caps.delivery != Delivery::Stream) {
                let problem = "may lose messages, and a broker's must arrive; use a \
                               transport that delivers a stream, such as tcp";
                let fault = Fault::Refused { problem: problem.into() };
                self.against_item(key, at, addr, fault);
            }
        }
    }

    pub(in crate::config) fn against_item(
        &mut self,
        key: &'static str,
        at: usize,
        addr: &Addr,
        fault: Fault,
    ) {
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
