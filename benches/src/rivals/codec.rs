//! tokio with `LengthDelimitedCodec`, fed in batches.

use std::{iter::repeat_n, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use crate::{
    Outcome,
    meter::{Meter, Tally},
    rivals::per_batch,
};

pub(crate) async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    size: usize,
    span: Duration,
) -> Outcome<Tally> {
    let mut sink = FramedWrite::new(stream, LengthDelimitedCodec::new());
    sink.set_backpressure_boundary(BUFFER);
    let message = Bytes::from(vec![0x5a; size]);
    let (meter, mut count) = (Meter::start(), 0);
    while meter.elapsed() < span {
        for message in repeat_n(&message, per_batch(size)) {
            sink.feed(message.clone()).await?;
        }
        SinkExt::<Bytes>::flush(&mut sink).await?;
        count += per_batch(size) as u64;
    }
    let tally = meter.stop(count);
    SinkExt::<Bytes>::close(&mut sink).await?;
    // The peer ends when it has everything; how, makes no difference.
    let _ = sink.get_mut().read(&mut [0]).await;
    Ok(tally)
}

pub(crate) async fn receive(stream: impl AsyncRead + Unpin) -> Outcome<Tally> {
    let mut messages = FramedRead::with_capacity(stream, LengthDelimitedCodec::new(), BUFFER);
    let (meter, mut count) = (Meter::start(), 0);
    while let Some(message) = messages.next().await {
        std::hint::black_box(message?);
        count += 1;
    }
    Ok(meter.stop(count))
}

const BUFFER: usize = 64 << 10;
