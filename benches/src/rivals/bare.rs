//! Waiting for answers with tokio's streams and nothing above them.

use std::{io, time::Duration};

use futures_util::{
    StreamExt, TryStreamExt,
    stream::{FuturesUnordered, iter},
};
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
    let tally = meter.stop(count);
    stream.shutdown().await?;
    // The peer ends when it has seen this; how, makes no difference.
    let _ = stream.read(&mut [0]).await;
    Ok(tally)
}

pub(crate) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Tally> {
    let (meter, mut count) = (Meter::start(), 0);
    while answer(&mut stream).await?.is_some() {
        count += 1;
    }
    Ok(meter.stop(count))
}

/// Connects again and again, `at_once` times side by side.
pub(crate) async fn connect<N: Net>(
    net: &N,
    to: &str,
    span: Duration,
    at_once: usize,
) -> io::Result<Tally> {
    let meter = Meter::start();
    let loops = (0..at_once).map(|_| connect_in_turn(net, to, span, &meter));
    let counts: Vec<u64> = iter(loops).buffer_unordered(at_once).try_collect().await?;
    Ok(meter.stop(counts.iter().sum()))
}

async fn connect_in_turn<N: Net>(
    net: &N,
    to: &str,
    span: Duration,
    meter: &Meter,
) -> io::Result<u64> {
    let (mut count, mut mark) = (0, MORE);
    while mark == MORE {
        mark = if meter.elapsed() < span { MORE } else { LAST };
        let mut stream = net.connect(to).await?;
        there_and_back(&mut stream, mark).await?;
        stream.shutdown().await?;
        count += 1;
    }
    Ok(count)
}

/// Answers until each of the `at_once` that connect has said that it was its last time.
pub(crate) async fn accept<N: Net>(
    net: &N,
    listener: &N::Listener,
    at_once: usize,
) -> io::Result<Tally> {
    let (meter, mut count, mut left) = (Meter::start(), 0, at_once);
    let mut answers = FuturesUnordered::new();
    while 0 < left {
        tokio::select! {
            arrived = net.arrival(listener), if answers.len() < at_once => {
                answers.push(answer_one(net, arrived?));
            }
            Some(mark) = answers.next() => {
                count += 1;
                left -= usize::from(mark? == Some(LAST));
            }
        }
    }
    Ok(meter.stop(count))
}

async fn answer_one<N: Net>(net: &N, arrived: N::Arrival) -> io::Result<Option<u8>> {
    let mut stream = net.shake_hands(arrived).await?;
    let mark = answer(&mut stream).await?;
    // Until the peer has ended as well; how, makes no difference.
    let _ = stream.read_to_end(&mut Vec::new()).await;
    Ok(mark)
}

async fn there_and_back(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mark: u8,
) -> io::Result<()> {
    let mut message = [mark; PING];
    stream.write_all(&message).await?;
    stream.flush().await?;
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
    stream.flush().await?;
    Ok(Some(message[0]))
}
