//! Who competes, and which function does whose work.

mod bare;
mod codec;
mod datagram;
mod offload;
mod ours;
mod proof;
pub(crate) mod raw;
pub(crate) mod signed;

use std::{fmt::Display, path::Path, time::Duration};

use rumormill_identity::SecretKey;
use rumormill_transport_api::{Addr, Context, Listener};

use crate::{
    Outcome,
    case::{AT_ONCE, Carrier, Case, Rival, Work},
    meter::Tally,
    net::{Net, Quic, Tcp, Tls, Unix},
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
        (rival, _) if rival.is_endpoint() => serve_signed(case, rival, dir, ready).await,
        (_, Carrier::Tcp) => serve_stream::<Tcp>(case, rival, dir, ready).await,
        (_, Carrier::Tls) => serve_stream::<Tls>(case, rival, dir, ready).await,
        (_, Carrier::Unix) => serve_stream::<Unix>(case, rival, dir, ready).await,
        (_, Carrier::Quic) => serve_stream::<Quic>(case, rival, dir, ready).await,
        (_, Carrier::Udp) => serve_datagrams(case, rival, ready),
    }
}

/// This side, which decides when it is enough.
pub(crate) async fn drive(case: Case, rival: Rival, to: &str, span: Duration) -> Outcome<Tally> {
    match (rival, case.carrier) {
        (Rival::Ours, _) => drive_ours(case, to, span).await,
        (rival, _) if rival.is_endpoint() => drive_signed(case, rival, to, span).await,
        (_, Carrier::Tcp) => drive_stream::<Tcp>(case, rival, to, span).await,
        (_, Carrier::Tls) => drive_stream::<Tls>(case, rival, to, span).await,
        (_, Carrier::Unix) => drive_stream::<Unix>(case, rival, to, span).await,
        (_, Carrier::Quic) => drive_stream::<Quic>(case, rival, to, span).await,
        (_, Carrier::Udp) => drive_datagrams(case, rival, to, span),
    }
}

async fn serve_ours(case: Case, dir: &Path, ready: impl Fn(&dyn Display)) -> Outcome<Tally> {
    let registry = ours::registry()?;
    let mut listener = registry.listen(&place(case, dir)?).await?;
    ready(listener.addr());
    match case.work {
        Work::Stream(_) => ours::receive(listener.accept().await?).await,
        Work::RoundTrip => ours::echo(listener.accept().await?).await,
        Work::Another => {
            let (_first, tally) = (listener.accept().await?, ours::accept(listener, 1).await?);
            Ok(tally)
        }
        _ => ours::accept(listener, at_once(case)).await,
    }
}

/// Where to listen on a transport.
pub(crate) fn place_on(scheme: &str, dir: &Path) -> Outcome<Addr> {
    let rest = match scheme {
        "unix" => dir.join(format!("{}.ours", std::process::id())).display().to_string(),
        _ => "127.0.0.1:0".into(),
    };
    Ok(Addr::new(scheme, &rest)?)
}

/// The same for a case; handshakes build on earlier ones only in the case that is about that.
fn place(case: Case, dir: &Path) -> Outcome<Addr> {
    let addr = place_on(case.carrier.scheme(), dir)?;
    let shakes_hands = matches!(case.carrier, Carrier::Tls | Carrier::Quic);
    match shakes_hands && case.work != Work::Resume {
        true => Ok(format!("{addr}?resumption=false").parse()?),
        false => Ok(addr),
    }
}

async fn drive_ours(case: Case, to: &str, span: Duration) -> Outcome<Tally> {
    let registry = ours::registry()?;
    let to: Addr = to.parse()?;
    let target = to.into();
    match case.work {
        Work::Stream(size) => ours::send(registry.dial(&target).await?, size, span).await,
        Work::RoundTrip => ours::ping(registry.dial(&target).await?, span).await,
        Work::Another => {
            // What there is already is a conn that has carried something.
            let mut first = registry.dial(&target).await?;
            ours::introduce(&mut first).await?;
            ours::connect(&registry, &target, span, 1).await
        }
        _ => ours::connect(&registry, &target, span, at_once(case)).await,
    }
}

