//! A bound socket, and what its system can do with many datagrams in one call.

use std::{
    io, mem,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use tokio::{io::Interest, net::UdpSocket, task::coop};

use crate::{
    Settings,
    arrivals::Arrivals,
    kernel::{self, Answer},
    switch::canonical,
};

/// A bound socket.
pub(crate) struct Port {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    offload: bool,
}

impl Port {
    pub(crate) fn open(at: SocketAddr, settings: Settings) -> io::Result<Self> {
        let socket = bind(at, settings)?;
        let setup = || UdpSocketState::new(UdpSockRef::from(&socket));
        let state = kernel::keep_splitting(&socket, at, setup)?;
        // Where these two fail it works as well: in larger pieces, and deaf to what the network says.
        if !settings.offload {
            let _ = kernel::receive_singly(&socket);
        }
        let _ = kernel::keep_answers(&socket, at);
        let io = UdpSocket::from_std(socket.into())?;
        Ok(Self { local: io.local_addr()?, io, state, offload: settings.offload })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// How many datagrams the system takes together, as far as is known by now.
    pub(crate) fn segments(&self) -> usize {
        match self.offload {
            true => self.state.max_gso_segments(),
            false => 1,
        }
    }

    /// Hands datagrams to the system: all of them, or none.
    ///
    /// Cancel-safe: datagrams whose future is dropped were not sent.
    pub(crate) async fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        loop {
            coop::consume_budget().await;
            match self.try_send(transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    kernel::writable(&self.io).await?;
                }
                sent => return sent,
            }
        }
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let send = || self.state.try_send(UdpSockRef::from(&self.io), transmit);
        let attempt = || self.io.try_io(Interest::WRITABLE, send);
        // What was answered to somebody else's datagram was said instead of sending this one. That
        // datagrams are too long to go together, however, is about these.
        let answered = |error: &io::Error| {
            let is_about_these = transmit.segment_size.is_some() && kernel::is_too_long(error);
            kernel::may_be_answer(error) && !is_about_these
        };
        let mut attempts = (0..ATTEMPTS).map(|_| attempt());
        let sent = attempts.find(|sent| !sent.as_ref().is_err_and(answered));
        sent.unwrap_or_else(attempt)
    }
}

/// The side of a port that receives.
pub(crate) struct Intake {
    port: Arc<Port>,
    /// What the network answered, until the datagrams are read that came before.
    answers: Vec<Answer>,
    /// Calls in a row that did not get to the end of those.
    unfinished: usize,
    /// Whether datagrams may be there of which tokio knows nothing: an answer of the network makes
    /// the system stop short of them.
    may_have_missed: bool,
    /// Who waits for answers.
    driver: Option<Waker>,
    /// Resolves when the network has answered something.
    answered: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl Intake {
    pub(crate) fn new(port: Arc<Port>) -> Self {
        Self {
            answers: Vec::new(),
            unfinished: 0,
            may_have_missed: false,
            driver: None,
            answered: answered(port.clone()),
            port,
        }
    }

    /// Waits for datagrams, in place of those that were in `arrivals`.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        arrivals: &mut Arrivals,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.may_have_missed {
                ready!(self.port.io.poll_recv_ready(cx))?;
            }
            match self.try_recv(arrivals) {
                // What came is all there is, and tokio was told so.
                Err(error) if is_none_left(&error) && !arrivals.is_empty() => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) if is_none_left(&error) => (),
                // The answers are taken elsewhere; each is said here once.
                Err(error) if kernel::may_be_answer(&error) => (),
                received => return Poll::Ready(received),
            }
        }
    }

    /// `WouldBlock`, perhaps with datagrams, when there are no more.
    fn try_recv(&mut self, arrivals: &mut Arrivals) -> io::Result<()> {
        let Port { io, state, .. } = &*self.port;
        arrivals.clear();
        let mut receive = || {
            arrivals.receive(state, UdpSockRef::from(io))?;
            match kernel::TELLS_EACH_ARRIVAL && !arrivals.is_full() {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        };
        if !self.may_have_missed {
            return io.try_io(Interest::READABLE, receive);
        }
        let received = receive();
        self.may_have_missed = !received.as_ref().is_err_and(is_none_left);
        received
    }

    /// Waits for answers of the network to what was sent, and keeps them for
    /// [`answers_when_read`](Self::answers_when_read).
    pub(crate) fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.answers.is_empty() {
            return Poll::Ready(());
        }
        match &mut self.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            driver => *driver = Some(cx.waker().clone()),
        }
        // That the runtime has ended `poll_recv` says as well.
        let _ = ready!(self.answered.as_mut().poll(cx));
        self.answered = answered(self.port.clone());
        self.may_have_missed = true;
        let take = || match kernel::answers(&self.port.io, ANSWERS, &mut self.answers) {
            // There may be more, and then it shall not wait for the next.
            ANSWERS => Ok(()),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        };
        let _: io::Result<()> = self.port.io.try_io(Interest::ERROR, take);
        Poll::Ready(())
    }

    /// The answers, once `arrivals` are the last datagrams that came before: what a peer had sent
    /// is read before it is given up. While datagrams keep coming faster than they are read, that
    /// is decided after a while.
    pub(crate) fn answers_when_read(&mut self, arrivals: &Arrivals) -> Vec<Answer> {
        if arrivals.is_full() && self.unfinished < PATIENCE {
            self.unfinished += 1;
            return Vec::new();
        }
        self.unfinished = 0;
        mem::take(&mut self.answers)
    }

    /// The answers that are there to what was sent to `remote`. All others are kept until the
    /// datagrams are read that came before them, by the driver, which is to be woken then.
    pub(crate) fn answers_about(&mut self, remote: SocketAddr) -> (Vec<Answer>, Option<Waker>) {
        kernel::answers(&self.port.io, ALL_ANSWERS, &mut self.answers);
        let about = self.answers.extract_if(.., |answer| canonical(answer.to) == remote).collect();
        let are_kept = !self.answers.is_empty();
        self.may_have_missed |= are_kept;
        (about, self.driver.take_if(|_| are_kept))
    }
}

fn is_none_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn answered(port: Arc<Port>) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> {
    Box::pin(async move { port.io.ready(Interest::ERROR).await.map(|_| ()) })
}

fn bind(at: SocketAddr, settings: Settings) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(bytes) = settings.recv_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = settings.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    // Without any option to reuse the address: for UDP that would let another process take it.
    socket.bind(&at.into())?;
    Ok(socket)
}

/// How often a call is tried that only hears what the network answered to another one.
const ATTEMPTS: usize = 8;
/// Answers of the network that are taken at a time, so that a flood of them holds up nothing.
const ANSWERS: usize = 64;
/// More answers than the kernel keeps for a socket, in about 700 bytes each of its receive buffer:
/// who takes all ends, even if more come meanwhile.
const ALL_ANSWERS: usize = 4096;
/// System calls that may bring as many datagrams as fit before answers are acted on regardless.
const PATIENCE: usize = 16;
