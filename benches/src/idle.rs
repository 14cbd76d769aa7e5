//! The memory of conns that wait: one process holds them, another one is their peers.

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
};

use bytes::Bytes;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyConn, Batch, Conn, Listener, Reader, Writer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};

use crate::{
    Outcome,
    case::PING,
    peer::{Peer, say},
};

/// Prints what an idle conn takes at its listener, after one round trip each.
pub(crate) async fn compare(args: &[String]) -> Outcome<()> {
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let (holders, conns): (&[&str], _) = match has("udp") {
        // One socket serves all, so without us a peer takes nothing here.
        true => (&[UDP], PEERS),
        false => (&["bare tokio", "tokio, buffered", TCP], CONNS),
    };
    let conns = if has("--quick") { 500 } else { conns };
    allow_descriptors()?;
    say(&format!("resident memory of one of {conns} idle conns, at the listener"));
    for holder in holders {
        let each = measure(holder, conns).await?;
        say(&format!("{holder:<20} {each:>8} bytes"));
    }
    Ok(())
}

async fn measure(holder: &str, conns: usize) -> Outcome<i64> {
    let mut peer = Peer::start(&["idle-peer", holder, &conns.to_string()])?;
    let to: SocketAddr = peer.line()?.parse()?;
    let mut held: Vec<OwnedFd> = Vec::with_capacity(conns);
    for _ in 0..conns {
        held.push(match holder {
            UDP => ask(to)?.into(),
            _ => round_trip(to, holder == TCP).await?.into_std()?.into(),
        });
    }
    let each = peer.line()?.parse()?;
    drop(held);
    Ok(each)
}

/// So that what a holder keeps after its first message counts.
async fn round_trip(to: SocketAddr, is_framed: bool) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await?;
    let mut message = [0; 4 + PING];
    message[3] = PING as u8;
    let message = if is_framed { &mut message[..] } else { &mut message[4..] };
    stream.write_all(message).await?;
    stream.read_exact(message).await?;
    Ok(stream)
}

/// The same with a datagram.
fn ask(to: SocketAddr) -> io::Result<UdpSocket> {
    let (socket, mut message) = (UdpSocket::bind("127.0.0.1:0")?, [0; PING]);
    socket.send_to(&message, to)?;
    socket.recv(&mut message)?;
    Ok(socket)
}

/// The process that holds the conns: tells where it listens, then what each conn takes.
pub(crate) async fn run_peer(args: &[String]) -> Outcome<()> {
    let [holder, conns] = args else { return Err("the holder takes two arguments".into()) };
    allow_descriptors()?;
    let conns = conns.parse()?;
    match holder.as_str() {
        "bare tokio" => hold_streams(conns, wait_bare).await,
        "tokio, buffered" => hold_streams(conns, wait_buffered).await,
        UDP => hold_ours("udp://127.0.0.1:0", conns).await,
        _ => hold_ours("tcp://127.0.0.1:0", conns).await,
    }
}

async fn hold_streams<F>(conns: usize, wait: impl Fn(TcpStream) -> F) -> Outcome<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?);
    let before = resident()?;
    for _ in 0..conns {
        tokio::spawn(wait(listener.accept().await?.0));
    }
    tell(before, conns).await
}

async fn hold_ours(addr: &str, conns: usize) -> Outcome<()> {
    let addr: Addr = addr.parse()?;
    let mut listener = Registry::linked()?.listen(&addr).await?;
    say(&listener.addr().rest());
    let before = resident()?;
    for _ in 0..conns {
        tokio::spawn(wait_ours(listener.accept().await?));
    }
    tell(before, conns).await
}

async fn wait_bare(mut stream: TcpStream) -> io::Result<()> {
    let mut message = [0; PING];
    loop {
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}

async fn wait_buffered(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    loop {
        let message = stream.fill_buf().await?.to_vec();
        stream.consume(message.len());
        stream.write_all(&message).await?;
        stream.flush().await?;
    }
}

async fn wait_ours(conn: AnyConn) -> rumormill_transport_api::Result<()> {
    let Conn { info: _info, mut reader, mut writer } = conn;
    let (mut arrived, mut batch) = (Vec::<Bytes>::new(), Batch::default());
    loop {
        reader.recv(&mut arrived).await?;
        batch.extend(arrived.drain(..));
        writer.send(&mut batch).await?;
    }
}

/// Tells when all have answered and wait again: until the other process has what it waited for,
/// the last of them may still be at work.
async fn tell(before: i64, conns: usize) -> Outcome<()> {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    say(&((resident()? - before) / i64::try_from(conns)?));
    std::future::pending().await
}

/// Memory of this process that is in use, in bytes.
fn resident() -> Outcome<i64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: i64 = statm.split_whitespace().nth(1).ok_or("statm is short")?.parse()?;
    Ok(pages * i64::try_from(rustix::param::page_size())?)
}

fn allow_descriptors() -> Outcome<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

const TCP: &str = "rumormill";
const UDP: &str = "rumormill, udp";
const CONNS: usize = 10_000;
/// Of one UDP socket.
const PEERS: usize = 1000;
