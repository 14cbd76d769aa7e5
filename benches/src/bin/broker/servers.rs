//! All brokers of a comparison, and where they are.

use std::{fs, net::SocketAddr, path::Path};

use rumormill_broker::TopicName;
use rumormill_transport_api::Addr;

use crate::{
    Outcome,
    cell::{Rival, Shape},
    serve::{FANOUT, QUEUE},
    server::{Nats, Ours},
    usage::Usage,
};

/// The brokers, which run side by side; who is not asked anything costs nothing.
pub(crate) struct Servers {
    /// `None`: it is not installed.
    pub(crate) nats: Option<Nats>,
    pub(crate) ours: Ours,
}

/// Where a broker is.
#[derive(Clone)]
pub(crate) enum Place {
    Nats {
        addr: SocketAddr,
        process: u32,
    },
    /// With the topic that is to be used.
    Ours {
        addr: Addr,
        process: u32,
        topic: TopicName,
    },
}

impl Servers {
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let its = folder.join("nats");
        fs::create_dir(&its)?;
        Ok(Self { nats: Nats::start(&its)?, ours: Ours::start(folder)? })
    }

    /// Where `rival` is, if it is there, for messages of that shape.
    pub(crate) fn place(&self, rival: Rival, shape: Shape) -> Option<Place> {
        let topic = match shape {
            Shape::Fanout(_) => FANOUT,
            Shape::Queue(_) => QUEUE,
        };
        let ours = |addr| Some(self.ours.place(addr, topic));
        match rival {
            Rival::Nats => {
                let nats = self.nats.as_ref()?;
                Some(Place::Nats { addr: nats.addr, process: nats.server.process() })
            }
            Rival::Tcp => ours(&self.ours.tcp),
            Rival::Unix => ours(&self.ours.unix),
        }
    }
}

impl Place {
    /// What the broker has taken so far.
    pub(crate) fn usage(&self) -> Outcome<Usage> {
        match self {
            Self::Nats { process, .. } | Self::Ours { process, .. } => Usage::of(*process),
        }
    }
}

impl Ours {
    /// One of its addresses, and one of its topics.
    pub(crate) fn place(&self, addr: &Addr, topic: &str) -> Place {
        let topic = topic.parse().expect("invariant: our topics have good names");
        Place::Ours { addr: addr.clone(), process: self.server.process(), topic }
    }
}
