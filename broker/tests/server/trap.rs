//! A carrier with faults: whose listener lacks descriptors, and whose reader panics.

use std::io;

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Error, Factory, Info, Listener, Reader, Result, Target,
    Transport, bytes::Bytes,
};
use rumormill_transport_mem::{FACTORY, Mem, Network, Settings};

/// `mem` with faults, in its place.
pub(crate) const TRAP: Factory = Factory {
    provider: "trap",
    build: |_| Ok(AnyTransport::new(Trap(Mem::new(Network::shared(), Settings::default())))),
    ..FACTORY
};

/// A message that makes whoever receives it panic.
pub(crate) const FATAL: &[u8] = b"a fault, on purpose";

/// How often a listener fails before the first conn.
pub(crate) const FAILURES: u64 = 3;

/// What a carrier proves about everybody.
#[derive(Debug)]
struct Trap(Mem);

pub(crate) struct TrapListener<L> {
    inner: L,
    failures: u64,
}

pub(crate) struct TrapReader<R>(R);

type Of<T> = Conn<TrapReader<<T as Transport>::Reader>, <T as Transport>::Writer>;

fn wrap<R, W>(conn: Conn<R, W>) -> Conn<TrapReader<R>, W> {
    let Conn { info, reader, writer } = conn;
    Conn { info: Info { ..info }, reader: TrapReader(reader), writer }
}

impl Transport for Trap {
    type Reader = TrapReader<<Mem as Transport>::Reader>;
    type Writer = <Mem as Transport>::Writer;
    type Listener = TrapListener<<Mem as Transport>::Listener>;

    fn caps(&self) -> Caps {
        self.0.caps()
    }

    async fn dial(&self, target: &Target) -> Result<Of<Mem>> {
        self.0.dial(target).await.map(wrap)
    }

    async fn listen(&self, addr: &Addr) -> Result<Self::Listener> {
        Ok(TrapListener { inner: self.0.listen(addr).await?, failures: FAILURES })
    }
}

impl<L: Listener> Listener for TrapListener<L> {
    type Reader = TrapReader<L::Reader>;
    type Writer = L::Writer;

    fn addr(&self) -> &Addr {
        self.inner.addr()
    }

    async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
        if self.failures == 0 {
            return self.inner.accept().await.map(wrap);
        }
        self.failures -= 1;
        // EMFILE
        Err(Error::io("accepting", io::Error::from_raw_os_error(24)))
    }
}

impl<R: Reader> Reader for TrapReader<R> {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        let from = into.len();
        self.0.recv(into).await?;
        assert!(!into.iter().skip(from).any(|frame| *frame == FATAL), "a fault, on purpose");
        Ok(())
    }
}
