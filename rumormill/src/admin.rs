//! How a running node is asked and told things: HTTP/1.1 over a Unix socket that only its user can open,
//! and over TCP where the configuration says so, for whoever knows the token.
//!
//! [`Node::start`](crate::Node::start) begins it if `admin.socket` or `admin.tcp` is set, and it ends with the
//! node. [`Client`] asks; so do `rumormill members`, `status`, `events`, `broadcast`, `send`, `request`,
//! `reload` and `leave`, and `curl --unix-socket PATH http://node/members`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process is there; needs no token |
//! | `GET /readyz` | 200 once the node takes part, 503 before and after; needs no token |
//! | `GET /node` | who it is |
//! | `GET /members` | all members by id, the node among them |
//! | `GET /status` | a page about it all |
//! | `GET /metrics` | all numbers, for Prometheus |
//! | `GET /topics` | the topics of the broker that it is, or hosts |
//! | `GET /conns` | the conns to that broker, oldest first |
//! | `GET /events` | what happens, an object in each line, until the node leaves |
//! | `POST /broadcast` | the rumor's id; the body is the rumor |
//! | `POST /send?to=NODE` | the node's id; the body is the message |
//! | `POST /request?to=NODE&deadline=5s` | what it answered, as it is; the body is the question |
//! | `POST /join?addr=ADDR` | who was met there |
//! | `POST /reload?dry_run=true` | which keys have changed, or would |
//! | `POST /leave` | how far the goodbye has come, when it is over |
//!
//! A broker that is no node has `/healthz`, `/readyz`, `/metrics`, `/topics`, `/conns`, `/reload` and `/leave`,
//! which stops it.
//!
//! `NODE` is an id, at least eight characters of one behind `node1`, or a name. Answers are JSON but where the
//! table says otherwise; what goes wrong is a status of 400 or more and `{"error": "…"}`. Bytes of others are
//! `{"text": "…"}` if they are UTF-8, and otherwise `{"base64": "…"}`.
//!
//! # What is bounded
//! - 64 conns at once, by each way in; another one takes the place of the oldest that asks nothing. A
//!   conn carries one request, whose head has 5 s and 16 KiB, its body 10 s and
//!   [`max_message`](crate::config::Endpoint::max_message), its answer 30 s to be read.
//! - 16 requests at once that take a body or wait for others; one more waits 2 s, and is then refused.
//! - 16 streams of events. A reader who is slow delays nobody: what waits for him is bounded, of more he misses
//!   the oldest, and a line says how many (`{"event":"missed"}`).

mod client;
mod place;

mod conns;
mod desk;
mod feed;

mod answer;
mod asked;
#[cfg(feature = "broker")]
mod broker;
mod counts;
mod form;
mod hooks;
mod inherited;
mod route;
mod subject;
mod token;
mod whom;

mod error;
mod socket_file;

use std::{net::SocketAddr, path::Path, sync::Arc};

use rumormill_socket_file::SocketFile;
use tokio::{net::TcpListener, sync::watch, time::timeout};

pub use client::{Client, ClientError, Lines};
pub use error::Error;
pub use hooks::{Hooks, Reload};
pub use inherited::inherit;
#[cfg(feature = "broker")]
pub use place::default_broker_socket;
pub use place::{Place, PlaceError, default_socket};

pub(crate) use self::asked::Asked;
use self::{conns::serve, desk::Desk};
use crate::config;

/// The administration of a node or a broker. Dropping it ends it: the socket's file goes at once, nobody is let in any
/// more, and whoever waits for an answer has a second to get it.
#[derive(Debug)]
pub(crate) struct Admin {
    file: Option<SocketFile>,
    tcp: Option<SocketAddr>,
    hooks: Hooks,
    ending: watch::Sender<bool>,
}

impl Admin {
    /// Listens where the configuration says. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error`]; nothing is left behind.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub(crate) async fn start<A: Asked>(
        asked: impl Fn() -> Option<A> + Send + Sync + 'static,
        admin: &config::Admin,
    ) -> Result<Self, Error> {
        let (ending, ended) = watch::channel(false);
        let hooks = Hooks::new();
        let tcp = match admin.tcp {
            Some(addr) => Some(listen(addr).await?),
            None => None,
        };
        let socket = match admin.socket.as_deref() {
            Some(path) => Some(match inherited::take(path)? {
                Some(listener) => (None, listener),
                None => socket_file::listen(path).map(|(file, listener)| (Some(file), listener))?,
            }),
            None => None,
        };
        let desk = Arc::new(Desk::new(asked, hooks.clone(), ended.clone()));
        let mut admin = Self { file: None, tcp: None, hooks, ending };
        // They end with `ending`, which ends with the administration.
        if let Some((file, listener)) = socket {
            admin.file = file;
            drop(tokio::spawn(serve(listener, desk.clone(), ended.clone())));
        }
        if let Some((addr, listener)) = tcp {
            admin.tcp = Some(addr);
            drop(tokio::spawn(serve(listener, desk, ended)));
        }
        Ok(admin)
    }

    /// What the program around the node lends to it.
    pub(crate) fn hooks(&self) -> Hooks {
        self.hooks.clone()
    }

    /// Its socket, if it has one.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.file.as_ref().map(SocketFile::path)
    }

    /// Where it listens by TCP, as bound.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// Ends it, as dropping it does: the socket's file is gone when this returns.
    pub(crate) fn end(&mut self) {
        drop(self.file.take());
        self.ending.send_replace(true);
    }

    /// Waits until whoever waited for an answer when it ended has it, for a second at most. Cancel-safe.
    pub(crate) async fn ended(&self) {
        timeout(conns::LINGER, self.ending.closed()).await.unwrap_or_default();
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.end();
    }
}

async fn listen(addr: SocketAddr) -> Result<(SocketAddr, TcpListener), Error> {
    let failure = |source| Error::io(format!("listening at {addr}"), source);
    let listener = TcpListener::bind(addr).await.map_err(failure)?;
    Ok((listener.local_addr().map_err(failure)?, listener))
}

#[cfg(test)]
mod tests;
