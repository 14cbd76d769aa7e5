//! Two ends that talk to each other, and the verbs that checks are written in.

use std::{future::Future, pin::pin, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyTransport, AnyWriter, Batch, Caps, Delivery, Error,
    Listener, Reader, Target, Transport, Writer,
};
use tokio::{task::JoinSet, time::timeout};

use crate::Fixture;

/// A conn, seen from both of its ends, and the listener that it came through.
pub(crate) struct Pair {
    pub(crate) listener: AnyListener,
    pub(crate) dialer: AnyConn,
    pub(crate) accepted: AnyConn,
}

impl Fixture {
    pub(crate) fn caps(&self) -> Caps {
        self.transport.caps()
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.caps().delivery == Delivery::Stream
    }

    pub(crate) async fn listen(&self) -> AnyListener {
        let listener = soon("listening", self.transport.listen(&self.listen)).await;
        listener.unwrap_or_else(|error| panic!("listening at {}: {error:?}", self.listen))
    }

    pub(crate) fn dialer(&self) -> Dialer {
        Dialer { transport: self.transport.clone(), listen: self.listen.clone() }
    }

    pub(crate) async fn dial(&self, to: &Addr) -> AnyConn {
        soon("dialling", self.dialer().dial(to)).await
    }

    pub(crate) async fn pair(&self) -> Pair {
        let mut listener = self.listen().await;
        let (dialer, accepted) = self.connect(&mut listener).await;
        Pair { listener, dialer, accepted }
    }

    /// Dials and speaks first: that is when some listeners learn of a conn.
    pub(crate) async fn dial_and_greet(&self, to: &Addr) -> AnyConn {
        let mut dialer = self.dial(to).await;
        send(&mut dialer.writer, [HELLO]).await;
        dialer
    }

    /// Greets in tasks of their own, since a handshake may need somebody who accepts.
    pub(crate) fn spawn_dials(&self, count: usize, to: &Addr) -> JoinSet<AnyConn> {
        let mut dials = JoinSet::new();
        for _ in 0..count {
            let (dialer, to) = (self.dialer(), to.clone());
            dials.spawn(async move {
                let mut conn = dialer.dial(&to).await;
                send(&mut conn.writer, [HELLO]).await;
                conn
            });
        }
        dials
    }

    /// One more conn. On datagrams, copies of the greeting may still arrive.
    pub(crate) async fn connect(&self, listener: &mut AnyListener) -> (AnyConn, AnyConn) {
        let to = listener.addr().clone();
        if !self.is_stream() {
            return self.connect_by_repeating(listener, &to).await;
        }
        let (dialer, mut accepted) = tokio::join!(self.dial_and_greet(&to), accept(listener));
        let greeting = recv_some(&mut accepted.reader).await;
        assert_eq!(greeting, [HELLO], "the first message was not what was sent");
        (dialer, accepted)
    }

    async fn connect_by_repeating(
        &self,
        listener: &mut AnyListener,
        to: &Addr,
    ) -> (AnyConn, AnyConn) {
        let mut dialer = self.dial_and_greet(to).await;
        for _ in 0..RESENDS {
            if let Ok(accepted) = timeout(RESEND, listener.accept()).await {
                return (dialer, accepted.expect("accepting"));
            }
            send(&mut dialer.writer, [HELLO]).await;
        }
        panic!("no conn arrived, greeted {RESENDS} times");
    }
}

/// What it takes to dial in a task of its own.
pub(crate) struct Dialer {
    transport: AnyTransport,
    listen: Addr,
}

impl Dialer {
    /// Dials from the transport's own socket, or if that has a conn to there already, from the
    /// socket of a listener, which outlives the listener.
    pub(crate) async fn dial(&self, to: &Addr) -> AnyConn {
        let target = Target::new(to.clone());
        let conn = match self.transport.dial(&target).await {
            Err(Error::Busy { .. }) if self.transport.caps().delivery == Delivery::Datagram => {
                let own = self
                    .transport
                    .listen(&self.listen)
                    .await
                    .expect("listening to dial from there");
                let target = Target { from: Some(own.addr().clone()), ..target };
                self.transport.dial(&target).await
            }
            conn => conn,
        };
        conn.unwrap_or_else(|error| panic!("dialling {to}: {error:?}"))
    }
}

pub(crate) async fn accept(listener: &mut AnyListener) -> AnyConn {
    soon("accepting", listener.accept()).await.expect("accepting")
}

/// Waits for what must happen, but not for ever.
pub(crate) async fn soon<T>(doing: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{doing} took longer than {SOON:?}"),
    }
}

/// Lets the others go on for a moment, where there is no condition to wait for: that something
/// does *not* happen.
#[expect(clippy::disallowed_methods, reason = "the kit is a driver")]
pub(crate) async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            pause(Duration::from_millis(5)).await;
        }
    };
    soon(what, holds).await;
}

/// Sends messages, all of them in one batch.
pub(crate) async fn send<M: Into<Bytes>>(
    writer: &mut AnyWriter,
    messages: impl IntoIterator<Item = M>,
) {
    let mut batch: Batch = messages.into_iter().collect();
    let sent = soon("sending", writer.send(&mut batch)).await;
    sent.unwrap_or_else(|error| panic!("sending: {error:?}"));
    assert!(batch.is_empty(), "send left messages in the batch");
}

/// What the next `recv` brings.
pub(crate) async fn recv_some(reader: &mut AnyReader) -> Vec<Bytes> {
    let mut into = Vec::new();
    let received = soon("receiving", reader.recv(&mut into)).await;
    received.unwrap_or_else(|error| panic!("receiving: {error:?}"));
    assert!(!into.is_empty(), "recv returned without a message");
    into
}

