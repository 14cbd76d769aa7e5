//! Stream sockets of the system, of either family.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, time::Duration};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Net;
use crate::{case::Case, meter::Tally, rivals::raw};

pub(crate) struct Tcp;

impl Net for Tcp {
    type Listener = TcpListener;
    type Arrival = TcpStream;
    type Stream = TcpStream;

    fn new(_: Case) -> io::Result<Self> {
        Ok(Self)
    }

    async fn listen(&self, _dir: &Path) -> io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?.to_string();
        Ok((listener, addr))
    }

    async fn arrival(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn shake_hands(&self, arrived: TcpStream) -> io::Result<TcpStream> {
        Ok(arrived)
    }

    async fn connect(&self, to: &str) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn send(stream: TcpStream, size: usize, span: Duration) -> io::Result<Tally> {
        raw::send(blocking_tcp(stream)?, size, span)
    }

    async fn receive(stream: TcpStream, size: usize) -> io::Result<Tally> {
        raw::receive(blocking_tcp(stream)?, size)
    }
}

pub(crate) struct Unix;

impl Net for Unix {
    type Listener = UnixListener;
    type Arrival = UnixStream;
    type Stream = UnixStream;

    fn new(_: Case) -> io::Result<Self> {
        Ok(Self)
    }

    async fn listen(&self, dir: &Path) -> io::Result<(UnixListener, String)> {
        let path = dir.join(format!("{}.bare", std::process::id()));
        Ok((UnixListener::bind(&path)?, path.display().to_string()))
    }

    async fn arrival(&self, listener: &UnixListener) -> io::Result<UnixStream> {
        Ok(listener.accept().await?.0)
    }

    async fn shake_hands(&self, arrived: UnixStream) -> io::Result<UnixStream> {
        Ok(arrived)
    }

    async fn connect(&self, to: &str) -> io::Result<UnixStream> {
        UnixStream::connect(to).await
    }

    async fn send(stream: UnixStream, size: usize, span: Duration) -> io::Result<Tally> {
        raw::send(blocking_unix(stream)?, size, span)
    }

    async fn receive(stream: UnixStream, size: usize) -> io::Result<Tally> {
        raw::receive(blocking_unix(stream)?, size)
    }
}

/// The same socket with calls that block: what the kernel gives.
fn blocking_tcp(stream: TcpStream) -> io::Result<File> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(OwnedFd::from(stream).into())
}

fn blocking_unix(stream: UnixStream) -> io::Result<File> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(OwnedFd::from(stream).into())
}
