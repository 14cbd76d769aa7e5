//! What an address means here: a host, and a name on it.

use std::sync::Arc;

use rumormill_transport_api::{Addr, Delivery, Error, Result};

use crate::FACTORY;

/// A place on a network.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) host: Arc<str>,
    /// Complete, with the host in it.
    pub(crate) addr: Addr,
}

impl Place {
    /// The place that `addr` tells, on the host `own` if it tells none.
    pub(crate) fn parse(addr: &Addr, own: &str) -> Result<Self> {
        match host_of(addr.rest()) {
            "" => Self::new(own, &format!("{own}{}", addr.rest())),
            host => Self::new(host, addr.rest()),
        }
    }

    /// Reads `addr` as something to dial, where `:0` makes no sense.
    pub(crate) fn parse_to_dial(addr: &Addr, own: &str) -> Result<Self> {
        match Self::parse(addr, own)? {
            open if open.is_open() => {
                Err(addr.malformed("has the number 0, which can be listened on but not dialled"))
            }
            place => Ok(place),
        }
    }

    /// The place that goes by a number on `host`.
    pub(crate) fn numbered(host: &str, number: u64) -> Result<Self> {
        Self::new(host, &format!("{host}:{number}"))
    }

    fn new(host: &str, rest: &str) -> Result<Self> {
        Ok(Self { host: host.into(), addr: Addr::new(FACTORY.scheme, rest)? })
    }

    /// What tells it apart from all other places.
    pub(crate) fn key(&self) -> &str {
        self.addr.rest()
    }

    /// Whether it stands for any number that is free.
    pub(crate) fn is_open(&self) -> bool {
        self.key().strip_prefix(&*self.host) == Some(":0")
    }

    /// The same place under an address that names the mode too.
    pub(crate) fn naming(self, delivery: Delivery) -> Result<Self> {
        let mode = match delivery {
            Delivery::Datagram => "datagram",
            Delivery::Stream => "stream",
        };
        Ok(Self { addr: format!("{}?delivery={mode}", self.addr).parse()?, ..self })
    }
}

/// Refuses what cannot stand before the `:` or `/` of an address.
pub(crate) fn check_host(host: &str) -> Result<()> {
    match !host.is_empty() && host_of(host) == host {
        true => Ok(()),
        false => Err(Error::option(
            "host",
            format!("is '{}'; a host has a letter or more, no '/' and no ':'", host.escape_debug()),
        )),
    }
}

/// What stands before the first `:` or `/`.
fn host_of(rest: &str) -> &str {
    rest.split([':', '/']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_ends_at_a_colon_or_a_slash() {
        for (text, host, key) in [
            ("mem://a", "a", "a"),
            ("mem://a:7", "a", "a:7"),
            ("mem://a/b:7", "a", "a/b:7"),
            ("mem://:7?host=c", "own", "own:7"),
            ("mem:///x", "own", "own/x"),
            ("mem://", "own", "own"),
        ] {
            let place = Place::parse(&text.parse().unwrap(), "own").unwrap();
            assert_eq!((&*place.host, place.key()), (host, key), "{text}");
        }
    }

    #[test]
    fn only_the_number_0_is_open() {
        let is_open = |text: &str| Place::parse(&text.parse().unwrap(), "own").unwrap().is_open();
        assert!(is_open("mem://a:0") && is_open("mem://:0"));
        assert!(!is_open("mem://a:00") && !is_open("mem://a/b:0") && !is_open("mem://a"));
    }

    #[test]
    fn a_host_is_not_empty_and_has_no_separator() {
        assert!(check_host("node-1.example").is_ok());
        for bad in ["", ":", "a:1", "a/b"] {
            assert!(matches!(check_host(bad), Err(Error::Option { .. })), "{bad}");
        }
    }
}
