//! What a client of nats-server says and hears, as fast as it can be said and heard.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Outcome,
    cell::{Cell, Shape},
    run::{Taker, put_head},
};

/// Publishes chunks that were laid out beforehand: only the heads of messages are put in.
pub(crate) struct Publisher {
    stream: TcpStream,
    chunk: Box<[u8]>,
    /// Bytes before a payload, and of a message with all that is around it.
    before: usize,
    whole: usize,
    size: usize,
}

impl Publisher {
    pub(crate) async fn connect(server: SocketAddr, cell: Cell) -> Outcome<Self> {
        let stream = connect(server).await?;
        let before = format!("PUB {SUBJECT} {}\r\n", cell.size);
        let message = [before.as_bytes(), &vec![b'.'; cell.size], b"\r\n"].concat();
        Ok(Self {
            stream,
            chunk: message.repeat(cell.chunk() as usize).into(),
            before: before.len(),
            whole: message.len(),
            size: cell.size,
        })
    }

    /// Publishes `count` messages from number `first` on, at most a chunk.
    pub(crate) async fn publish(&mut self, first: u64, count: u64, due: u64) -> Outcome<()> {
        let messages = &mut self.chunk[..count as usize * self.whole];
        for (message, seq) in messages.chunks_exact_mut(self.whole).zip(first..) {
            put_head(&mut message[self.before..][..self.size], seq, due);
        }
        Ok(self.stream.write_all(messages).await?)
    }

    /// Waits until the server has read everything, and hears whether it minds something.
    pub(crate) async fn finish(mut self) -> Outcome<()> {
        await_pong(&mut self.stream).await
    }
}

/// A subscriber, until it is dropped.
pub(crate) struct Subscriber {
    stream: TcpStream,
    /// What was read and is not yet dealt with: the part between the two ends.
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl Subscriber {
    pub(crate) async fn connect(server: SocketAddr, shape: Shape) -> Outcome<Self> {
        let mut stream = connect(server).await?;
        let group = match shape {
            Shape::Fanout(_) => "",
            Shape::Queue(_) => " takers",
        };
        stream.write_all(format!("SUB {SUBJECT}{group} 1\r\n").as_bytes()).await?;
        await_pong(&mut stream).await?;
        Ok(Self { stream, buffer: vec![0; BUFFER].into(), begin: 0, end: 0 })
    }

    /// Hands all messages to `taker` until the conn ends.
    pub(crate) async fn run(mut self, taker: &mut Taker<'_>) -> Outcome<()> {
        loop {
            while let Some(len) = self.next(taker).await? {
                self.begin += len;
            }
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            match self.stream.read(&mut self.buffer[self.end..]).await? {
                0 => return Ok(()),
                read => self.end += read,
            }
        }
    }

    /// Deals with the first thing in the buffer; how long it is, if it is complete.
    async fn next(&mut self, taker: &mut Taker<'_>) -> Outcome<Option<usize>> {
        let rest = &self.buffer[self.begin..self.end];
        let Some(line) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let (head, payload) = (&rest[..line - 1], &rest[line + 1..]);
        if head.starts_with(b"PING") {
            self.stream.write_all(b"PONG\r\n").await?;
            return Ok(Some(line + 1));
        }
        if !head.starts_with(b"MSG ") {
            return Err(format!("nats-server said {}", head.escape_ascii()).into());
        }
        let size = trailing_number(head);
        let Some(payload) = payload.get(..size + 2) else { return Ok(None) };
        taker.take(&payload[..size]);
        Ok(Some(line + 1 + size + 2))
    }
}

/// Opens a conn, and waits until the server has agreed to everything.
async fn connect(server: SocketAddr) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let options = r#"CONNECT {"verbose":false,"pedantic":false,"name":"benches","lang":"rust","version":"0","protocol":1}"#;
    stream.write_all(format!("{options}\r\n").as_bytes()).await?;
    await_pong(&mut stream).await?;
    Ok(stream)
}

/// Asks, and waits for the answer; nothing but it and what is said at the beginning may come.
async fn await_pong(stream: &mut TcpStream) -> Outcome<()> {
    stream.write_all(b"PING\r\n").await?;
    let mut said = Vec::new();
    loop {
        if stream.read_buf(&mut said).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let lines: Vec<_> = said.split_inclusive(|&byte| byte == b'\n').collect();
        if lines.iter().any(|line| line.starts_with(b"-ERR")) {
            return Err(format!("nats-server said {}", said.escape_ascii()).into());
        }
        if lines.contains(&&b"PONG\r\n"[..]) {
            return Ok(());
        }
    }
}

fn trailing_number(head: &[u8]) -> usize {
    let digits = head.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    digits.iter().fold(0, |number, digit| 10 * number + usize::from(digit.wrapping_sub(b'0')))
}

const SUBJECT: &str = "load";
/// Bytes that a subscriber reads at a time.
const BUFFER: usize = 256 << 10;
