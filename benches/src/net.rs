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

    /// Sends as many messages of `size` as go in `span`.
    async fn send(stream: Self::Stream, size: usize, span: Duration) -> io::Result<Tally> {
        send(stream, size, span).await
    }

    /// Receives messages of `size` until the end.
    async fn receive(stream: Self::Stream, _size: usize) -> io::Result<Tally> {
        receive(stream).await
    }

    /// Sees to it that the peer learns of everything that has ended. Only the side that listens has
    /// a listener.
    async fn leave(&self, _listener: Option<Self::Listener>) {}
}

/// Whether handshakes of `case` may build on earlier ones.
fn resumes(case: Case) -> bool {
    case.work == Work::Resume
}

/// Messages behind their lengths, as whoever uses the library bare has to write them: small ones
/// gathered, long ones from where they are.
async fn send(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    size: usize,
    span: Duration,
) -> io::Result<Tally> {
    let (message, mut gathered) = (vec![0x5a; size], Vec::new());
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        for _ in 0..per_batch(size) {
            gathered.extend_from_slice(&(size as u32).to_be_bytes());
            if size <= GATHERED {
                gathered.extend_from_slice(&message);
                continue;
            }
            stream.write_all(&gathered).await?;
            stream.write_all(&message).await?;
            gathered.clear();
        }
        stream.write_all(&gathered).await?;
        stream.flush().await?;
        gathered.clear();
        count += per_batch(size) as u64;
    }
    let tally = meter.stop(count);
    stream.shutdown().await?;
    // The peer ends when it has everything; how, makes no difference.
    let _ = stream.read(&mut [0]).await;
    Ok(tally)
}

async fn receive(mut stream: impl AsyncRead + Unpin) -> io::Result<Tally> {
    let (mut buffer, mut messages) = (vec![0; BUFFER], Messages::default());
    let meter = Meter::start();
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(meter.stop(messages.count)),
            some => messages.count_in(&buffer[..some]),
        }
    }
}

/// Counts messages in a stream that comes in pieces.
#[derive(Default)]
struct Messages {
    count: u64,
    /// What has come of the length of the next one.
    length: [u8; 4],
    known: usize,
    /// What is missing of the one that has begun.
    missing: usize,
}

impl Messages {
    fn count_in(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.known < 4 {
                let some = piece.len().min(4 - self.known);
                self.length[self.known..][..some].copy_from_slice(&piece[..some]);
                self.known += some;
                self.missing = u32::from_be_bytes(self.length) as usize;
                piece = &piece[some..];
                continue;
            }
            let some = piece.len().min(self.missing);
            std::hint::black_box(&piece[..some]);
            self.missing -= some;
            piece = &piece[some..];
            if self.missing == 0 {
                self.count += 1;
                self.known = 0;
            }
        }
    }
}

/// What is read at a time, at most.
const BUFFER: usize = 256 << 10;
/// The longest message that is copied next to its neighbours.
const GATHERED: usize = 16 << 10;
