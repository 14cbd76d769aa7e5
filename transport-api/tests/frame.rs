//! Framing over byte streams: golden bytes, limits, hostile input, and dropped futures.

use std::{
    io,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use rumormill_transport_api::{
    Batch, Error, FrameReader, FrameWriter, Framing, MAX_RECV, Reader, Result, Writer,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, duplex};

fn framing(max_message: usize) -> Framing {
    Framing { max_message, ..Framing::default() }
}

/// Everything in `wire`, and how it ended.
async fn read(wire: impl AsyncRead + Unpin + Send + 'static, max: usize) -> (Vec<Bytes>, Error) {
    let (mut reader, mut all) = (FrameReader::new(wire, framing(max)), Vec::new());
    loop {
        if let Err(end) = reader.recv(&mut all).await {
            return (all, end);
        }
    }
}

async fn write(messages: impl IntoIterator<Item = Bytes>) -> Vec<u8> {
    let (stream, mut peer) = duplex(1 << 24);
    let mut writer = FrameWriter::new(stream, framing(1 << 20));
    let mut batch: Batch = messages.into_iter().collect();
    writer.send(&mut batch).await.expect("a stream in memory");
    writer.close().await.expect("a stream in memory");
    let mut wire = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut wire).await.expect("a stream in memory");
    wire
}

/// The vectors of docs/wire.md, section "Framing".
#[tokio::test]
async fn the_wire_is_as_documented() {
    let documented = include_str!("../../docs/wire.md");
    let vectors: [(&[u8], &str); 3] =
        [(b"", "00 00 00 00"), (b"a", "00 00 00 01 61"), (b"rumor", "00 00 00 05 72 75 6d 6f 72")];
    for (message, hex) in vectors {
        assert!(documented.contains(hex), "docs/wire.md does not show {hex}");
        let wire: Vec<u8> =
            hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(write([Bytes::from(message)]).await, wire);
        let (arrived, end) = read(io::Cursor::new(wire), 5).await;
        assert_eq!(arrived, [message]);
        assert!(matches!(end, Error::Closed), "{end:?}");
    }
}

#[tokio::test]
async fn parts_and_lengths_around_the_copying_threshold_survive() {
    let lens = [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 300_000];
    let mut batch = Batch::default();
    for len in lens {
        let whole: Bytes = (0..len).map(|i| i as u8).collect();
        batch.push_parts([
            Bytes::new(),
            whole.slice(..len / 3),
            whole.slice(len / 3..),
            Bytes::new(),
        ]);
        batch.push(whole);
    }
    let expected: Vec<Bytes> = batch.iter().map(|message| message.to_bytes()).collect();
    let (here, there) = duplex(1000);
    let sending = async {
        let mut writer = FrameWriter::new(here, framing(1 << 20));
        writer.send(&mut batch).await.unwrap();
        writer.close().await.unwrap();
    };
    let ((), (arrived, end)) = tokio::join!(sending, read(there, 1 << 20));
    assert!(arrived == expected && matches!(end, Error::Closed), "{} {end:?}", arrived.len());
}

#[tokio::test]
async fn a_header_beyond_the_limit_is_refused_where_it_stands() {
    for announced in [6_u32, 1 << 16, 1 << 31, u32::MAX] {
        let mut wire = write([Bytes::from("fine")]).await;
        wire.extend(announced.to_be_bytes());
        let (arrived, end) = read(io::Cursor::new(wire), 5).await;
        assert_eq!(arrived, ["fine"]);
        let Error::TooLarge { len, max } = end else { panic!("{announced} gave {end:?}") };
        assert_eq!((len, max), (announced as usize, 5));
    }
}

#[tokio::test]
async fn a_limit_beyond_four_gibibytes_means_four() {
    let (stream, _peer) = duplex(64);
    let mut writer = FrameWriter::new(stream, framing(usize::MAX));
    let mut batch = Batch::default();
    // Parts that are the same 16 MiB, so that nothing of this length is ever allocated.
    let part = Bytes::from(vec![0; 16 << 20]);
    batch.push_parts(std::iter::repeat_n(part, 256));
    let error = writer.send(&mut batch).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { max, .. } if max == u32::MAX as usize), "{error:?}");
}

