//! Receives those who dial a listener: bounds them, and shakes hands.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quinn::{Connecting, Connection, ConnectionError, Endpoint, Incoming};
use rumormill_identity::tls::Tls;
use rumormill_transport_api::{Counters, Proof, Result};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinError, JoinSet, yield_now},
    time::{Instant, timeout},
};

use crate::{
    QuicConn, Settings,
    admission::{Address, Admission, Limits, Source, Ticket, Verdict},
    failure::{FULL, UNPROVEN},
    keeper::Keeper,
    link,
    socket::addr,
};

/// The task of a listener that receives. It ends with the listener, which aborts it.
pub(crate) struct Reception {
    endpoint: Endpoint,
    local: SocketAddr,
    settings: Settings,
    tls: Tls,
    counters: Arc<Counters>,
    inbox: mpsc::Sender<QuicConn>,
    admission: Arc<Mutex<Admission>>,
    shaking: JoinSet<Shaken>,
    tickets: HashMap<Ticket, AbortHandle>,
}

/// What came of a handshake.
struct Shaken {
    ticket: Ticket,
    outcome: std::result::Result<Connection, ConnectionError>,
}

/// A place among a listener's connections, free again when this is dropped.
pub(crate) struct Place {
    admission: Arc<Mutex<Admission>>,
    source: Source,
}

impl Reception {
    pub(crate) fn new(
        endpoint: Endpoint,
        local: SocketAddr,
        settings: Settings,
        tls: Tls,
        counters: Arc<Counters>,
        inbox: mpsc::Sender<QuicConn>,
    ) -> Self {
        let admission = Arc::new(Mutex::new(Admission::new(Limits::of(&settings))));
        Self {
            endpoint,
            local,
            settings,
            tls,
            counters,
            inbox,
            admission,
            shaking: JoinSet::new(),
            tickets: HashMap::new(),
        }
    }

    /// Receives until the endpoint fails, which it does with its runtime.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                Some(shaken) = self.shaking.join_next() => self.shaken(shaken),
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.receive(incoming),
                    None => return,
                },
            }
            // A flood of first packets must not keep the connections from getting on.
            yield_now().await;
        }
    }

    fn receive(&mut self, incoming: Incoming) {
        let source = Source::of(incoming.remote_address().ip());
        let address = match incoming.remote_address_validated() {
            true => Address::Proven,
            false => Address::Claimed,
        };
        let verdict = lock(&self.admission).judge(source, address, Instant::now());
        match verdict {
            Verdict::Admit { ticket, instead_of } => {
                if let Some(given_up) = instead_of.and_then(|ticket| self.tickets.remove(&ticket)) {
                    self.counters.conns_evicted.add(1);
                    given_up.abort();
                }
                self.shake_hands(ticket, incoming);
            }
            Verdict::Ignore => {
                self.counters.conns_refused.add(1);
                incoming.ignore();
            }
            Verdict::Prove => {
                // It fails only where the address is proven.
                let _ = incoming.retry();
            }
            Verdict::Refuse => {
                self.counters.conns_refused.add(1);
                incoming.refuse();
            }
        }
    }

    fn shake_hands(&mut self, ticket: Ticket, incoming: Incoming) {
        match incoming.accept() {
            Ok(connecting) => {
                let task = self.shaking.spawn(shake(ticket, connecting, self.settings.handshake));
                self.tickets.insert(ticket, task);
            }
            Err(error) => self.failed(ticket, &error),
        }
    }

    fn shaken(&mut self, shaken: std::result::Result<Shaken, JoinError>) {
        // Who was given up for another has no ticket any more.
        let Ok(Shaken { ticket, outcome }) = shaken else { return };
        self.tickets.remove(&ticket);
        match outcome {
            Ok(connection) => self.connected(ticket, connection),
            Err(error) => self.failed(ticket, &error),
        }
    }

    fn connected(&mut self, ticket: Ticket, connection: Connection) {
        let Some(source) = lock(&self.admission).connected(ticket) else {
            self.counters.conns_refused.add(1);
            return connection.close(FULL, b"");
        };
        let place = Place { admission: self.admission.clone(), source };
        match self.tls.proof_of_dialer(&link::shown(&connection)) {
            Ok(proof) => match self.keeper(connection, proof, place) {
                Ok(keeper) => drop(tokio::spawn(keeper.run())),
                Err(error) => tracing::error!(%error, "a connection has no address"),
            },
            Err(_) => {
                self.counters.conns_vanished.add(1);
                connection.close(UNPROVEN, b"");
            }
        }
    }

    fn keeper(&self, connection: Connection, proof: Proof, place: Place) -> Result<Keeper> {
        let mut local = self.local;
        // A listener on all interfaces knows which one a dialer came in by.
        if let Some(ip) = connection.local_ip().filter(|_| local.ip().is_unspecified()) {
            local.set_ip(ip);
        }
        let (local, remote) = (addr(local)?, addr(connection.remote_address())?);
        let inbox = self.inbox.clone();
        Ok(Keeper::new(connection, inbox, local, remote, proof, self.settings, place))
    }

    fn failed(&self, ticket: Ticket, error: &ConnectionError) {
        lock(&self.admission).failed(ticket);
        self.counters.conns_vanished.add(1);
        let error = crate::failure::of_connection(error);
        tracing::debug!(%error, "a handshake failed");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.admission).ended(self.source);
    }
}

async fn shake(ticket: Ticket, connecting: Connecting, deadline: Duration) -> Shaken {
    let outcome = timeout(deadline, connecting).await.unwrap_or(Err(ConnectionError::TimedOut));
    Shaken { ticket, outcome }
}

fn lock(admission: &Mutex<Admission>) -> MutexGuard<'_, Admission> {
    admission.lock().unwrap_or_else(PoisonError::into_inner)
}
