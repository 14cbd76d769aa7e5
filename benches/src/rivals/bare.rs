//! Waiting for answers with tokio's sockets and nothing above them.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    case::PING,
    meter::{Meter, Tally},
    net::Net,
    rivals::{LAST, MORE},
};

pub(crate) async fn ping(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    span: Duration,
) -> io::Result<Tally> {
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        there_and_back(&mut stream, MORE).await?;
        count += 1;
    }
    Ok(meter.stop(count))
}

pub(crate) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Tally> {
    let (meter, mut count) = (Meter::start(), 0);
    while answer(&mut stream).await?.is_some() {
        count += 1;
    }
    Ok(meter.stop(count))
}

pub(crate) async fn connect<N: Net>(to: &str, span: Duration) -> io::Result<Tally> {
    let (meter, mut count, mut mark) = (Meter::start(), 0, MORE);
    while mark == MORE {
        mark = if meter.elapsed() < span { MORE } else { LAST };
        let mut stream = N::connect(to).await?;
        there_and_back(&mut stream, mark).await?;
        stream.shutdown().await?;
        count += 1;
    }
    Ok(meter.stop(count))
}

pub(crate) async fn accept<N: Net>(listener: &N::Listener) -> io::Result<Tally> {
    let (meter, mut count, mut mark) = (Meter::start(), 0, Some(MORE));
    while mark != Some(LAST) {
        let mut stream = N::accept(listener).await?;
        mark = answer(&mut stream).await?;
        stream.read_to_end(&mut Vec::new()).await?;
        count += 1;
    }
    Ok(meter.stop(count))
}

async fn there_and_back(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mark: u8,
) -> io::Result<()> {
    let mut message = [mark; PING];
    stream.write_all(&message).await?;
    stream.read_exact(&mut message).await?;
    Ok(())
}

/// Sends back what arrives; tells how it was marked, unless the stream ends.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<u8>> {
    let mut message = [0; PING];
    match stream.read_exact(&mut message).await {
        Ok(_) => stream.write_all(&message).await?,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Some(message[0]))
}
