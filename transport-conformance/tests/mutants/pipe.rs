//! A transport in memory that is right, but for one defect.

use std::{
    collections::BTreeMap,
    fs::File,
    future::pending,
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rumormill_transport_api::{
    Addr, Caps, Conn, Error, FrameReader, FrameWriter, Framing, Info, Listener, Result, Target,
    Transport,
};
use tokio::{
    io::{DuplexStream, Join, duplex, join},
    sync::{mpsc, watch},
    task::yield_now,
};

use crate::{
    defect::Defect,
    halves::{PipeReader, PipeWriter, Shared},
    stream::Watched,
};

/// Everything that listens, and the defect.
#[derive(Clone)]
pub(crate) struct Pipe {
    ports: Arc<Mutex<BTreeMap<String, mpsc::Sender<Incoming>>>>,
    dials: Arc<AtomicU64>,
    defect: Option<Defect>,
}

/// One end of a conn on its way to a listener.
struct Incoming {
    stream: Ends,
    from: Addr,
    /// Whether something was written at the other end; transports speak at once.
    spoke: watch::Receiver<bool>,
}

/// What is read, and what is written.
pub(crate) type Ends = Join<DuplexStream, DuplexStream>;

impl Pipe {
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        Self { ports: Arc::default(), dials: Arc::default(), defect }
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<String, mpsc::Sender<Incoming>>> {
        self.ports.lock().expect("no check panics in here")
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn capacity(&self) -> usize {
        if self.has(Defect::NeverWaits) { 1 << 30 } else { 64 << 10 }
    }

    fn streams(&self) -> (Ends, Ends) {
        let (here, there) = (duplex(self.capacity()), duplex(self.capacity()));
        (join(here.0, there.0), join(there.1, here.1))
    }

    /// A stream beneath the framing.
    pub(crate) async fn raw(self, to: Addr) -> io::Result<Watched> {
        let (spoken, spoke) = watch::channel(false);
        let stream = self.reach(&to, spoke).await.map_err(io::Error::other)?;
        Ok(Watched { stream, spoken })
    }

    async fn reach(&self, to: &Addr, spoke: watch::Receiver<bool>) -> Result<Ends> {
        let port = self.ports().get(to.rest()).cloned();
        let nobody = |_| Error::Unreachable {
            addr: to.clone(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let (mine, theirs) = self.streams();
        let from = Addr::new("pipe", "dialer")?;
        let incoming = Incoming { stream: theirs, from, spoke };
        match port {
            Some(port) => port.send(incoming).await.map_err(nobody)?,
            None if self.has(Defect::NobodyIsFatal) => return Err(to.malformed("is nobody's")),
            None => return Err(nobody(mpsc::error::SendError(incoming))),
        }
        Ok(mine)
    }

    fn conn(
        &self,
        stream: Ends,
        local: Addr,
        remote: Addr,
        shared: Shared,
    ) -> Conn<PipeReader, PipeWriter> {
        let framing = Framing { max_message: MAX, ..Framing::default() };
        let (read, write) = stream.into_inner();
        let shared = Arc::new(shared);
        Conn {
            info: Info::new(local, remote, CAPS),
            reader: PipeReader::new(
                FrameReader::new(crate::stream::Spoilt::new(read, self.defect), framing),
                self.defect,
                shared.clone(),
            ),
            writer: PipeWriter::new(FrameWriter::new(write, framing), self.defect, shared),
        }
    }

    fn check_options(&self, addr: &Addr) -> Result<()> {
        if self.has(Defect::OptionsIgnored) { Ok(()) } else { addr.options().check(&[]) }
    }
}

impl Transport for Pipe {
    type Reader = PipeReader;
    type Writer = PipeWriter;
    type Listener = PipePort;

    fn caps(&self) -> Caps {
        CAPS
    }

    async fn dial(&self, target: &Target) -> Result<Conn<PipeReader, PipeWriter>> {
        if !self.has(Defect::ExpectationIgnored) {
            target.refuse_expectation()?;
            target.refuse_from()?;
        }
        self.check_options(&target.addr)?;
        if self.has(Defect::DialLeavesTask) {
            let forgotten = tokio::spawn(pending::<()>());
            yield_now().await;
            forgotten.abort();
        }
        let mute = self.has(Defect::ThousandthLost) && 700 <= self.dials.fetch_add(1, Relaxed);
        let (_, spoke) = watch::channel(true);
        let stream = match mute {
            true => self.streams().0,
            false => self.reach(&target.addr, spoke).await?,
        };
        let remote = match self.has(Defect::AddressUnresolved) {
            true => Addr::new("pipe", "host:0")?,
            false => target.addr.clone(),
        };
        Ok(self.conn(stream, Addr::new("pipe", "dialer")?, remote, Shared::default()))
    }

    async fn listen(&self, addr: &Addr) -> Result<PipePort> {
        self.check_options(addr)?;
        let mut ports = self.ports();
        let name = match addr.rest().strip_suffix(":0") {
            Some(host) => {
                (1..).map(|port| format!("{host}:{port}")).find(|name| !ports.contains_key(name))
            }
            None => Some(addr.rest().to_string()),
        };
        let name = name.expect("there are ports enough");
        if ports.contains_key(&name) && !self.has(Defect::AddressStolen) {
            return Err(Error::InUse { addr: addr.clone() });
        }
        let (port, incoming) = mpsc::channel(2000);
        ports.insert(name.clone(), port);
        let (alive, _) = watch::channel(());
        Ok(PipePort {
            pipe: self.clone(),
            addr: Addr::new("pipe", &name)?,
            incoming,
            waiting: None,
            alive,
        })
    }
}

/// Where pipes arrive.
pub(crate) struct PipePort {
    pipe: Pipe,
    addr: Addr,
    incoming: mpsc::Receiver<Incoming>,
    waiting: Option<Incoming>,
    alive: watch::Sender<()>,
}

impl Drop for PipePort {
    fn drop(&mut self) {
        self.pipe.ports().remove(self.addr.rest());
    }
}

impl Listener for PipePort {
    type Reader = PipeReader;
    type Writer = PipeWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<Conn<PipeReader, PipeWriter>> {
        if self.waiting.is_none() {
            let crowded = 40 <= self.incoming.len();
            let next = self.incoming.recv().await.ok_or(Error::Finished)?;
            if self.pipe.has(Defect::AcceptLosesConn) && crowded {
                yield_now().await;
            }
            self.waiting = Some(next);
        }
        if self.pipe.has(Defect::AcceptEnds) && File::open("/dev/null").is_err() {
            return Err(Error::Finished);
        }
        if self.pipe.has(Defect::HandshakeInLine) {
            let waiting = self.waiting.as_mut().expect("there is one");
            let _ = waiting.spoke.wait_for(|spoke| *spoke).await;
        }
        let Incoming { stream, from, .. } = self.waiting.take().expect("there is one");
        let listener = self.pipe.has(Defect::ConnsEndWithListener).then(|| self.alive.subscribe());
        let shared = Shared::with(listener);
        Ok(self.pipe.conn(stream, self.addr.clone(), from, shared))
    }
}

pub(crate) const MAX: usize = 4 << 20;
const CAPS: Caps = Caps { local_only: true, ..Caps::STREAM }.with_max_message(MAX);
