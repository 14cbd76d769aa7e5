//! The transport `mem`, which tells how many of the conns that it has dialled are open.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyTransport, Batch, Caps, Conn, Context, Factory, Listener, Reader, Result, Target,
    Transport, Writer,
};
use rumormill_transport_mem::{Mem, MemPort, MemReader, MemWriter, Network, Settings};

/// Conns that were dialled, or are being dialled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<[AtomicUsize; 2]>);

impl Meter {
    pub(crate) fn open(&self) -> usize {
        self.0[0].load(SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0[1].load(SeqCst)
    }

    fn enter(&self) -> Arc<Entered> {
        self.0[1].fetch_max(1 + self.0[0].fetch_add(1, SeqCst), SeqCst);
        Arc::new(Entered(self.clone()))
    }
}

/// One of them.
struct Entered(Meter);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0[0].fetch_sub(1, SeqCst);
    }
}

/// Takes a [`Network`] and a [`Meter`].
pub(crate) const FACTORY: Factory = Factory { build, ..rumormill_transport_mem::FACTORY };

fn build(context: &Context) -> Result<AnyTransport> {
    let network: &Network = context.extensions.get().expect("a network");
    let meter: &Meter = context.extensions.get().expect("a meter");
    let inner = Mem::new(network.clone(), Settings::default());
    Ok(AnyTransport::new(Metered { inner, meter: meter.clone() }))
}

struct Metered {
    inner: Mem,
    meter: Meter,
}

/// A half of a conn, or a listener, and what the meter counts while it lives.
struct With<T>(T, #[expect(dead_code, reason = "it works by being dropped")] Option<Arc<Entered>>);

impl Transport for Metered {
    type Reader = With<MemReader>;
    type Writer = With<MemWriter>;
    type Listener = With<MemPort>;

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn dial(&self, target: &Target) -> Result<Conn<Self::Reader, Self::Writer>> {
        let entered = self.meter.enter();
        Ok(wrap(self.inner.dial(target).await?, Some(entered)))
    }

    async fn listen(&self, addr: &Addr) -> Result<Self::Listener> {
        Ok(With(self.inner.listen(addr).await?, None))
    }
}

impl Listener for With<MemPort> {
    type Reader = With<MemReader>;
    type Writer = With<MemWriter>;

    fn addr(&self) -> &Addr {
        self.0.addr()
    }

    async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
        Ok(wrap(self.0.accept().await?, None))
    }
}

impl Reader for With<MemReader> {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        self.0.recv(into).await
    }
}

impl Writer for With<MemWriter> {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.0.send(batch).await
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

fn wrap(
    Conn { info, reader, writer }: Conn<MemReader, MemWriter>,
    entered: Option<Arc<Entered>>,
) -> Conn<With<MemReader>, With<MemWriter>> {
    Conn { info, reader: With(reader, entered.clone()), writer: With(writer, entered) }
}
