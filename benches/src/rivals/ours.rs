//! rumormill, through the erased handles of the registry.

use std::{iter::repeat_n, thread, time::Duration};

use bytes::Bytes;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyWriter, Batch, Conn, End, Error, Listener, Reader,
    Writer,
};
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
    Ok(Registry::linked()?)
}

pub(crate) async fn dial(to: &str) -> Outcome<AnyConn> {
    Ok(registry()?.dial(&to.parse::<Addr>()?.into()).await?)
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
pub(crate) async fn receive(mut reader: AnyReader) -> Outcome<Tally> {
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
    let (Conn { mut reader, mut writer, .. }, mut batch) = (conn, Batch::default());
    let (mut arrived, meter, mut count) = (Vec::new(), Meter::start(), 0);
    loop {
        match reader.recv(&mut arrived).await {
            Ok(()) if arrived[0].is_empty() => return Ok(meter.stop(count)),
            Ok(()) => batch.extend(arrived.drain(..)),
            Err(Error::Closed) => return Ok(meter.stop(count)),
            Err(error) => return Err(error.into()),
        }
        writer.send(&mut batch).await?;
        count += 1;
    }
}

pub(crate) async fn connect(to: &str, span: Duration) -> Outcome<Tally> {
    let (registry, to) = (registry()?, to.parse::<Addr>()?.into());
    let (mut batch, mut arrived) = (Batch::default(), Vec::new());
    let (meter, mut count, mut mark) = (Meter::start(), 0, MORE);
    while mark == MORE {
        mark = if meter.elapsed() < span { MORE } else { LAST };
        let mut conn = registry.dial(&to).await?;
        batch.push(vec![mark; PING]);
        conn.writer.send(&mut batch).await?;
        conn.reader.recv(&mut arrived).await?;
        conn.writer.close().await?;
        arrived.clear();
        count += 1;
    }
    Ok(meter.stop(count))
}

pub(crate) async fn accept(mut listener: AnyListener) -> Outcome<Tally> {
    let (mut batch, mut arrived) = (Batch::default(), Vec::new());
    let (meter, mut count, mut mark) = (Meter::start(), 0, MORE);
    while mark != LAST {
        let mut conn = listener.accept().await?;
        conn.reader.recv(&mut arrived).await?;
        mark = arrived[0][0];
        batch.extend(arrived.drain(..));
        conn.writer.send(&mut batch).await?;
        while conn.reader.recv(&mut arrived).await.is_ok() {}
        count += 1;
    }
    Ok(meter.stop(count))
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
