//! Where a peer is, and perhaps who it has to be.

use std::{fmt, str::FromStr};

use rumormill::{
    Addr,
    transport::{Error, NodeId},
};

/// `ADDR`, or `NODEID@ADDR`.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) node: Option<NodeId>,
    pub(crate) addr: Addr,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node {
            write!(f, "{node}@")?;
        }
        self.addr.fmt(f)
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('@') {
            // Behind the scheme an '@' is part of the address.
            Some((node, addr)) if !node.contains("://") => {
                Ok(Self { node: Some(node.parse()?), addr: addr.parse()? })
            }
            _ => Ok(Self { node: None, addr: text.parse()? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_stand_before_an_address() {
        let node = NodeId([7; 32]);
        let place: Place = format!("{node}@tcp://127.0.0.1:1").parse().unwrap();
        assert_eq!((place.node, place.addr.to_string()), (Some(node), "tcp://127.0.0.1:1".into()));
        assert_eq!(place.to_string(), format!("{node}@tcp://127.0.0.1:1"));
        let place: Place = "unix:///run/a@b.sock".parse().unwrap();
        assert_eq!((place.node, place.to_string()), (None, "unix:///run/a@b.sock".into()));
        for wrong in ["", "@", "@tcp://x:1", "node1qqq@tcp://x:1", "tcp@127.0.0.1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
