//! Keeps an accepted connection: hands on its conns, and ends it when nobody needs it.

use std::{
    future::pending,
    sync::{Arc, Weak},
};

use quinn::{Connection, RecvStream, SendStream};
use rumormill_transport_api::{Addr, Proof};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};

use crate::{
    QuicConn, Settings,
    conn::conn,
    failure::{GONE, UNWANTED},
    link::Link,
    reception::Place,
};

/// The task of an accepted connection. It ends with the connection, at the latest when that has had
/// no conn for as long as silence may last, whatever its peer does to keep it.
pub(crate) struct Keeper {
    connection: Connection,
    /// Where its conns go, until the listener is dropped.
    inbox: Option<mpsc::Sender<QuicConn>>,
    local: Addr,
    remote: Addr,
    proof: Proof,
    settings: Settings,
    /// What the halves of its conns share, as long as there are any.
    link: Weak<Link>,
    /// Tells that there are none any more.
    gone: Arc<Notify>,
    _place: Place,
}

impl Keeper {
    pub(crate) fn new(
        connection: Connection,
        inbox: mpsc::Sender<QuicConn>,
        local: Addr,
        remote: Addr,
        proof: Proof,
        settings: Settings,
        place: Place,
    ) -> Self {
        Self {
            connection,
            inbox: Some(inbox),
            local,
            remote,
            proof,
            settings,
            link: Weak::new(),
            gone: Arc::default(),
            _place: place,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut patience = Instant::now() + self.settings.idle;
        loop {
            let has_conns = 0 < self.link.strong_count();
            if !has_conns && self.inbox.is_none() {
                return self.connection.close(GONE, b"");
            }
            tokio::select! {
                biased;
                () = shut(self.inbox.as_ref()) => self.inbox = None,
                () = self.gone.notified() => patience = Instant::now() + self.settings.idle,
                () = sleep_until(patience), if !has_conns => {
                    return self.connection.close(GONE, b"");
                }
                // Conns that arrived before the connection ended come first.
                streams = self.connection.accept_bi() => match streams {
                    Ok(streams) => self.hand_on(streams).await,
                    Err(_) => return,
                },
            }
        }
    }

    /// Waits while the queue of the listener is full, and with it the peer's further conns.
    async fn hand_on(&mut self, streams: (SendStream, RecvStream)) {
        let place = match &self.inbox {
            Some(inbox) => inbox.reserve().await.ok(),
            None => None,
        };
        let Some(place) = place else { return turn_away(streams) };
        let link = self.link.upgrade().unwrap_or_else(|| {
            let (local, gone) = (self.local.clone(), self.gone.clone());
            Arc::new(Link::accepted(self.connection.clone(), local, gone))
        });
        self.link = Arc::downgrade(&link);
        place.send(conn(&link, streams, self.remote.clone(), self.proof.clone(), &self.settings));
    }
}

async fn shut(inbox: Option<&mpsc::Sender<QuicConn>>) {
    match inbox {
        Some(inbox) => inbox.closed().await,
        None => pending().await,
    }
}

fn turn_away((mut send, mut recv): (SendStream, RecvStream)) {
    // They fail only where the peer has left already.
    let _ = send.reset(UNWANTED);
    let _ = recv.stop(UNWANTED);
}
