//! What the bare rivals use: streams of bytes of any kind, with nothing of ours above them.

mod quic;
mod sockets;
mod tls;

use std::{io, path::Path, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(crate) use self::{
    quic::Quic,
    sockets::{Tcp, Unix},
    tls::Tls,
};
use crate::{
    case::{Case, Work},
    meter::{Meter, Tally},
    rivals::per_batch,
};

/// A kind of stream.
pub(crate) trait Net: Sized {
    type Listener;
    /// A peer that has not shaken hands.
    type Arrival;
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// What both sides need for `case`.
    fn new(case: Case) -> io::Result<Self>;
    /// Listens, in `dir` where a file is needed; tells where.
    async fn listen(&self, dir: &Path) -> io::Result<(Self::Listener, String)>;
    async fn arrival(&self, listener: &Self::Listener) -> io::Result<Self::Arrival>;
    async fn shake_hands(&self, arrived: Self::Arrival) -> io::Result<Self::Stream>;
    async fn connect(&self, to: &str) -> io::Result<Self::Stream>;

    /// Sends as much as goes in `span`, in pieces of `size`, without any structure.
    async fn send(stream: Self::Stream, size: usize, span: Duration) -> io::Result<Tally> {
        send(stream, size, span).await
    }

    /// Receives until the end, in pieces of `size`.
    async fn receive(stream: Self::Stream, size: usize) -> io::Result<Tally> {
        receive(stream, size).await
    }

    /// Sees to it that the peer learns of everything that has ended. Only the side that listens has
    /// a listener.
    async fn leave(&self, _listener: Option<Self::Listener>) {}
}

/// Whether handshakes of `case` may build on earlier ones.
fn resumes(case: Case) -> bool {
    case.work == Work::Resume
}

async fn send(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    size: usize,
    span: Duration,
) -> io::Result<Tally> {
    let batch = vec![0x5a; size * per_batch(size)];
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        stream.write_all(&batch).await?;
        stream.flush().await?;
        count += per_batch(size) as u64;
    }
    let tally = meter.stop(count);
    stream.shutdown().await?;
    // The peer ends when it has everything; how, makes no difference.
    let _ = stream.read(&mut [0]).await;
    Ok(tally)
}

async fn receive(mut stream: impl AsyncRead + Unpin, size: usize) -> io::Result<Tally> {
    let (mut buffer, mut read) = (vec![0; BUFFER], 0);
    let meter = Meter::start();
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(meter.stop((read / size) as u64)),
            some => read += some,
        }
    }
}

/// What is read at a time, at most.
const BUFFER: usize = 256 << 10;
