//! Who competes, and which function does whose work.

mod bare;
mod codec;
mod datagram;
mod ours;
mod raw;

use std::{fmt::Display, path::Path, time::Duration};

use rumormill_transport_api::{Addr, Listener};

use crate::{
    Outcome,
    case::{Carrier, Case, Rival, Work},
    meter::Tally,
    net::{Net, Tcp, Unix},
};

/// Whether this program can run the case in that way.
pub(crate) fn is_there(case: Case, rival: Rival) -> Outcome<bool> {
    Ok(rival != Rival::Ours || ours::registry()?.contains(case.carrier.scheme()))
}

/// The peer's side: calls `ready` with the address once it listens.
pub(crate) async fn serve(
    case: Case,
    rival: Rival,
    dir: &Path,
    ready: impl Fn(&dyn Display),
) -> Outcome<Tally> {
    match (rival, case.carrier) {
        (Rival::Ours, _) => serve_ours(case, dir, ready).await,
        (_, Carrier::Tcp) => serve_stream::<Tcp>(case, rival, dir, ready).await,
        (_, Carrier::Unix) => serve_stream::<Unix>(case, rival, dir, ready).await,
        (_, Carrier::Udp) => serve_datagrams(case, ready),
    }
}

/// This side, which decides when it is enough.
pub(crate) async fn drive(case: Case, rival: Rival, to: &str, span: Duration) -> Outcome<Tally> {
    match (rival, case.carrier) {
        (Rival::Ours, _) => drive_ours(case, to, span).await,
        (_, Carrier::Tcp) => drive_stream::<Tcp>(case, rival, to, span).await,
        (_, Carrier::Unix) => drive_stream::<Unix>(case, rival, to, span).await,
        (_, Carrier::Udp) => drive_datagrams(case, to, span),
    }
}

async fn serve_ours(case: Case, dir: &Path, ready: impl Fn(&dyn Display)) -> Outcome<Tally> {
    let rest = match case.carrier {
        Carrier::Unix => dir.join(format!("{}.ours", std::process::id())).display().to_string(),
        Carrier::Tcp | Carrier::Udp => "127.0.0.1:0".into(),
    };
    let addr = Addr::new(case.carrier.scheme(), &rest)?;
    let mut listener = ours::registry()?.listen(&addr).await?;
    ready(listener.addr());
    if case.work == Work::Connect {
        return ours::accept(listener).await;
    }
    let conn = listener.accept().await?;
    match case.work {
        Work::Stream(_) => ours::receive(conn.reader).await,
        Work::RoundTrip | Work::Connect => ours::echo(conn).await,
    }
}

async fn drive_ours(case: Case, to: &str, span: Duration) -> Outcome<Tally> {
    match case.work {
        Work::Stream(size) => ours::send(ours::dial(to).await?, size, span).await,
        Work::RoundTrip => ours::ping(ours::dial(to).await?, span).await,
        Work::Connect => ours::connect(to, span).await,
    }
}

async fn serve_stream<N: Net>(
    case: Case,
    rival: Rival,
    dir: &Path,
    ready: impl Fn(&dyn Display),
) -> Outcome<Tally> {
    let (listener, addr) = N::listen(dir).await?;
    ready(&addr);
    if case.work == Work::Connect {
        return Ok(bare::accept::<N>(&listener).await?);
    }
    let stream = N::accept(&listener).await?;
    match (case.work, rival) {
        (Work::Stream(_), Rival::Codec) => codec::receive(stream).await,
        (Work::Stream(size), _) => Ok(raw::receive(N::blocking(stream)?, size)?),
        (Work::RoundTrip | Work::Connect, _) => Ok(bare::echo(stream).await?),
    }
}

async fn drive_stream<N: Net>(
    case: Case,
    rival: Rival,
    to: &str,
    span: Duration,
) -> Outcome<Tally> {
    if case.work == Work::Connect {
        return Ok(bare::connect::<N>(to, span).await?);
    }
    let stream = N::connect(to).await?;
    match (case.work, rival) {
        (Work::Stream(size), Rival::Codec) => codec::send(stream, size, span).await,
        (Work::Stream(size), _) => Ok(raw::send(N::blocking(stream)?, size, span)?),
        (Work::RoundTrip | Work::Connect, _) => Ok(bare::ping(stream, span).await?),
    }
}

fn serve_datagrams(case: Case, ready: impl Fn(&dyn Display)) -> Outcome<Tally> {
    let (socket, addr) = datagram::bind()?;
    ready(&addr);
    match case.work {
        Work::Stream(_) => Ok(datagram::receive(&socket)?),
        Work::RoundTrip | Work::Connect => Ok(datagram::echo(&socket)?),
    }
}

fn drive_datagrams(case: Case, to: &str, span: Duration) -> Outcome<Tally> {
    match case.work {
        Work::Stream(size) => Ok(datagram::send(to.parse()?, size, span)?),
        Work::RoundTrip | Work::Connect => Ok(datagram::ping(to.parse()?, span)?),
    }
}

/// Messages that are handed over at a time, to the codec as to us.
fn per_batch(size: usize) -> usize {
    (BATCH / size).clamp(4, 1024)
}

const BATCH: usize = 256 << 10;
/// How a message says that the peer shall go on.
const MORE: u8 = 0;
/// How a message says that the peer shall stop after it.
const LAST: u8 = 1;
/// How often the end of datagrams is sent, since the kernel may drop it, and how long before each
/// the peer has to catch up.
const ENDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(2);