async fn serve_signed(
    case: Case,
    rival: Rival,
    dir: &Path,
    ready: impl Fn(&dyn Display),
) -> Outcome<Tally> {
    let (endpoint, inboxes) = signed::start(rival)?;
    ready(&endpoint.listen(&place(case, dir)?).await?);
    signed::receive(endpoint, inboxes).await
}

async fn drive_signed(case: Case, rival: Rival, to: &str, span: Duration) -> Outcome<Tally> {
    let ((endpoint, _inboxes), to) = (signed::start(rival)?, to.parse()?);
    match case.work {
        Work::Stream(size) => signed::send(endpoint, &to, size, span).await,
        _ => signed::ping(endpoint, &to, span).await,
    }
}

async fn serve_stream<N: Net>(
    case: Case,
    rival: Rival,
    dir: &Path,
    ready: impl Fn(&dyn Display),
) -> Outcome<Tally> {
    let net = N::new(case)?;
    let (listener, addr) = net.listen(dir).await?;
    ready(&addr);
    let tally = serve_streams(&net, &listener, case, rival).await?;
    net.leave(Some(listener)).await;
    Ok(tally)
}

async fn serve_streams<N: Net>(
    net: &N,
    listener: &N::Listener,
    case: Case,
    rival: Rival,
) -> Outcome<Tally> {
    if !matches!(case.work, Work::Stream(_) | Work::RoundTrip) {
        return Ok(bare::accept(net, listener, at_once(case)).await?);
    }
    let arrived = net.arrival(listener).await?;
    let stream = net.shake_hands(arrived).await?;
    match (case.work, rival) {
        (Work::Stream(_), Rival::Codec) => codec::receive(stream).await,
        (Work::Stream(size), _) => Ok(N::receive(stream, size).await?),
        _ => Ok(bare::echo(stream).await?),
    }
}

async fn drive_stream<N: Net>(
    case: Case,
    rival: Rival,
    to: &str,
    span: Duration,
) -> Outcome<Tally> {
    let net = N::new(case)?;
    let tally = drive_streams(&net, case, rival, to, span).await?;
    net.leave(None).await;
    Ok(tally)
}

async fn drive_streams<N: Net>(
    net: &N,
    case: Case,
    rival: Rival,
    to: &str,
    span: Duration,
) -> Outcome<Tally> {
    if !matches!(case.work, Work::Stream(_) | Work::RoundTrip) {
        return Ok(bare::connect(net, to, span, at_once(case)).await?);
    }
    let stream = net.connect(to).await?;
    match (case.work, rival) {
        (Work::Stream(_), Rival::Codec) => codec::send(stream, case.size(), span).await,
        (Work::Stream(size), _) => Ok(N::send(stream, size, span).await?),
        _ => Ok(bare::ping(stream, span).await?),
    }
}

fn serve_datagrams(case: Case, rival: Rival, ready: impl Fn(&dyn Display)) -> Outcome<Tally> {
    let (socket, addr) = datagram::bind()?;
    ready(&addr);
    match (case.work, rival) {
        (Work::Stream(_), Rival::Offload) => Ok(offload::receive(&socket)?),
        (Work::Stream(_), Rival::Proof) => Ok(proof::receive(&socket)?),
        (Work::Stream(_), _) => Ok(datagram::receive(&socket)?),
        _ => Ok(datagram::echo(&socket)?),
    }
}

fn drive_datagrams(case: Case, rival: Rival, to: &str, span: Duration) -> Outcome<Tally> {
    let to = to.parse()?;
    match (case.work, rival) {
        (Work::Stream(size), Rival::Offload) => Ok(offload::send(to, size, span)?),
        (Work::Stream(size), Rival::Proof) => Ok(proof::send(to, size, span)?),
        (Work::Stream(size), _) => Ok(datagram::send(to, size, span)?),
        _ => Ok(datagram::ping(to, span)?),
    }
}

/// How many conns are opened side by side.
fn at_once(case: Case) -> usize {
    if case.work == Work::Handshakes { AT_ONCE } else { 1 }
}

/// What both sides of a handshake prove themselves with: a fresh key for each process.
pub(crate) fn credentials() -> Context {
    let credentials = SecretKey::generate().credentials();
    Context { credentials: Some(credentials.into()), ..Context::default() }
}

/// Messages that are handed over at a time, to each rival alike.
pub(crate) fn per_batch(size: usize) -> usize {
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
