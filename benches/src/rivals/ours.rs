//! rumormill, through the erased handles of the registry.

use std::{
    iter::{self, repeat_n},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, FuturesUnordered},
};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    AnyConn, AnyListener, AnyReader, AnyWriter, Batch, Conn, End, Error, Listener, Reader, Target,
    Writer,
};
use rumormill_transport_quic as _;
use rumormill_transport_tcp as _;
use rumormill_transport_udp as _;
use rumormill_transport_unix as _;

use crate::{
    Outcome,
    case::PING,
    meter::{Meter, Tally},
    rivals::{ENDS, LAST, MORE, PAUSE, per_batch},
};

pub(crate) fn registry() -> Outcome<Registry> {
    let credentials = SecretKey::generate().credentials();
    Ok(Registry::linked()?.with_credentials(credentials.into()))
}

pub(crate) async fn send(conn: AnyConn, size: usize, span: Duration) -> Outcome<Tally> {
    let Conn { info, mut writer, reader: _reader } = conn;
    let (message, mut batch) = (Bytes::from(vec![0x5a; size]), Batch::default());
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        batch.extend(repeat_n(&message, per_batch(size)).cloned());
        writer.send(&mut batch).await?;
        count += per_batch(size) as u64;
    }
    let tally = meter.stop(count);
    end(writer, info.caps.end).await?;
    Ok(tally)
}

/// Counts until the end, or an empty message, which is the end where the carrier has none.
pub(crate) async fn receive(conn: AnyConn) -> Outcome<Tally> {
    let Conn { info, mut reader, writer } = conn;
    let tally = count(&mut reader).await?;
    end(writer, info.caps.end).await?;
    Ok(tally)
}

async fn count(reader: &mut AnyReader) -> Outcome<Tally> {
    let (mut arrived, meter, mut count) = (Vec::new(), Meter::start(), 0);
    loop {
        let result = reader.recv(&mut arrived).await;
        let is_last = arrived.last().is_some_and(Bytes::is_empty);
        count += arrived.iter().filter(|message| !message.is_empty()).count() as u64;
        arrived.clear();
        match result {
            Ok(()) if is_last => return Ok(meter.stop(count)),
            Ok(()) => (),
            Err(Error::Closed) => return Ok(meter.stop(count)),
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) async fn ping(mut conn: AnyConn, span: Duration) -> Outcome<Tally> {
    let (mut batch, mut arrived) = (Batch::default(), Vec::new());
    let message = Bytes::from(vec![MORE; PING]);
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        batch.push(message.clone());
        conn.writer.send(&mut batch).await?;
        conn.reader.recv(&mut arrived).await?;
        arrived.clear();
        count += 1;
    }
    let tally = meter.stop(count);
    end(conn.writer, conn.info.caps.end).await?;
    Ok(tally)
}

pub(crate) async fn echo(conn: AnyConn) -> Outcome<Tally> {
    let (Conn { info, mut reader, mut writer }, mut batch) = (conn, Batch::default());
    let (mut arrived, meter, mut count) = (Vec::new(), Meter::start(), 0);
    loop {
        match reader.recv(&mut arrived).await {
            Ok(()) if arrived[0].is_empty() => break,
            Ok(()) => batch.extend(arrived.drain(..)),
            Err(Error::Closed) => break,
            Err(error) => return Err(error.into()),
        }
        writer.send(&mut batch).await?;
        count += 1;
    }
    let tally = meter.stop(count);
    end(writer, info.caps.end).await?;
    Ok(tally)
}

/// Sends the first message of a conn, by which the listener learns of it.
pub(crate) async fn introduce(conn: &mut AnyConn) -> Outcome<()> {
    Ok(conn.writer.send(&mut [Bytes::from_static(&[MORE; PING])].into_iter().collect()).await?)
}

/// Connects again and again, `at_once` times side by side.
pub(crate) async fn connect(
    registry: &Registry,
    to: &Target,
    span: Duration,
    at_once: usize,
) -> Outcome<Tally> {
    // Each by a node of its own: those of one node share a connection where the carrier has such.
    let others = (1..at_once).map(|_| self::registry()).collect::<Outcome<Vec<_>>>()?;
    let meter = Meter::start();
    let registries = iter::once(registry).chain(&others);
    let loops = registries.map(|registry| connect_in_turn(registry, to, span, &meter));
    let counts: Vec<u64> = stream::iter(loops).buffer_unordered(at_once).try_collect().await?;
    Ok(meter.stop(counts.iter().sum()))
}

async fn connect_in_turn(
    registry: &Registry,
    to: &Target,
    span: Duration,
    meter: &Meter,
) -> Outcome<u64> {
    let (mut batch, mut arrived) = (Batch::default(), Vec::new());
    let (mut count, mut mark) = (0, MORE);
    while mark == MORE {
        mark = if meter.elapsed() < span { MORE } else { LAST };
        let mut conn = registry.dial(to).await?;
        batch.push(vec![mark; PING]);
        conn.writer.send(&mut batch).await?;
        conn.reader.recv(&mut arrived).await?;
        conn.writer.close().await?;
        arrived.clear();
        count += 1;
    }
    Ok(count)
}

/// Answers until each of the `at_once` that connect has said that it was its last time.
pub(crate) async fn accept(mut listener: AnyListener, at_once: usize) -> Outcome<Tally> {
    let (meter, mut count, mut left) = (Meter::start(), 0, at_once);
    let mut answers = FuturesUnordered::new();
    while 0 < left {
        tokio::select! {
            conn = listener.accept(), if answers.len() < at_once => answers.push(answer(conn?)),
            Some(mark) = answers.next() => {
                count += 1;
                left -= usize::from(mark? == LAST);
            }
        }
    }
    Ok(meter.stop(count))
}

async fn answer(mut conn: AnyConn) -> Outcome<u8> {
    let mut arrived = Vec::new();
    conn.reader.recv(&mut arrived).await?;
    let mark = arrived[0][0];
    conn.writer.send(&mut arrived.drain(..).collect()).await?;
    while conn.reader.recv(&mut arrived).await.is_ok() {}
    end(conn.writer, conn.info.caps.end).await?;
    Ok(mark)
}

/// Ends a conn on any carrier: datagrams have no end but one that is made of messages.
async fn end(mut writer: AnyWriter, end: End) -> Outcome<()> {
    if end != End::None {
        return Ok(writer.close().await?);
    }
    let mut batch = Batch::default();
    for _ in 0..ENDS {
        thread::sleep(PAUSE);
        batch.push(Bytes::new());
        writer.send(&mut batch).await?;
    }
    Ok(())
}