/// The next `count` messages of a stream.
pub(crate) async fn recv_count(reader: &mut AnyReader, count: usize) -> Vec<Bytes> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        all.extend(recv_some(reader).await);
    }
    assert!(all.len() == count, "{} messages arrived of {count} sent", all.len());
    all
}

/// Everything until the conn ends, and how it ended.
pub(crate) async fn recv_to_end(reader: &mut AnyReader) -> (Vec<Bytes>, Error) {
    let mut all = Vec::new();
    loop {
        if let Err(end) = soon("waiting for the end", reader.recv(&mut all)).await {
            return (all, end);
        }
    }
}

/// Sends `messages` until each of them has arrived: once on a stream, and at least once on
/// datagrams, which may get lost, doubled and overtaken. Nothing else may arrive.
pub(crate) async fn exchange(
    delivery: Delivery,
    writer: &mut AnyWriter,
    reader: &mut AnyReader,
    messages: &[Bytes],
) {
    match delivery {
        Delivery::Stream => {
            let sending = send(writer, messages.iter().cloned());
            let ((), arrived) = tokio::join!(sending, recv_count(reader, messages.len()));
            assert!(arrived == messages, "{}", difference(&arrived, messages));
        }
        Delivery::Datagram => {
            for message in messages {
                resend_until_it_arrives(writer, reader, message, messages).await;
            }
        }
    }
}

/// Sends the last of `messages` as [`exchange`] does, after the others: copies of those may still
/// arrive where datagrams are doubled.
pub(crate) async fn exchange_last(
    delivery: Delivery,
    writer: &mut AnyWriter,
    reader: &mut AnyReader,
    messages: &[Bytes],
) {
    let Some((last, _)) = messages.split_last() else { return };
    match delivery {
        Delivery::Stream => exchange(delivery, writer, reader, std::slice::from_ref(last)).await,
        Delivery::Datagram => resend_until_it_arrives(writer, reader, last, messages).await,
    }
}

async fn resend_until_it_arrives(
    writer: &mut AnyWriter,
    reader: &mut AnyReader,
    message: &Bytes,
    sent: &[Bytes],
) {
    for _ in 0..RESENDS {
        let arrived = send_and_listen(writer, reader, message).await;
        let strange = arrived.iter().find(|got| *got != HELLO && !sent.contains(got));
        let len = strange.map_or(0, Bytes::len);
        assert!(strange.is_none(), "a message of {len} bytes arrived that was never sent");
        if arrived.contains(message) {
            return;
        }
    }
    panic!("a message of {} bytes never arrived, sent {RESENDS} times", message.len());
}

/// Sends `message`, and receives until a moment has passed without anything.
async fn send_and_listen(
    writer: &mut AnyWriter,
    reader: &mut AnyReader,
    message: &Bytes,
) -> Vec<Bytes> {
    let (mut arrived, mut is_sent) = (Vec::new(), false);
    let mut sending = pin!(send(writer, [message.clone()]));
    while !(is_sent && arrived.contains(message)) {
        tokio::select! {
            biased;
            () = &mut sending, if !is_sent => is_sent = true,
            received = timeout(RESEND, reader.recv(&mut arrived)) => match received {
                Ok(received) => received.unwrap_or_else(|error| panic!("receiving: {error:?}")),
                Err(_) if is_sent => break,
                Err(_) => (),
            },
        }
    }
    arrived
}

/// Where two lists of messages part, in words short enough to read.
pub(crate) fn difference(arrived: &[Bytes], sent: &[Bytes]) -> String {
    let at = arrived.iter().zip(sent).take_while(|(a, b)| a == b).count();
    let show = |list: &[Bytes]| {
        list.get(at).map(|m| format!("{} bytes {:?}", m.len(), m.slice(..m.len().min(16))))
    };
    format!(
        "{} messages arrived of {}; number {at} was {:?} instead of {:?}",
        arrived.len(),
        sent.len(),
        show(arrived),
        show(sent)
    )
}

/// A message of `len` bytes that tells its number, if it is long enough, and differs from others.
pub(crate) fn message(number: u64, len: usize) -> Bytes {
    let head = number.to_be_bytes();
    let filler = (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(number as u8));
    head.into_iter().chain(filler).take(len).collect()
}

/// Polls `future` once and drops it; what it returned if it was done.
pub(crate) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

/// Whether an error is one of the two ends of a conn.
pub(crate) fn is_end(error: &Error) -> bool {
    matches!(error, Error::Closed | Error::Cut { .. })
}

/// Sends small messages until the carrier says that the conn has ended.
pub(crate) async fn send_until_error(writer: &mut AnyWriter) -> Error {
    let sending = async {
        loop {
            let mut batch: Batch = [HELLO].into_iter().collect();
            if let Err(error) = writer.send(&mut batch).await {
                return error;
            }
            pause(Duration::from_millis(1)).await;
        }
    };
    soon("noticing that the peer is gone", sending).await
}

/// What a dialer says first.
pub(crate) const HELLO: &[u8] = b"hello";
/// The longest that anything may take that a transport does by itself.
const SOON: Duration = Duration::from_secs(20);
/// How long a datagram is waited for before it is sent again.
const RESEND: Duration = Duration::from_millis(20);
/// How often a datagram is sent: with one in two lost, the chance that all are is 2⁻¹⁰⁰.
const RESENDS: usize = 100;