#[tokio::test]
async fn one_recv_brings_a_bounded_number() {
    let wire = write(vec![Bytes::new(); 3 * MAX_RECV]).await;
    let (mut reader, mut all) = (FrameReader::new(io::Cursor::new(wire), framing(5)), Vec::new());
    for recvs in 1..=3 {
        reader.recv(&mut all).await.unwrap();
        assert_eq!(all.len(), recvs * MAX_RECV);
    }
    assert!(matches!(reader.recv(&mut all).await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_hundred_thousand_random_streams_give_typed_errors() {
    let mut seed = 1_u64;
    let mut random = || {
        // xorshift64 (Marsaglia 2003).
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..100_000 {
        // Half of them begin with a plausible length, or nothing would get past the first header.
        let len = random() as usize % 60;
        let mut wire: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        if random() % 2 == 0 {
            wire.iter_mut().take(3).for_each(|byte| *byte = 0);
        }
        let (_, end) = read(io::Cursor::new(wire), 100).await;
        let typed = matches!(end, Error::Closed | Error::Cut { .. } | Error::TooLarge { .. });
        assert!(typed, "{end:?}");
    }
}

#[tokio::test]
async fn an_error_ends_a_half() {
    let (mut reader, mut all) =
        (FrameReader::new(&b"\xff\xff\xff\xff"[..], framing(5)), Vec::new());
    assert!(matches!(reader.recv(&mut all).await, Err(Error::TooLarge { .. })));
    assert!(matches!(reader.recv(&mut all).await, Err(Error::Closed)));

    let (stream, peer) = duplex(8);
    drop(peer);
    let mut writer = FrameWriter::new(stream, framing(100));
    let send = async |writer: &mut FrameWriter<_>| -> Result<()> {
        writer.send(&mut [Bytes::from("to nobody")].into_iter().collect()).await
    };
    assert!(matches!(send(&mut writer).await, Err(Error::Cut { source: Some(_) })));
    assert!(matches!(send(&mut writer).await, Err(Error::Closed)));
    assert!(matches!(writer.close().await, Err(Error::Closed)));
}

/// A stream that passes on at most a few bytes at a time, and says "not yet" before each of them.
struct Reluctant<S> {
    stream: S,
    turn: usize,
}

impl<S> Reluctant<S> {
    fn refuses(&mut self, cx: &Context<'_>) -> bool {
        self.turn += 1;
        cx.waker().wake_by_ref();
        !self.turn.is_multiple_of(3)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reluctant<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.refuses(cx) {
            return Poll::Pending;
        }
        let most = 1 + self.turn % 7;
        let mut piece = [0; 8];
        let mut piece = ReadBuf::new(&mut piece[..most]);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        into.put_slice(piece.filled());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reluctant<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.refuses(cx) {
            return Poll::Pending;
        }
        let most = bytes.len().min(1 + self.turn % 5);
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..most])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.refuses(cx) {
            true => Poll::Pending,
            false => Pin::new(&mut self.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.refuses(cx) {
            true => Poll::Pending,
            false => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}

async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

/// Every future lives for one poll; the stream stops after every few bytes.
#[tokio::test]
async fn dropped_futures_lose_nothing_on_the_worst_of_streams() {
    let (here, there) = duplex(64);
    let small = Framing { max_message: 40_000, buffer: NonZeroUsize::new(1024).unwrap() };
    let mut writer = FrameWriter::new(Reluctant { stream: here, turn: 0 }, small);
    let mut reader = FrameReader::new(Reluctant { stream: there, turn: 1 }, small);
    let message = |n: usize| -> Bytes {
        vec![n as u8; if n.is_multiple_of(40) { 17_000 } else { n % 50 }].into()
    };
    let sent: Vec<Bytes> = (0..200).map(message).collect();
    let (mut arrived, mut drops) = (Vec::new(), 0);
    for chunk in sent.chunks(3) {
        let mut batch: Batch = chunk.iter().cloned().collect();
        while poll_once(writer.send(&mut batch)).await.is_none() {
            drops += 1;
            let _ = poll_once(reader.recv(&mut arrived)).await;
            tokio::task::yield_now().await;
        }
    }
    let mut closed = false;
    let end = loop {
        closed = closed || poll_once(writer.close()).await.is_some();
        if let Some(Err(end)) = poll_once(reader.recv(&mut arrived)).await {
            break end;
        }
        tokio::task::yield_now().await;
    };
    assert!(arrived == sent && matches!(end, Error::Closed), "{} arrived, {end:?}", arrived.len());
    assert!(5_000 < drops, "only {drops} futures were dropped");
}
