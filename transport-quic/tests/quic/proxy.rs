//! A path with weather: packets are lost, delayed and overtaken, and its far end may move.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rumormill_transport_api::Addr;
use tokio::{
    net::UdpSocket,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::talk::addr;

/// What happens to packets on the way, in both directions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Of a hundred packets, so many are lost.
    pub(crate) loss: u64,
    pub(crate) delay: Duration,
    /// Each packet takes so much more or less.
    pub(crate) jitter: Duration,
}

/// Carries the packets of one dialer to a listener and back.
pub(crate) struct Proxy {
    pub(crate) addr: Addr,
    moved: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(listener: &Addr, weather: Weather) -> Self {
        let to: SocketAddr = listener.rest().parse().expect("a socket's address");
        let front = Arc::new(anywhere().await);
        let here = addr(format!("quic://{}", front.local_addr().expect("an address")));
        let moved = Arc::new(Notify::new());
        let task = tokio::spawn(carry(front, to, weather, moved.clone()));
        Self { addr: here, moved, task }
    }

    /// From now on the listener sees another port.
    pub(crate) fn move_away(&self) {
        self.moved.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn anywhere() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a socket")
}

async fn carry(front: Arc<UdpSocket>, to: SocketAddr, weather: Weather, moved: Arc<Notify>) {
    let (mut there, mut back) = (vec![0; 2048], vec![0; 2048]);
    let (mut far, mut dialer, mut dice) = (Arc::new(anywhere().await), None, Dice(7));
    loop {
        tokio::select! {
            () = moved.notified() => far = Arc::new(anywhere().await),
            Ok((len, from)) = front.recv_from(&mut there) => {
                dialer = Some(from);
                pass(&far, to, &there[..len], weather, &mut dice);
            }
            Ok((len, _)) = far.recv_from(&mut back) => if let Some(dialer) = dialer {
                pass(&front, dialer, &back[..len], weather, &mut dice);
            },
        }
    }
}

fn pass(by: &Arc<UdpSocket>, to: SocketAddr, packet: &[u8], weather: Weather, dice: &mut Dice) {
    if dice.below(100) < weather.loss {
        return;
    }
    let most = weather.jitter.as_micros() as u64 * 2 + 1;
    let delay = weather.delay.saturating_sub(weather.jitter);
    let at = Instant::now() + delay + Duration::from_micros(dice.below(most));
    let (by, packet) = (by.clone(), packet.to_vec());
    tokio::spawn(async move {
        sleep_until(at).await;
        // What cannot be sent is lost.
        let _ = by.send_to(&packet, to).await;
    });
}

/// xorshift64 (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
